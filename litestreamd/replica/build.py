"""From a configured replica to a working one.

In: a ReplicaSpec, and the database it belongs to (whose modes and owner a folder replica copies).
Out: a Replica. No I/O except stat() of the database.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from litestreamd.replica.folder.access import access_like
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.folder.settings import FolderSettings
from litestreamd.replica.port import Replica, ReplicaSpec, StoreSettings
from litestreamd.replica.retrying import Retrying
from litestreamd.replica.s3.settings import S3Settings

if TYPE_CHECKING:
    from litestreamd.replica.s3.replica import S3Replica


def build_replica(spec: ReplicaSpec, database: Path | None = None) -> Replica:
    """The back end for `spec`, which tries again what may work the next time."""
    match spec.store:
        case FolderSettings() as folder:
            access = access_like(database) if database else None
            return FolderReplica(folder.path, spec.name, access, mount=folder.mount)
        case S3Settings() as settings:
            return _s3(settings, spec.name)
        case other:
            raise AssertionError(f"{other.kind} has no back end")


def load_back_ends(stores: Iterable[StoreSettings]) -> None:
    """Import what these need now, so that it is not done while something waits for them."""
    if any(isinstance(store, S3Settings) for store in stores):
        _s3_back_end()


def _s3(settings: S3Settings, name: str) -> Replica:
    return Retrying(_s3_back_end()(settings, name))


def _s3_back_end() -> "type[S3Replica]":
    # boto3 takes 30 MiB and a fifth of a second: a program that has folders only does without.
    from litestreamd.replica.s3.replica import S3Replica

    return S3Replica
