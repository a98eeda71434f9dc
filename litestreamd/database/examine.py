"""A look at a database and its surroundings that disturbs nobody: for a command that only wants to know.

In: paths, pids. Out: plain facts. Promised: nothing is written and nothing appears beside the database. Not for a
process that replicates it: descriptors of it are opened and closed here.
Sources: SQLite file format, sections 1.3.1 to 1.3.3. The two bugs: sqlite.org, releases 3.51.3 and 3.50.4.
"""

import re
import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import apsw

from litestreamd.basics.errors import DamagedData
from litestreamd.database.guard import translated
from litestreamd.database.live import MAGIC
from litestreamd.database.locks import held_locks

Version = tuple[int, ...]

_LIBRARY = re.compile(r"\s(/\S*sqlite3?\S*\.so\S*)")
_VERSION = re.compile(rb"\x00(3\.\d{1,2}\.\d{1,2})\x00")
_LITESTREAM_TABLES = ("_litestream_seq", "_litestream_lock")
_RESET_FIXED: tuple[Version, ...] = ((3, 44, 6), (3, 50, 7), (3, 51, 3))


@dataclass(frozen=True, slots=True)
class Header:
    """Of a database file. page_size in bytes."""

    page_size: int
    wal_mode: bool


def read_header(path: Path) -> Header | None:
    """None for a file without a byte. Raises DamagedData when it is no database, OSError."""
    with path.open("rb") as file:
        data = file.read(100)
    if not data:
        return None
    if len(data) < 100 or not data.startswith(MAGIC):
        raise DamagedData(f"{path} is not an SQLite database")
    (size,) = struct.unpack_from(">H", data, 16)
    return Header(65536 if size == 1 else size, data[18] == data[19] == 2)


def page_size_of(path: Path) -> int:
    """Of a database with at least one page, bytes. Raises DamagedData, OSError."""
    header = read_header(path)
    if header is None:
        raise DamagedData(f"{path} is empty")
    return header.page_size


def litestream_tables(path: Path) -> tuple[str, ...]:
    """Those tables of Litestream that are in the schema. Raises the errors of SQLite, translated."""
    in_use = all(path.with_name(path.name + ending).exists() for ending in ("-wal", "-shm"))
    # Else SQLite would make what is missing; a schema that is in a WAL of nobody is looked for another time.
    uri = f"file:{quote(str(path))}?{'mode=ro' if in_use else 'immutable=1'}"
    try:
        connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            connection.setbusytimeout(1000)
            rows = connection.cursor().execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        finally:
            connection.close(True)
    except apsw.Error as error:
        raise translated(error, path) from error
    names = {str(name) for (name,) in rows}
    return tuple(name for name in _LITESTREAM_TABLES if name in names)


def flock_holder(path: Path) -> int | None:
    """Pid of the process that has the database as its daemon; None: there is none (or it cannot be seen)."""
    found = path.stat()
    with suppress(OSError):
        for lock in held_locks(Path("/proc/locks").read_text("ascii").splitlines()):
            if lock.kind == "FLOCK" and lock.inode == (found.st_dev, found.st_ino):
                return lock.pid
    return None


def own_version() -> Version:
    """The SQLite that this program uses."""
    return parse_version(apsw.sqlitelibversion())


def library_version(pid: int) -> Version | None:
    """The SQLite that a process has loaded as a library, as far as that can be seen: the text in the library."""
    with suppress(OSError):
        found = _LIBRARY.search(Path(f"/proc/{pid}/maps").read_text())
        if found is not None:
            versions = _VERSION.search(Path(f"/proc/{pid}/root{found[1]}").read_bytes())
            return parse_version(versions[1].decode()) if versions else None
    return None


def parse_version(text: str) -> Version:
    """`3.40.1` as numbers."""
    return tuple(int(part) for part in text.split(".")[:3])


def resets_wal_wrongly(version: Version) -> bool:
    """Bug A: a checkpoint beside a reset of the WAL may lose frames (fixed in 3.51.3, and in 3.44.6 and 3.50.7)."""
    return version < (3, 51, 3) and not any(fixed[:2] == version[:2] and version >= fixed for fixed in _RESET_FIXED)


def breaks_wal_chain(version: Version) -> bool:
    """Bug B: a transaction that spills and rolls back to a savepoint leaves wrong checksums in the WAL (fixed in
    3.50.4), at which a recovery stops."""
    return version < (3, 50, 4)
