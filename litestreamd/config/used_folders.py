"""The folders that an instance writes in, as its configuration names them and as they are.

In: a Config. Out: `Folders` for its units. Promised: every folder exists; a missing one is an error that names it and
says how to make it, because a sandbox cannot be opened for what is not there when the service starts.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.config.model import Config, DatabaseSettings
from litestreamd.config.owner_dropin import Folders, Owner
from litestreamd.replica.folder.settings import FolderSettings
from litestreamd.replica.s3.settings import S3Settings

_RUNTIME = Path("/run/litestreamd")
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))


def used_folders(config: Config, owner: Owner) -> Folders:
    """Folders of databases, file replicas and meta-path. Raises EnvironmentFault with a line for each missing one."""
    entries = [*config.databases, *(folder.template for folder in config.folders)]
    written = [path for entry in entries for path in _written(entry)] + _place_of_socket(config)
    stores = [spec.store for entry in entries for spec in entry.replicas]
    replicas = [store.path for store in stores if isinstance(store, FolderSettings)]
    named = tuple(dict.fromkeys(written + replicas))
    faults = [_fault(path, owner) for path in named if not path.is_dir() or _is_temporary(path)]
    if faults:
        raise EnvironmentFault("\n".join(faults))
    buckets = [store for store in stores if isinstance(store, S3Settings)]
    return Folders(
        written=_real(written),
        replicas=_real(replicas),
        mounts=named,
        read=_real(Path(store.ca_bundle) for store in buckets if store.ca_bundle),
        reads_home=any(store.profile for store in buckets),
    )


def _written(entry: DatabaseSettings) -> Iterator[Path]:
    """`entry`: a database, or what holds for all of a folder; its path is the folder then."""
    if entry.path.is_dir():
        yield entry.path
    else:
        yield entry.path.parent
        # Through a symbolic link: SQLite has the -wal and the -shm beside the file itself.
        yield entry.path.resolve().parent
    if entry.meta_path is not None:
        yield entry.meta_path


def _place_of_socket(config: Config) -> list[Path]:
    """Where the control socket is made; systemd has made its usual place."""
    path = config.socket.path
    return [] if path is None or _RUNTIME in path.parents else [path.parent]


def _real(paths: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(path.resolve() for path in paths))


def _is_temporary(path: Path) -> bool:
    return any(folder in (path, *path.parents) for folder in _TEMPORARY)


def _fault(path: Path, owner: Owner) -> str:
    if _is_temporary(path):
        return f"{path} is temporary: the service has a /tmp and /var/tmp of its own (PrivateTmp=) and does not see it"
    if path.exists():
        return f"{path} is no folder"
    return (
        f"the folder {path} does not exist: mount its disk, or make it with"
        f" install -d -o {owner.user} -g {owner.group} {path}"
    )
