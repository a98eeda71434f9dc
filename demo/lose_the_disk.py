"""A busy database, a disk that is lost, and every acknowledged commit back: the commands as a user runs them.

In: nothing (`--seconds` sets how long the database is busy). Out: a short story with figures, and exit code 0 only if
the restored file is sound, holds every commit the application was promised, and equals the lost one byte for byte.
"""

import argparse
import hashlib
import shutil
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from busy_writer import content
from running import Failed, Running

COMMANDS = Path(sys.executable).parent
WRITER = Path(__file__).with_name("busy_writer.py")
WITHIN_S = 60
MIB = 2**20

Command = list[str | Path]


@dataclass(frozen=True, slots=True)
class Places:
    """Two "disks": the one that is lost holds the database, the other the replica."""

    lost: Path
    kept: Path

    @property
    def database(self) -> Path:
        """The application's database."""
        return self.lost / "app.db"

    @property
    def replica(self) -> Path:
        """Where litestreamd copies it to."""
        return self.kept / "replica"

    @property
    def log(self) -> Path:
        """One line for each commit that the application was promised."""
        return self.kept / "acknowledged"


def main() -> int:
    """Play the story in a temporary folder; out: the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="how long the database is busy (default: 8)")
    seconds: float = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="litestreamd-demo-") as folder:
        places = Places(Path(folder, "disk"), Path(folder, "other-disk"))
        places.lost.mkdir()
        places.kept.mkdir()
        try:
            live_and_die(places, seconds)
            lost = reference(places)
            shutil.rmtree(places.lost)
            tell(f"The disk is lost: {places.lost} is gone, with the database in it.")
            places.lost.mkdir()
            restore(places)
            prove(places, lost)
        except Failed as failure:
            print(f"\nFAILED: {failure}", file=sys.stderr)
            return 1
    print("\nNothing that was committed is missing.")
    return 0


def live_and_die(places: Places, seconds: float) -> None:
    """Application and litestreamd side by side; then the one is killed and the other told to stop."""
    command: Command = [COMMANDS / "litestreamd", "replicate", places.database, places.replica.as_uri()]
    with Running(*command) as replicator, Running(sys.executable, WRITER, places.database, places.log) as application:
        tell(f"An application commits to {places.database}, and beside it runs", shown(command))
        live(places, seconds, replicator, application)
        application.kill()
        tell(f"After {seconds:g} s it is killed (SIGKILL) with {len(promised(places)):,} commits acknowledged.")
        come_back(places)
        took = replicator.must_stop(WITHIN_S)
    files = on_replica(places)
    size = sum(path.stat().st_size for path in files)
    tell(
        f"litestreamd is told to stop (SIGTERM): last sync and exit in {took:.2f} s.",
        f"The replica now: {len(files)} files, {size / MIB:.1f} MiB.",
    )


def live(places: Places, seconds: float, *running: Running) -> None:
    """Let both run, until the time is over and the replica has begun."""
    began = time.monotonic()
    while (lived := time.monotonic() - began) < seconds or not on_replica(places):
        if lived > seconds + WITHIN_S:
            raise Failed(f"nothing is on the replica after {lived:.0f} s")
        for process in running:
            process.must_run()
        time.sleep(0.05)


def come_back(places: Places) -> None:
    """The application's next start: one more commit.

    It also settles the file: a commit that was cut off by SIGKILL between its last frame and its announcement in the
    -shm file is seen by nobody, and would come to life if nobody wrote over it.
    """
    with closing(sqlite3.connect(places.database, timeout=10, isolation_level=None)) as connection:
        number = connection.execute("SELECT ifnull(max(n), 0) + 1 FROM event").fetchone()[0]
        connection.execute("INSERT INTO event VALUES (?, ?)", (number, content(number)))
    with places.log.open("a") as log:
        log.write(f"{number}\n")


def reference(places: Places) -> str:
    """The digest of the database that is about to be lost: a copy of it, with its WAL checkpointed by SQLite."""
    copy = places.kept / "reference.db"
    shutil.copyfile(places.database, copy)
    wal = places.database.with_name("app.db-wal")
    if wal.exists():
        shutil.copyfile(wal, copy.with_name("reference.db-wal"))
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return digest(copy)


def restore(places: Places) -> None:
    """One command."""
    command: Command = [COMMANDS / "litestreamd-restore", "-o", places.database, places.replica.as_uri()]
    with Running(*command) as restorer:
        took = restorer.must_succeed(WITHIN_S)
    size = places.database.stat().st_size
    tell(f"One command brings back {size / MIB:.1f} MiB in {took:.2f} s:", shown(command))


def prove(places: Places, lost: str) -> None:
    """Bytes first, before SQLite opens the file; then its own check; then every promise, row by row."""
    if digest(places.database) != lost:
        raise Failed("the restored file is not, byte for byte, the one that was lost")
    tell("The restored file equals the lost one byte for byte (SHA-256).")
    with closing(sqlite3.connect(places.database)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check").fetchone()
        rows = dict(connection.execute("SELECT n, content FROM event"))
    if verdict != "ok":
        raise Failed(f"integrity_check: {verdict}")
    promises = promised(places)
    missing = [number for number in promises if rows.get(number) != content(number)]
    if missing or not promises:
        raise Failed(f"{len(missing)} of {len(promises)} acknowledged commits are missing: {missing[:5]}")
    tell(f"integrity_check: ok. Acknowledged commits found: {len(promises) - len(missing):,} of {len(promises):,}.")


def on_replica(places: Places) -> list[Path]:
    """The files of the replica."""
    return list(places.replica.rglob("*.ltx"))


def promised(places: Places) -> list[int]:
    """The commits that SQLite acknowledged to the application."""
    return [int(line) for line in places.log.read_text().splitlines()]


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def shown(command: Command) -> str:
    """A command line as a user would type it."""
    return " ".join(["$", Path(command[0]).name, *map(str, command[1:])])


def tell(event: str, *details: str) -> None:
    """One event of the story."""
    print("*", event)
    for detail in details:
        print("   ", detail, flush=True)


if __name__ == "__main__":
    sys.exit(main())
