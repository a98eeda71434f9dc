"""Databases of a given size with contents as they are: words that compress and bytes that do not.

In: a path and a size in bytes. Out: a checkpointed database in WAL mode, the same bytes for the same size.
"""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

BATCH = 20_000
Row = tuple[str, bytes]


def rows(chance: random.Random) -> Iterator[Row]:
    """About 400 bytes each: 40 words out of 2,000, and 100 random bytes."""
    letters = b"abcdefghijklmnopqrstuvwxyz"
    words = [bytes(chance.choices(letters, k=chance.randint(3, 9))).decode() for _ in range(2000)]
    while True:
        yield " ".join(chance.choices(words, k=40)), chance.randbytes(100)


def create(path: Path, size: int) -> None:
    """At least `size` bytes, less than 2 MiB more."""
    source = rows(random.Random(size))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=OFF")
        db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b BLOB)")
        while path.stat().st_size < size:
            left = max(1, min(BATCH, (size - path.stat().st_size) // 400))
            insert(db, source, left)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def insert(db: sqlite3.Connection, source: Iterator[Row], count: int) -> None:
    """One transaction of `count` rows."""
    db.execute("BEGIN")
    db.executemany("INSERT INTO t(a, b) VALUES(?, ?)", (next(source) for _ in range(count)))
    db.execute("COMMIT")


def change_pages(path: Path, pages: int) -> None:
    """Touch one row on each of about `pages` different pages, all over the file, and checkpoint it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        last = db.execute("SELECT max(id) FROM t").fetchone()[0]
        db.execute("BEGIN")
        db.executemany(
            "UPDATE t SET b = randomblob(100) WHERE id = ?", ((1 + n * (last // pages),) for n in range(pages))
        )
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
