"""Create a file once, durably, or not at all: the write half of a folder replica.

In: a final path inside an existing folder, the body, the time to stamp. Out: CREATED or EXISTS.
Promised: the final name appears only with all bytes, times and modes on disk; it is never overwritten;
of several racing creators exactly one gets CREATED; a crash leaves at most a temporary file, which the
next creator in that folder removes (`sweep`), and never one that somebody still writes.

Order: temporary file, bytes, owner and mode, times, fsync, link() to the final name (EEXIST is the loss of
the race), unlink, fsync of the folder. Without hard links (vfat, some FUSE and SMB mounts) the name is
reserved with O_EXCL, looked for, and the temporary file renamed: the weak fence.
"""

import errno
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import StoreError
from litestreamd.replica.folder.access import Access
from litestreamd.replica.folder.faults import translated
from litestreamd.replica.port import Created, Fence

Link = Callable[[Path, Path], None]
"""os.link, or what a test puts in its place."""

_TEMPORARY = re.compile(r".+\.[0-9a-f]{16}\.tmp")
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_ABANDONED_S = 60.0
_WRITE_BACK = 8 << 20
_RESERVED_S = 2.0


def create_file(
    final: Path, body: Iterable[bytes], *, time_ns: int | None, access: Access, link: Link, place: str
) -> tuple[Created, Fence]:
    """Create `final` with `body` unless it exists; `time_ns` becomes its access and modification time.

    Out: the result, and the fence it rested on. `place` names the replica in errors (StoreError, StoreMissing,
    RightsError). Errors raised by `body` pass through unchanged.
    """
    with _temporary(final, place) as (path, descriptor):
        written = begun = 0
        for chunk in body:
            with translated(place):
                _write(descriptor, chunk)
                written += len(chunk)
                if written - begun >= _WRITE_BACK:
                    # Begins to write it out (and gives its cache back to the application), so that fsync finds little.
                    os.posix_fadvise(descriptor, begun, written - begun, os.POSIX_FADV_DONTNEED)
                    begun = written
        with translated(place):
            access.apply_to_file(descriptor)
            if time_ns is not None:
                os.utime(descriptor, ns=(time_ns, time_ns))
            os.fsync(descriptor)
            passing("folder.written")
            result = _appear(path, final, link, place)
    passing("folder.linked")
    # Also after EXISTS: an earlier try of ours may have crashed between its link() and this.
    with translated(place):
        fsync_folder(final.parent)
    return result


def sweep(folder: Path) -> None:
    """Remove temporary files that nobody writes any more: old, and their lock is free."""
    with os.scandir(folder) as entries:
        leftovers = [Path(entry.path) for entry in entries if _TEMPORARY.fullmatch(entry.name)]
    for path in leftovers:
        _remove_abandoned(path)


def make_folders(parent: Path, names: Iterable[str], access: Access) -> None:
    """Make the chain parent/name1/name2/... durable; `parent` itself must exist already."""
    folder = parent
    for name in names:
        folder = folder / name
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                access.apply_to_folder(descriptor)
            finally:
                os.close(descriptor)
            fsync_folder(folder.parent)


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _temporary(final: Path, place: str) -> Iterator[tuple[Path, int]]:
    """A new, locked temporary file beside `final`, gone again afterwards."""
    path = final.with_name(f"{final.name}.{os.urandom(8).hex()}.tmp")
    with translated(place):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _locked(descriptor)
        yield path, descriptor
    finally:
        with translated(place):
            # Unlinked before the lock goes, so that nobody sweeps it under us.
            path.unlink(missing_ok=True)
            os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Take the lock that says "in use"; False when another has it, or the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _write(descriptor: int, chunk: bytes) -> None:
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _appear(temporary: Path, final: Path, link: Link, place: str) -> tuple[Created, Fence]:
    """Give the finished temporary file its final name, unless that is taken."""
    try:
        link(temporary, final)
    except FileExistsError:
        return Created.EXISTS, Fence.STRONG
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        return _rename_reserved(temporary, final, place), Fence.WEAK
    return Created.CREATED, Fence.STRONG


def _rename_reserved(temporary: Path, final: Path, place: str) -> Created:
    """Rename to `final` if nobody has it, while holding the only reservation of that name."""
    with _reservation(final.with_name(final.name + ".reserved"), place):
        if final.exists():
            return Created.EXISTS
        temporary.rename(final)
        return Created.CREATED


@contextmanager
def _reservation(path: Path, place: str) -> Iterator[None]:
    """Own the name `path`, which nobody else has while the block runs."""
    descriptor = _reserve(path, place)
    try:
        _locked(descriptor)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _reserve(path: Path, place: str) -> int:
    """Create `path`; who has it holds it for a rename only, so it is worth waiting for."""
    deadline = time.monotonic() + _RESERVED_S
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            _remove_abandoned(path)
        if time.monotonic() > deadline:
            raise StoreError(f"{place}: another process is creating {path.stem}; it will be tried again")
        time.sleep(0.005)


def _remove_abandoned(path: Path) -> None:
    """Remove a temporary file or a reservation whose maker has died."""
    with suppress(FileNotFoundError):
        # O_NONBLOCK: for a named pipe that somebody put here.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            # The age covers the moment between a maker's open and its lock.
            old = time.time() - os.fstat(descriptor).st_mtime > _ABANDONED_S
            if old and _locked(descriptor) and _names(path, descriptor):
                path.unlink()
        finally:
            os.close(descriptor)


def _names(path: Path, descriptor: int) -> bool:
    """Is `path` still the open file?"""
    with suppress(FileNotFoundError):
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    return False
