"""Errors of the disk that holds our state, told as errors of ours.

In: a block that reads or writes below the state directory. Out: EnvironmentFault instead of OSError. Beside the
database that directory can belong to another, less trusted user than ours: `private` follows no link of theirs.
`write_whole` replaces a small file durably; after a crash it is the old one or the new one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import EnvironmentFault
from litestreamd.database.ownership import hand_over


@contextmanager
def state_disk(path: Path, deed: str) -> Iterator[None]:
    """`deed`: what cannot be done when the block fails ("written")."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be {deed}: {error.strerror}.") from error


def private(path: str | Path, flags: int) -> int:
    """An opener for files of ours: nobody else reads what they are created with, no symbolic link is followed, and a
    pipe that somebody has laid there is not waited for."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a small file durably, for the owner of its folder, whoever writes it. Raises EnvironmentFault; then the
    old one is still there."""
    temporary = path.with_name(path.name + ".tmp")
    with state_disk(path, "written"):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary.unlink(missing_ok=True)  # of a crash, or what somebody else has laid there for root to write to
        with open(temporary, "xb", opener=private) as file:
            hand_over(file.fileno(), path.parent)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        passing("file.written")
        temporary.rename(path)
        passing("file.renamed")
        fsync_folder(path.parent)


def fsync_folder(folder: Path) -> None:
    """Make names in a folder durable. Raises OSError."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def free_bytes(folder: Path) -> int:
    """What the file system of a folder has left for us. Raises EnvironmentFault."""
    with state_disk(folder, "looked at"):
        found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
