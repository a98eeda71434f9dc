"""A folder for what is needed only for a while, and room for it.

In: a place that exists. Out: an empty folder there (0700). Promised: it is gone when the block ends, however it ends;
one that a killed process left behind is removed by the next that works in the same place. `ensure_room` refuses before
a byte is written, in one sentence, and leaves the application its reserve.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.basics.quantities import format_size
from litestreamd.database.disk import free_bytes
from litestreamd.database.draft import told
from litestreamd.plan.spool_quota import reserve

_PREFIX = "scratch-"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def scratch_folder(place: Path) -> Iterator[Path]:
    """The folder. Raises RightsError, EnvironmentFault."""
    with told(place):
        _remove_abandoned(place)
    folder, lock = place / f"{_PREFIX}{os.urandom(8).hex()}", -1
    # The name is known before the folder is there, so that an interrupt at any moment finds what to remove.
    try:
        with told(folder):
            lock = _create(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock >= 0:
            os.close(lock)


def ensure_room(place: Path, size: int) -> None:
    """Raises EnvironmentFault unless `size` bytes fit there."""
    free = free_bytes(place)
    if size > free - reserve(free):
        raise EnvironmentFault(
            f"{place} has {format_size(free)} free and the database needs {format_size(size)} (some room is left to "
            "the application): make room, or say -scratch DIR"
        )


def _create(folder: Path) -> int:
    """The folder, locked: the lock tells one in use from one whose maker has died."""
    while True:
        folder.mkdir(mode=0o700)
        lock = os.open(folder, _FOLDER)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Another process may have taken it for abandoned between the calls.
        if os.fstat(lock).st_nlink:
            return lock
        os.close(lock)


def _remove_abandoned(place: Path) -> None:
    for folder in place.glob(f"{_PREFIX}{'[0-9a-f]' * 16}"):
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            lock = os.open(folder, _FOLDER)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            except BlockingIOError:
                continue
            finally:
                os.close(lock)
