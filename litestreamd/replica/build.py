"""From a configured replica to a working one.

In: a ReplicaSpec, and the database it belongs to (whose modes and owner a folder replica copies).
Out: a Replica. No I/O except stat() of the database.
"""

from pathlib import Path

from litestreamd.basics.errors import ConfigError
from litestreamd.replica.access import access_like
from litestreamd.replica.folder import FolderReplica
from litestreamd.replica.port import Replica, ReplicaSpec


def build_replica(spec: ReplicaSpec, database: Path | None = None) -> Replica:
    """The back end for `spec`; raises ConfigError for a type that this program does not have."""
    if spec.kind == "file":
        return FolderReplica(Path(spec.path), spec.name, access_like(database) if database else None)
    raise ConfigError(f"replica {spec.name}: type {spec.kind!r} is not supported; supported: file")
