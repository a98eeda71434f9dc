"""A live database as the capture engine meets it: the application is another process, the engine is in ours.

In: paths. Out: an `App` that obeys, an `Engine` (live database, state, capture, keeper, as a replication joins them),
a `Follower` that holds what the spool says the database is.
Promised: nothing here opens the database or its -shm in the test's own process but the engine itself: closing any
descriptor of these files would drop the engine's POSIX locks.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from litestreamd.basics.checksum import lock_page, page_checksum, rolling
from litestreamd.database.capture import Capture, Taken
from litestreamd.database.captured import CapturedState
from litestreamd.database.keeper import Keeper
from litestreamd.database.live import LiveDatabase
from litestreamd.wal.index import IndexHeader
from tests.support import images
from tests.support.ltx_reading import decode
from tests.support.programs import environment

STOCK, NEW = "sqlite3", "apsw"
APPLICATION = Path(__file__).with_name("application.py")


class SqlError(Exception):
    """What SQLite told the application."""


class App:
    """One connection of an application. `busy_ms` is its busy timeout; it never checkpoints by itself unless told."""

    def __init__(self, path: Path, library: str = STOCK, busy_ms: int = 0, autocheckpoint: int = 0) -> None:
        self.path = path
        command = [sys.executable, str(APPLICATION), library, str(path)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment()
        )
        self.run(f"PRAGMA busy_timeout={busy_ms}")
        self.run(f"PRAGMA wal_autocheckpoint={autocheckpoint}")

    def run(self, sql: str, *values: object) -> list[list[Any]]:
        """One statement; out: its rows. Raises SqlError."""
        self.start(sql, *values)
        return self.answer()

    def start(self, sql: str, *values: object) -> None:
        """Send a statement and do not wait; `answer` has to follow."""
        self._send({"sql": sql, "values": values})

    def answer(self) -> list[list[Any]]:
        assert self.process.stdout is not None
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise SqlError(answer["error"])
        rows: list[list[Any]] = answer["rows"]
        return rows

    def write(self, *sql: str) -> None:
        """All statements in one transaction."""
        for statement in ("BEGIN IMMEDIATE", *sql, "COMMIT"):
            self.run(statement)

    def fill(self, rows: int, size: int = 400) -> None:
        """One transaction with so many rows of random bytes in table t (made when missing)."""
        self.write("CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, b BLOB)", insert(rows, size))

    def checkpoint(self, mode: str) -> list[int]:
        """(busy, frames in the WAL, frames backfilled)."""
        return self.run(f"PRAGMA wal_checkpoint({mode})")[0]

    def image(self) -> bytes:
        """Every page as a reader sees it now, through this application's own connection."""
        to = self.path.with_name(f"image-{self.process.pid}")
        self._send({"image": str(to)})
        self.answer()
        found = to.read_bytes()
        to.unlink()
        return found

    def restore(self, other: Path) -> None:
        """Copy another database over this one with the backup API (stock library only)."""
        self._send({"restore": str(other)})
        self.answer()

    def close(self) -> None:
        """Close the connection as a well-behaved application does, and leave."""
        self._send({"close": True})
        self.answer()
        self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def _send(self, command: dict[str, object]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.kill()


def resize(path: Path, page_size: int) -> None:
    """What an administrator does while nobody else has the database open."""
    with App(path) as app:
        app.run("PRAGMA journal_mode=DELETE")
        app.run(f"PRAGMA page_size={page_size}")
        app.run("VACUUM")
        app.run("PRAGMA journal_mode=WAL")
        app.close()


def insert(rows: int, size: int = 400) -> str:
    """SQL that adds rows of random bytes to table t."""
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
    return f"{numbers} INSERT INTO t(b) SELECT randomblob({size}) FROM n"


def create(path: Path, page_size: int = 4096, auto_vacuum: str = "NONE", rows: int = 20) -> None:
    """A database in WAL mode with table t, checkpointed and closed."""
    with App(path) as app:
        for pragma in (f"page_size={page_size}", f"auto_vacuum={auto_vacuum}", "journal_mode=WAL"):
            app.run(f"PRAGMA {pragma}")
        app.fill(rows)
        app.close()


def bytes_of(path: Path) -> bytes:
    """A file of a database that the engine has open, read by another process."""
    return subprocess.run(["cat", str(path)], stdout=subprocess.PIPE, check=True).stdout


def break_chain(app: App) -> None:
    """Commits in table t after which SQLite before 3.50.4 leaves frames without salts and checksums in the WAL.

    Within a savepoint frames that spilled are rewritten in place, far behind its begin; after ROLLBACK TO the commit
    ends before them, and the checksums that were put off are never written. One more commit follows.
    """
    app.run("PRAGMA cache_size=10")
    app.write(
        insert(200),
        "SAVEPOINT s",
        insert(300),
        *["UPDATE t SET b = randomblob(400) WHERE id > (SELECT max(id) - 150 FROM t)"] * 2,
        "ROLLBACK TO s",
        insert(3),
    )
    app.run("PRAGMA cache_size=2000")
    app.write(insert(1))


HOLD = """
import fcntl, sys
path, start, length = sys.argv[1:]
with open(path, "r+b") as file:
    fcntl.lockf(file, fcntl.LOCK_EX, int(length), int(start))
    print(flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_lock(path: Path, start: int, length: int = 1) -> Iterator[None]:
    """Another process holds a POSIX lock on these bytes while the block runs."""
    command = [sys.executable, "-c", HOLD, str(path), str(start), str(length)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        yield
        process.stdin.close()


SCRIBBLE = "import sys; f = open(sys.argv[1], 'r+b'); f.seek(int(sys.argv[2])); f.write(bytes.fromhex(sys.argv[3]))"


def scribble(path: Path, offset: int, data: bytes) -> None:
    """Write into a file of an open database from another process: ours would lose its locks on closing it."""
    subprocess.run([sys.executable, "-c", SCRIBBLE, str(path), str(offset), data.hex()], check=True)


class Follower:
    """The database as an image and the LTX files after it make it, page by page; every file's proof is checked."""

    def __init__(self, image: bytes, page_size: int, txid: int) -> None:
        self.image, self.page_size, self.txid = bytearray(image), page_size, txid

    @property
    def checksum(self) -> int:
        """The rolling checksum, computed from all pages."""
        size, lock = self.page_size, lock_page(self.page_size)
        count = len(self.image) // size
        return rolling(
            page_checksum(pgno, bytes(self.image[(pgno - 1) * size : pgno * size]))
            for pgno in range(1, count + 1)
            if pgno != lock
        )

    def apply(self, data: bytes, last: int | None = None) -> None:
        """One LTX file: the next TXID, or all up to `last`."""
        file, size = decode(data), self.page_size
        header = file.header
        wanted_txids = self.txid + 1, last or self.txid + 1
        assert (header.page_size, header.min_txid, header.max_txid) == (size, *wanted_txids)
        assert header.proof is not None
        assert header.proof.before == self.checksum
        wanted = header.commit * size
        del self.image[wanted:]
        self.image.extend(bytes(wanted - len(self.image)))
        for pgno, page in file.pages:
            self.image[(pgno - 1) * size : pgno * size] = page
        self.txid = header.max_txid
        assert header.proof.after == self.checksum


class Engine:
    """What a replication does with a database, without replicas, pace and time."""

    def __init__(self, path: Path, max_wal_bytes: int = 0) -> None:
        self.path = path
        self.folder = path.with_name(path.name + "-state")
        self.live = LiveDatabase(path, 1.0)
        self.state = CapturedState(self.folder, node_id=7)
        self.capture = Capture(self.live, self.state, max_wal_bytes)
        self.now_ms = 1_700_000_000_000
        self.how: str | None = None
        self.keeper: Keeper

    def open(self) -> Self:
        """Open; then start at TXID 1, or go on. `how`: None if it goes on in the WAL, else why it compares."""
        self.live.open(switch_to_wal=True)
        self.state.open()
        self.how = self.capture.inspect(self.header)
        self.keeper = Keeper(self.live, self.capture)
        if self.state.head is None:
            self.capture.start(1, self.tick(), self.header)
        return self

    def close(self) -> None:
        self.state.rest()
        self.live.close()

    def tick(self) -> int:
        self.now_ms += 1000
        return self.now_ms

    @property
    def header(self) -> IndexHeader:
        return self.live.header()

    def take(self) -> list[Taken]:
        return self.capture.take(self.header, self.tick())

    def refresh(self) -> list[Taken]:
        return self.keeper.refresh(self.tick())

    def ltx(self, txid: int) -> bytes:
        entry = self.state.spool.get(txid)
        assert entry is not None
        return b"".join(self.state.spool.ltx(entry))

    def follower(self, app: App) -> Follower:
        """One that starts with what the application sees now; the engine must have captured all of it."""
        assert self.take() == []
        return Follower(app.image(), self.live.page_size, self.capture.head.txid)

    def assert_followed(self, follower: Follower, app: App) -> list[Taken]:
        """Take what there is; the follower then holds, byte for byte, what the application sees. Out: what was new."""
        taken = self.take()
        self.bring(follower)
        difference = images.first_difference(bytes(follower.image), app.image(), follower.page_size)
        assert not difference, difference
        assert self.capture.head.checksum == follower.checksum
        return taken

    def bring(self, follower: Follower) -> None:
        """Every spool entry that the follower lacks."""
        for entry in self.state.spool.entries(after=follower.txid):
            follower.apply(self.ltx(entry.txid))

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()
