"""The room against SQLite as it is installed here: WALs and -shm headers of a real workload, read while it lives.

The files are copied first: what the copy says is compared with what SQLite makes of the same copy.
"""

import random
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from litestreamd.wal.checksum import stored
from litestreamd.wal.commits import Committed, Scanner, Stop
from litestreamd.wal.frames import frame_offset, parse_frames
from litestreamd.wal.header import WalHeader
from litestreamd.wal.index import IndexHeader, parse_index

SUFFIXES = ("", "-wal", "-shm")


def scan(wal: bytes) -> Committed:
    scanner = Scanner()
    scanner.feed(wal)
    return scanner.result()


def applied(database: bytes, wal: bytes, found: Committed) -> bytes:
    assert isinstance(found.header, WalHeader)
    size = found.header.page_size
    image = bytearray(database[: found.commit * size].ljust(found.commit * size, b"\0"))
    for pgno, frame in found.pages.items():
        page = frame_offset(frame, size) + 24
        image[(pgno - 1) * size : pgno * size] = wal[page : page + size]
    return bytes(image)


def work(connection: sqlite3.Connection, draw: random.Random) -> None:
    """One transaction of some kind, or a checkpoint after which the WAL starts anew."""
    deed = draw.choice(["insert", "insert", "insert", "delete", "vacuum", "roll back", "checkpoint"])
    if deed == "vacuum":
        connection.execute("VACUUM")
    elif deed == "checkpoint":
        connection.execute(f"PRAGMA wal_checkpoint({draw.choice(['PASSIVE', 'RESTART', 'TRUNCATE'])})")
    else:
        connection.execute("BEGIN")
        if deed == "delete":
            connection.execute("DELETE FROM t WHERE n % 3 = 0")
        else:
            for _ in range(draw.randint(1, 40)):
                connection.execute("INSERT INTO t (b) VALUES (?)", (draw.randbytes(draw.randint(1, 3000)),))
        connection.execute("ROLLBACK" if deed == "roll back" else "COMMIT")


@pytest.mark.parametrize("page_size", [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])
def test_scanner_and_index_say_what_sqlite_does(page_size: int, tmp_path: Path) -> None:
    draw = random.Random(page_size)
    with closing(sqlite3.connect(tmp_path / "live.db", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA cache_size = 10")  # open transactions spill into the WAL
        connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)")
        for number in range(25):
            work(connection, draw)
            for suffix in SUFFIXES:
                shutil.copyfile(tmp_path / f"live.db{suffix}", tmp_path / f"{number}.db{suffix}")
    for number in range(25):
        compare(tmp_path / f"{number}.db", page_size)


def compare(path: Path, page_size: int) -> None:
    """One moment of the workload: the three files as they stood."""
    database, wal, shm = (path.with_name(path.name + suffix).read_bytes() for suffix in SUFFIXES)
    index = parse_index(shm[:48], shm[:136], shm[:48])
    found = scan(wal)
    assert isinstance(index, IndexHeader)
    assert index.max_frame == found.frames
    if found.frames == 0:
        return
    assert isinstance(found.header, WalHeader)
    assert (index.page_size, index.salts, index.page_count) == (page_size, found.header.salts, found.commit)
    last = list(parse_frames(wal[32 : found.end_offset], page_size))[-1]
    assert last[1:] == (found.commit, index.salts, stored(index.frame_checksum))
    path.with_name(path.name + "-shm").unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert applied(database, wal, found) == path.read_bytes()
    assert found.stop in (Stop.END, Stop.OTHER_GENERATION, Stop.BAD_CHECKSUM)
