"""An application in a process of its own: seeded random work on one database until told to stop.

Run: python tests/support/writer.py DATABASE LOG --writer N --seed S [--transactions N] HABITS-AS-JSON
Each acknowledged commit holds a row acks(writer, number), and after COMMIT returned its number is appended to
LOG, outside the database. SIGTERM: finish the deed at hand, close, exit 0. SIGKILL: as life is.
`--no-close` leaves as a crash would: no checkpoint on close, -wal stays.
"""

import argparse
import os
import random
import signal
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support.habits import Habits
from tests.support.sqlite_libraries import Busy, Library, connect

MOST_BYTES = 6 << 20
LIFETIME_S = 120.0
PATIENCE_MS = 20_000
WORDS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")


class Application:
    """One connection (and now and then a second one that only reads), and the deeds it may do."""

    def __init__(self, path: str, log: int, writer: int, habits: Habits, seed: int) -> None:
        self.path, self.log, self.writer, self.habits = path, log, writer, habits
        self.chance = random.Random(seed)
        self.acknowledged = 0
        self.reader: Library | None = None
        self.reader_until = 0
        self.open()

    def open(self) -> None:
        habits = self.habits
        self.db = connect(habits.library, self.path)
        self.db.run(f"PRAGMA busy_timeout={PATIENCE_MS}")  # somebody may be recovering the WAL
        self.db.run(f"PRAGMA cache_size={habits.cache_pages}")
        self.db.run(f"PRAGMA wal_autocheckpoint={habits.autocheckpoint}")
        self.db.run(f"PRAGMA synchronous={habits.synchronous}")
        self.db.run(f"PRAGMA journal_size_limit={habits.journal_size_limit}")
        self.db.run(f"PRAGMA busy_timeout={habits.busy_ms}")

    def close(self) -> None:
        if self.reader is not None:
            self.reader.close()
            self.reader = None
        self.db.close()

    def act(self, number: int) -> None:
        """One deed; contention is part of life and undone."""
        if self.reader is not None and number >= self.reader_until:
            self.reader.close()
            self.reader = None
        try:
            getattr(self, self.chance.choice(self.habits.deeds))(number)
        except Busy:
            self._undo()
        if self.habits.pause_ms:
            time.sleep(self.chance.random() * 2 * self.habits.pause_ms / 1000)

    def _undo(self) -> None:
        if self.db.in_transaction:
            self.db.run("ROLLBACK")

    def begin(self) -> None:
        self.db.run(self.chance.choice(("BEGIN", "BEGIN IMMEDIATE", "BEGIN IMMEDIATE")))

    def commit(self) -> None:
        """Acknowledge inside, commit, and only then tell the world."""
        number = self.acknowledged + 1
        self.db.run("INSERT INTO acks(writer, number) VALUES(?, ?)", (self.writer, number))
        self.db.run("COMMIT")
        self.acknowledged = number
        os.write(self.log, f"{self.writer} {number}\n".encode())

    def row(self) -> tuple[str, bytes]:
        size = self.chance.randint(1, 2 * self.habits.weight)
        return " ".join(self.chance.choices(WORDS, k=1 + size // 20)), self.chance.randbytes(size // 2)

    def table(self) -> str:
        return f"t{self.chance.randint(0, 2)}"

    def add_rows(self, count: int) -> None:
        self.db.run_many(f"INSERT INTO {self.table()}(a, b) VALUES(?, ?)", [self.row() for _ in range(count)])

    def change_rows(self, share: int) -> None:
        self.db.run(f"UPDATE {self.table()} SET a=?, b=? WHERE id % ? = 0", (*self.row(), share))

    # Deeds. Each begins and ends outside a transaction.

    def insert(self, number: int) -> None:
        self.begin()
        self.add_rows(self.chance.randint(1, 5))
        self.commit()

    def bulk(self, number: int) -> None:
        self.begin()
        self.add_rows(self.chance.randint(1, self.habits.bulk_rows))
        self.commit()
        pages, size = self.db.run("PRAGMA page_count")[0][0], self.db.run("PRAGMA page_size")[0][0]
        if pages * size > MOST_BYTES:
            self.shrink()

    def shrink(self) -> None:
        self.begin()
        for table in ("t0", "t1", "t2"):
            self.db.run(f"DELETE FROM {table} WHERE id % 4 <> 0")
        self.commit()

    def update(self, number: int) -> None:
        self.begin()
        self.change_rows(self.chance.choice((1, 3, 10, 100)))
        self.commit()

    def delete(self, number: int) -> None:
        self.begin()
        which = (self.chance.choice((5, 20)), self.chance.randint(0, 4))
        self.db.run(f"DELETE FROM {self.table()} WHERE id % ? = ?", which)
        self.commit()

    def savepoints(self, number: int) -> None:
        """Work, undone work that may have spilled to the WAL, and work again over the same frames."""
        self.begin()
        self.add_rows(self.chance.randint(1, self.habits.bulk_rows // 5))
        for _ in range(self.chance.randint(1, 3)):
            self.db.run("SAVEPOINT inner")
            self.change_rows(self.chance.choice((1, 2)))
            self.add_rows(self.chance.randint(1, self.habits.bulk_rows // 5))
            if self.chance.random() < 0.7:
                self.db.run("ROLLBACK TO inner")
            self.db.run("RELEASE inner")
            self.change_rows(self.chance.choice((2, 5)))
        self.commit()

    def roll_back(self, number: int) -> None:
        """A transaction that leaves nothing but, if it spilled, frames beyond the end."""
        self.begin()
        self.change_rows(1)
        self.add_rows(self.chance.randint(1, self.habits.bulk_rows))
        self.db.run("ROLLBACK")

    def checkpoint(self, number: int) -> None:
        self.db.run(f"PRAGMA wal_checkpoint({self.chance.choice(('PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'))})")

    def vacuum(self, number: int) -> None:
        self.db.run("VACUUM")

    def incremental_vacuum(self, number: int) -> None:
        self.db.run(f"PRAGMA incremental_vacuum({self.chance.randint(1, 50)})")

    def schema(self, number: int) -> None:
        """Indexes and tables come and go."""
        self.begin()
        name = self.chance.randint(0, 3)
        self.db.run(
            self.chance.choice(
                (
                    f"CREATE INDEX IF NOT EXISTS i{name} ON {self.table()}(a)",
                    f"DROP INDEX IF EXISTS i{name}",
                    f"CREATE TABLE IF NOT EXISTS extra{name} AS SELECT * FROM {self.table()} LIMIT 50",
                    f"DROP TABLE IF EXISTS extra{name}",
                )
            )
        )
        self.commit()

    def reopen(self, number: int) -> None:
        self.close()
        self.open()

    def read_on(self, number: int) -> None:
        """A reader that stays on its snapshot for some deeds and keeps checkpoints from finishing."""
        if self.reader is None:
            self.reader = connect(self.habits.library, self.path)
            self.reader.run("BEGIN")
            self.reader.run("SELECT count(*) FROM t0")
            self.reader_until = number + self.chance.randint(1, 20)

    def settings(self, number: int) -> None:
        self.db.run(f"PRAGMA wal_autocheckpoint={self.chance.choice((0, 1, 50, 1000))}")
        self.db.run(f"PRAGMA cache_size={self.chance.choice((10, 500))}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("log")
    parser.add_argument("habits")
    parser.add_argument("--writer", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--transactions", type=int, help="stop after so many deeds (default: at SIGTERM)")
    parser.add_argument("--no-close", action="store_true")
    return parser.parse_args()


def run() -> None:
    given = arguments()
    stopping = False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    log = os.open(given.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    end = time.monotonic() + LIFETIME_S
    application = Application(given.database, log, given.writer, Habits.from_json(given.habits), given.seed)
    number = 0
    while not stopping and number != given.transactions and time.monotonic() < end:
        number += 1
        application.act(number)
    if given.no_close:
        os._exit(0)
    application.close()


if __name__ == "__main__":
    run()
