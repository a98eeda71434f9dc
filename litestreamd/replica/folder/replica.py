"""A replica in a folder of this machine (`type: file`), laid out as Litestream 0.5 does.

In: `<root>/ltx/<level>/<min>-<max>.ltx`, notes below `<root>/litestreamd/`; a creation time is the
modification time of the file. Promised: everything replica/port.py promises. The folder that holds the root
must exist: an unmounted disk is an error, never an empty replica, and never filled up by mistake.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from litestreamd.basics.errors import ObjectMissing, StoreMissing
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName, parse_file_name
from litestreamd.replica.folder.access import Access
from litestreamd.replica.folder.creation import Link, create_file, fsync_folder, make_folders, sweep
from litestreamd.replica.folder.faults import translated
from litestreamd.replica.folder.objects_v3 import objects_v3
from litestreamd.replica.port import CHUNK, Created, Fence, StoredObject, StoredV3, Times
from litestreamd.v3.names import FOLDER as V3_FOLDER
from litestreamd.v3.names import V3Name

NOTES = "litestreamd"
_NOTE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)*")
_NOT_A_NOTE = (".tmp", ".reserved")


class FolderReplica:
    """The folder back end; see replica/port.py for what each method promises."""

    kind = "file"
    times = Times.HEADER
    piece = 1 << 20

    def __init__(
        self, root: Path, name: str, access: Access | None = None, link: Link = os.link, mount: Path | None = None
    ) -> None:
        """`mount`: the folder that has to be there, for a missing one could be a disk that is not mounted; default: the
        one that the root lies in."""
        self.name = name
        self.description = f"file://{root}"
        self.fence = Fence.STRONG
        self._root = root
        self._mount = mount or root.parent
        self._access = access or Access()
        self._link = link
        self._swept: set[Path] = set()
        self._identity: tuple[int, int] | None = None
        self.requests: Mapping[str, int] = {}

    def renew(self) -> None:
        """Nothing: the rights of the process are all there is."""

    def list(self, level: int | None = None) -> Iterator[StoredObject]:
        found: list[StoredObject] = []
        with translated(self.description), self._held_root() as root:
            if root is not None:
                for number in range(SNAPSHOT_LEVEL + 1) if level is None else (level,):
                    found += _objects(root, number)
        return iter(found)

    def find(self, name: ObjectName) -> StoredObject | None:
        with translated(self.description), self._held_root() as root:
            return None if root is None else _object(root, name)

    def create(self, name: ObjectName, body: Iterable[bytes], timestamp_ms: int, most: int | None = None) -> Created:  # noqa: ARG002
        return self._create(self._path(name), body, time_ns=timestamp_ms * 1_000_000)

    def open(self, name: ObjectName, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self._read(self._path(name), offset, length)

    def read_at(self, name: ObjectName, offset: int, length: int) -> bytes:
        return b"".join(self.open(name, offset, length))

    def delete(self, names: Sequence[ObjectName]) -> None:
        paths = [self._path(name) for name in names]
        with translated(self.description):
            for path in paths:
                path.unlink(missing_ok=True)
            for folder in {path.parent for path in paths}:
                with suppress(FileNotFoundError):
                    fsync_folder(folder)

    def list_notes(self, prefix: str = "") -> Sequence[str]:
        top = self._root / NOTES
        with translated(self.description), self._held_root():
            files = [path.relative_to(top).as_posix() for path in _files_below(top / prefix.rpartition("/")[0])]
        return sorted(name for name in files if name.startswith(prefix) and not name.endswith(_NOT_A_NOTE))

    def has_note(self, name: str) -> bool:
        path = self._note_path(name)
        with translated(self.description), self._held_root():
            return path.exists()

    def read_note(self, name: str) -> bytes:
        with self._opened(self._note_path(name)) as descriptor, translated(self.description):
            return os.read(descriptor, CHUNK)

    def create_note(self, name: str, data: bytes) -> Created:
        return self._create(self._note_path(name), [data], time_ns=None)

    def delete_note(self, name: str) -> None:
        path = self._note_path(name)
        with translated(self.description), self._held_root():
            path.unlink(missing_ok=True)
            with suppress(OSError):  # somebody else's note is in it
                path.parent.rmdir()

    def clear_unfinished(self) -> None:
        """Nothing to do: a create sweeps its own folder, where others may be at work."""

    def has_v3(self) -> bool:
        with translated(self.description), self._held_root():
            return any(True for _ in _files_below(self._root / V3_FOLDER))

    def list_v3(self) -> Iterator[StoredV3]:
        with translated(self.description), self._held_root() as root:
            return iter([] if root is None else objects_v3(root))

    def open_v3(self, name: V3Name) -> Iterator[bytes]:
        return self._read(self._root / name.path, 0, None)

    def _path(self, name: ObjectName) -> Path:
        return self._root / "ltx" / str(name.level) / name.file_name

    def _note_path(self, name: str) -> Path:
        if not _NOTE_NAME.fullmatch(name) or name.endswith(_NOT_A_NOTE):
            raise ValueError(f"{name!r} is not a name for a note")
        return self._root / NOTES / name

    def _create(self, final: Path, body: Iterable[bytes], time_ns: int | None) -> Created:
        with translated(self.description), self._held_root():
            self._refuse_exchanged()
            make_folders(self._mount, final.parent.relative_to(self._mount).parts, self._access)
            if final.parent not in self._swept:
                sweep(final.parent)
                self._swept.add(final.parent)
        created, self.fence = create_file(
            final, body, time_ns=time_ns, access=self._access, link=self._link, place=self.description
        )
        return created

    def _refuse_exchanged(self) -> None:
        """A root that we have written to and that is another folder now was unmounted or removed under us: what is made
        again in its place would be the end of a history without its beginning, perhaps on the wrong disk."""
        # In this order, for other threads create here too: what was known before the look was there before it.
        known, found = self._identity, _identity(self._root)
        if known is not None and known != found:
            self._identity = None
            self._swept.clear()
            raise StoreMissing(f"{self.description}: this is not the folder it was: was its disk unmounted?")
        self._identity = found or known

    @contextmanager
    def _held_root(self) -> Iterator[int | None]:
        """A descriptor of the root while a block runs (no unmount can come between), None if it is not made yet."""
        try:
            root = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            if not self._mount.is_dir():
                raise StoreMissing(
                    f"{self.description}: the folder {self._mount} does not exist; is the disk mounted?"
                ) from None
            yield None
            return
        try:
            yield root
        finally:
            os.close(root)

    def _read(self, path: Path, offset: int, length: int | None) -> Iterator[bytes]:
        with self._opened(path) as descriptor:
            rest = length
            while rest is None or rest > 0:
                with translated(self.description):
                    chunk = os.pread(descriptor, CHUNK if rest is None else min(CHUNK, rest), offset)
                if not chunk:
                    return
                yield chunk
                offset += len(chunk)
                rest = None if rest is None else rest - len(chunk)

    @contextmanager
    def _opened(self, path: Path) -> Iterator[int]:
        with translated(self.description):
            try:
                # O_NONBLOCK: a named pipe that somebody put here must not hold us for ever.
                descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except FileNotFoundError:
                raise ObjectMissing(f"{self.description}: {path.relative_to(self._root)} is gone") from None
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _objects(root: int, level: int) -> list[StoredObject]:
    """The objects of one level, ascending; a level without a folder has none."""
    try:
        folder = os.open(f"ltx/{level}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    except FileNotFoundError:
        return []
    try:
        with os.scandir(folder) as entries:
            return sorted(_seen(level, entries), key=lambda stored: stored.name)
    finally:
        os.close(folder)


def _object(root: int, name: ObjectName) -> StoredObject | None:
    try:
        status = os.stat(f"ltx/{name.level}/{name.file_name}", dir_fd=root)
    except FileNotFoundError:
        return None
    return _stored(name, status) if stat.S_ISREG(status.st_mode) else None


def _stored(name: ObjectName, status: os.stat_result) -> StoredObject:
    return StoredObject(name, status.st_size, status.st_mtime_ns // 1_000_000, status.st_mode & 0o777)


def _seen(level: int, entries: Iterable[os.DirEntry[str]]) -> Iterator[StoredObject]:
    for entry in entries:
        name = parse_file_name(level, entry.name)
        if name is None or not entry.is_file():
            continue
        # Retention may delete between the scan and the stat: then it is simply not there any more.
        with suppress(FileNotFoundError):
            yield _stored(name, entry.stat())


def _files_below(top: Path) -> Iterator[Path]:
    """Every file below a folder that may not exist; a folder that cannot be read is an error."""
    if not top.exists():
        return
    for folder, _, names in os.walk(top, onerror=_raise):
        yield from (Path(folder, name) for name in names)


def _raise(error: OSError) -> None:
    raise error
