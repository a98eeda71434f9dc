"""What a database really holds, byte for byte, asked of stock SQLite and never of the code under test.

In: paths. Out: complete images as bytes, findings of integrity_check, acknowledged commits.
The library is Python's own sqlite3, in the test's process: the daemon's locks are another process's.
"""

import shutil
import sqlite3
from collections import defaultdict
from contextlib import closing
from pathlib import Path

BUSY_S = 30.0


def live_image(path: Path) -> bytes:
    """The pages a reader sees now (through the -shm, whoever else is at work)."""
    with closing(sqlite3.connect(path, timeout=BUSY_S)) as db:
        return db.serialize()


def recovered_image(path: Path, scratch: Path) -> bytes:
    """The pages after everybody died: a copy of file and -wal, recovered and checkpointed by SQLite."""
    scratch.mkdir()
    copy = scratch / "copy.db"
    shutil.copyfile(path, copy)
    wal = path.with_name(path.name + "-wal")
    if wal.exists():
        shutil.copyfile(wal, copy.with_name("copy.db-wal"))
    checkpoint(copy)
    image = copy.read_bytes()
    shutil.rmtree(scratch)
    return image


def checkpoint(path: Path) -> None:
    """Bring every frame into the file; the database must be free."""
    with closing(sqlite3.connect(path, timeout=BUSY_S)) as db:
        busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0, f"{path}: checkpoint was blocked"


def damage(path: Path) -> str:
    """What integrity_check finds, or an empty text."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as db:
        try:
            lines = [row[0] for row in db.execute("PRAGMA integrity_check(20)")]
        except sqlite3.DatabaseError as error:
            return str(error)
    return "" if lines == ["ok"] else "\n".join(lines)


def schema_names(path: Path) -> set[str]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as db:
        return {row[0] for row in db.execute("SELECT name FROM sqlite_schema")}


def acknowledged_in(path: Path) -> dict[int, set[int]]:
    """Per writer the numbers of the commits in a (free) database file."""
    held: dict[int, set[int]] = defaultdict(set)
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as db:
        for writer, number in db.execute("SELECT writer, number FROM acks"):
            held[writer].add(number)
    return held


def first_difference(one: bytes, other: bytes, page_size: int) -> str:
    """Where two images part, for a message; an empty text if they do not."""
    if one == other:
        return ""
    pages = [
        at // page_size + 1
        for at in range(0, max(len(one), len(other)), page_size)
        if one[at : at + page_size] != other[at : at + page_size]
    ]
    return f"{len(one)} and {len(other)} bytes, {len(pages)} pages differ, first {pages[:8]}"
