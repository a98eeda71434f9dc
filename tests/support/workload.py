"""Writers as child processes, the database they start from, and what they were promised.

In: a path, habits, seeds. Out: handles to stop or kill them; the commits that were acknowledged.
Promised: no child outlives `Writers.__exit__`; a writer that fails for any reason but contention is an error.
"""

import os
import signal
import sqlite3
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path

from tests.support.habits import Habits
from tests.support.programs import environment
from tests.support.waiting import until

WRITER = Path(__file__).with_name("writer.py")
TABLES = frozenset({"acks", "t0", "t1", "t2"})
AUTO_VACUUM = ("NONE", "FULL", "INCREMENTAL")


def create_database(path: Path, page_size: int = 4096, auto_vacuum: int = 0, *, wal: bool = True) -> None:
    """An empty application database in WAL mode (or not) with the tables that writers use."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=30)) as db:
        db.execute(f"PRAGMA page_size={page_size}")
        db.execute(f"PRAGMA auto_vacuum={AUTO_VACUUM[auto_vacuum]}")
        if wal:
            db.execute("PRAGMA journal_mode=WAL")
        db.execute("BEGIN")
        db.execute("CREATE TABLE acks(writer INTEGER, number INTEGER, PRIMARY KEY(writer, number)) WITHOUT ROWID")
        for number in range(3):
            db.execute(f"CREATE TABLE t{number}(id INTEGER PRIMARY KEY, a TEXT, b BLOB)")
        db.execute("COMMIT")


def is_ours(name: str) -> bool:
    """Whether a name in a schema was made by these writers."""
    return name in TABLES or name.startswith(("i", "extra"))


def command(path: Path, log: Path, habits: Habits, *more: str) -> list[str]:
    return [sys.executable, str(WRITER), str(path), str(log), habits.to_json(), *more]


def write(
    path: Path, log: Path, habits: Habits, seed: int, transactions: int, *, writer: int = 0, close: bool = True
) -> None:
    """A fixed number of deeds of one writer, all the same for the same seed; returns when it has exited."""
    more = ["--seed", str(seed), "--writer", str(writer), "--transactions", str(transactions)]
    more += [] if close else ["--no-close"]
    line = command(path, log, habits, *more)
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, env=environment(), check=False)
    assert done.returncode == 0, done.stderr


def acknowledged(log: Path) -> dict[int, set[int]]:
    """Per writer the numbers of the commits it was told of; a torn last line was not told."""
    told: dict[int, set[int]] = defaultdict(set)
    text = log.read_text() if log.exists() else ""
    for line in text[: text.rfind("\n") + 1].splitlines():
        writer, number = line.split()
        told[int(writer)].add(int(number))
    return told


class Writer:
    """One running application."""

    def __init__(self, path: Path, log: Path, habits: Habits, number: int, seed: int) -> None:
        self.habits, self.number = habits, number
        self._errors = log.with_name(f"writer-{number}.err")
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                command(path, log, habits, "--seed", str(seed), "--writer", str(number)),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env=environment(),
            )

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(30)

    def ask_to_stop(self) -> None:
        if self.running:
            os.kill(self._process.pid, signal.SIGTERM)

    def wait(self) -> None:
        until(lambda: not self.running, f"the end of writer {self.number}", 60)

    @property
    def complaint(self) -> str:
        """What it died of, unless it was stopped or killed by us."""
        code = self._process.returncode
        expected = (None, 0, -signal.SIGKILL, -signal.SIGTERM)
        return "" if code in expected else self._errors.read_text(errors="replace")


class Writers:
    """All applications of one database; each start gets a new number, so that numbers of commits stay unique."""

    def __init__(self, path: Path, log: Path, seed: int) -> None:
        self.path, self.log, self.seed = path, log, seed
        self.living: list[Writer] = []
        self.complaints: list[str] = []
        self._started = 0

    def start(self, habits: Habits) -> Writer:
        self._started += 1
        writer = Writer(self.path, self.log, habits, self._started, self.seed * 1000 + self._started)
        self.living.append(writer)
        return writer

    def kill(self, writer: Writer) -> None:
        writer.kill()
        self._bury(writer)

    def stop(self) -> None:
        """Let all finish their deed at hand."""
        for writer in self.living:
            writer.ask_to_stop()
        for writer in tuple(self.living):
            writer.wait()
            self._bury(writer)

    def _bury(self, writer: Writer) -> None:
        self.living.remove(writer)
        if writer.complaint:
            self.complaints.append(writer.complaint)

    def wait_acknowledged(self, count: int, deadline_s: float = 30) -> None:
        """Until so many commits in all were acknowledged."""
        until(lambda: self.log.exists() and self.log.read_bytes().count(b"\n") >= count, f"{count} commits", deadline_s)

    def __enter__(self) -> "Writers":
        return self

    def __exit__(self, *_: object) -> None:
        for writer in tuple(self.living):
            self.kill(writer)
