"""The database file that is being made: a temporary file beside the place it shall take.

In: pages at their offsets, from several threads. Out: a complete, durable file with its mode and owner, or none.
Promised: the temporary file is gone when the block ends, unless it was installed; one that a killed process left
behind is removed by the next restore to the same place; disk-full, rights and the like are told once, in a sentence.
"""

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from litestreamd.basics.errors import EnvironmentFault, LitestreamdError, RightsError
from litestreamd.basics.quantities import format_size
from litestreamd.database.label import give_label
from litestreamd.database.ownership import give

# One writev takes at most this many buffers (limits.h, IOV_MAX on Linux).
_MOST_BUFFERS = 1024
_LONG_RUN = 256 << 10


class Draft:
    """An open temporary file for `target`. `path` is where it lies until it is installed."""

    def __init__(self, target: Path, path: Path, descriptor: int) -> None:
        self.target = target
        self.path = path
        self._descriptor = descriptor

    def resize(self, size: int) -> None:
        """Give the file exactly this many bytes; what was not written reads as zeros."""
        with told(self.path):
            os.ftruncate(self._descriptor, size)

    def write(self, images: Sequence[bytes], offset: int) -> None:
        """Write images of any size one behind the other from this offset on."""
        # Not `told`, whose price would be paid for every page where pages are scattered.
        try:
            for start in range(0, len(images), _MOST_BUFFERS):
                part = images[start : start + _MOST_BUFFERS]
                size = sum(map(len, part))
                done = os.pwritev(self._descriptor, part, offset)
                if done < size:
                    _write_rest(self._descriptor, b"".join(part)[done:], offset + done)
                if size >= _LONG_RUN:
                    # Linux then begins to write these (dirty) pages out, so that the fsync at the end has little
                    # left to wait for (posix_fadvise(2)).
                    os.posix_fadvise(self._descriptor, offset, size, os.POSIX_FADV_DONTNEED)
                offset += size
        except OSError as error:
            raise _fault(error, self.path) from error

    def finish(self, mode: int, uid: int, gid: int, label: str | None = None) -> str | None:
        """Set mode, owner (-1: as it is) and label (None: as it is), and make every byte durable. Out: why the label
        could not be given, None when it was."""
        with told(self.path):
            give(self._descriptor, uid, gid)
            os.fchmod(self._descriptor, mode)
            refusal = give_label(self._descriptor, label) if label is not None else None
            os.fsync(self._descriptor)
        return refusal


@contextmanager
def draft_for(target: Path, uid: int = -1, gid: int = -1) -> Iterator[Draft]:
    """A draft in the folder of `target`. Folders that are missing are made (0700, as Litestream does) for this owner
    (-1: ours), who could not get at his database otherwise."""
    with told(target.parent):
        for folder in (*reversed(target.parent.parents), target.parent):
            if folder.exists():
                continue
            with suppress(FileExistsError):  # another restore was faster
                folder.mkdir(mode=0o700)
                give(folder, uid, gid)
        remove_abandoned(target)
    path = target.with_name(f".{target.name}.{os.urandom(8).hex()}.restoring")
    # The name is known before the file is there, so that an interrupt at any moment finds what to remove.
    try:
        with told(path):
            descriptor = _create(path)
        try:
            yield Draft(target, path, descriptor)
        finally:
            os.close(descriptor)
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn an OSError of the local disk into a RightsError or EnvironmentFault that names `path`."""
    try:
        yield
    except OSError as error:
        raise _fault(error, path) from error


def _create(path: Path) -> int:
    """A new file, locked: the lock tells a restore at work from one that was killed."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Another restore may have taken it for abandoned between the two calls.
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)


def _fault(error: OSError, path: Path) -> LitestreamdError:
    reason = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM):
        return RightsError(f"{path}: {reason}; run this as a user who may write there")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        free = ""
        with suppress(OSError):
            status = os.statvfs(path.parent)
            free = f" ({format_size(status.f_bavail * status.f_frsize)} are free)"
        return EnvironmentFault(f"{path.parent}: {reason}{free}; make room, or restore to another place with -o")
    return EnvironmentFault(f"{path}: {reason}")


def _write_rest(descriptor: int, rest: bytes, offset: int) -> None:
    while rest:
        done = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[done:], offset + done


def remove_abandoned(target: Path) -> None:
    """Remove drafts for `target` whose makers have died."""
    for path in target.parent.glob(f".{_literal(target.name)}.{'[0-9a-f]' * 16}.restoring"):
        with suppress(FileNotFoundError):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
                path.unlink()  # no draft of ours is a link
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            except BlockingIOError:
                continue
            finally:
                os.close(descriptor)


def _literal(name: str) -> str:
    """A file name as a glob pattern that matches only it."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
