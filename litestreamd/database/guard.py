"""Two connections, hand over hand: the read transaction that keeps SQLite from dropping frames.

While a read transaction on a read mark above 0 is open, nobody can restart or truncate the WAL; on
mark 0 only frames that were all in the database file can go (wal.c: walRestartLog, walCheckpoint).
So frames are safe as long as one transaction, the guard, is open at every instant. `spare` is the other
connection: it becomes the next guard, runs checkpoints, and takes the write lock when one must finish.

In: the path of a database in WAL mode. Out: transactions and checkpoints. apsw alone opens the
database; nothing here ever writes a page.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from litestreamd.basics.errors import BusyError, DamagedData, EnvironmentFault, LitestreamdError, RightsError


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Run a block whose SQLite errors leave as errors of ours."""
    try:
        yield
    except apsw.Error as error:
        raise translated(error, path) from error


def translated(error: apsw.Error, path: Path) -> LitestreamdError:
    """An SQLite error as one sentence of ours."""
    text = f"SQLite cannot work with {path}: {error}"
    if isinstance(error, apsw.BusyError | apsw.LockedError):
        return BusyError(text)
    if isinstance(error, apsw.NotADBError | apsw.CorruptError):
        return DamagedData(text)
    if isinstance(error, apsw.PermissionsError | apsw.ReadOnlyError | apsw.AuthError):
        return RightsError(text)
    return EnvironmentFault(text)


def connect(path: Path, busy_timeout_s: float) -> apsw.Connection:
    """Open an existing database; never create one, never checkpoint by ourselves, neither on commit nor on close."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.setbusytimeout(round(busy_timeout_s * 1000))
    connection.wal_autocheckpoint(0)
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    return connection


def begin(connection: apsw.Connection) -> None:
    """Start a read transaction: BEGIN alone takes no lock, the first read does; user_version needs no schema."""
    cursor = connection.cursor()
    cursor.execute("BEGIN").fetchall()
    cursor.execute("PRAGMA user_version").fetchall()


def end(connection: apsw.Connection) -> None:
    """End whatever transaction is open."""
    if not connection.getautocommit():
        connection.cursor().execute("ROLLBACK").fetchall()


class Guard:
    """The pair. After `open` exactly one of them, the guard, always holds a read transaction."""

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._current: apsw.Connection | None = None
        self._spare: apsw.Connection | None = None

    def open(self) -> None:
        """Open the first connection and begin. Raises the translated SQLite error."""
        with sqlite_errors(self._path):
            self._current = connect(self._path, self._busy_timeout_s)
            begin(self._current)

    def close(self) -> None:
        """End and close both; the -wal stays as it is. Afterwards frames are on their own."""
        for connection in (self._spare, self._current):
            if connection is not None:
                connection.close(True)
        self._spare = self._current = None

    def rest(self) -> None:
        """Close the spare: an idle database needs the guard alone."""
        if self._spare is not None:
            self._spare.close(True)
            self._spare = None

    def begin_next(self) -> None:
        """Start the next guard while the present one is open; `swap` or `drop_next` must follow."""
        with sqlite_errors(self._path):
            begin(self.spare)

    def drop_next(self) -> None:
        """Give the next guard (or the write lock) up again."""
        with sqlite_errors(self._path):
            end(self.spare)

    def swap(self) -> None:
        """End the present guard; the next one takes its place."""
        assert self._current is not None
        with sqlite_errors(self._path):
            end(self._current)
        self._current, self._spare = self.spare, self._current

    def lock_writers_out(self, wait_s: float) -> bool:
        """Make the next guard hold the write lock too. False if it was not to be had within `wait_s` seconds."""
        with sqlite_errors(self._path):
            spare = self.spare
            spare.setbusytimeout(round(wait_s * 1000))
            try:
                spare.cursor().execute("BEGIN IMMEDIATE").fetchall()
            except apsw.BusyError:
                return False
            finally:
                spare.setbusytimeout(round(self._busy_timeout_s * 1000))
            return True

    def checkpoint(self) -> bool:
        """PASSIVE on the spare, which waits for nobody. False if another checkpoint is running."""
        return self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)

    def truncate(self) -> bool:
        """TRUNCATE on the spare without waiting. False when frames or readers are in its way; nothing is lost then."""
        self.spare.setbusytimeout(0)
        try:
            return self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            self.spare.setbusytimeout(round(self._busy_timeout_s * 1000))

    def touch(self) -> None:
        """Read once on the spare: SQLite then rebuilds an index that a dead writer left half updated."""
        with sqlite_errors(self._path):
            self.spare.cursor().execute("PRAGMA user_version").fetchall()

    def _checkpoint(self, mode: int) -> bool:
        with sqlite_errors(self._path):
            try:
                self.spare.wal_checkpoint(mode=mode)
            except (apsw.BusyError, apsw.LockedError):
                return False
            return True

    @property
    def spare(self) -> apsw.Connection:
        """The connection that is not the guard, opened when first needed.

        It reads once before any use: a checkpoint on a connection that never read is a silent no-op.
        """
        if self._spare is None:
            spare = connect(self._path, self._busy_timeout_s)
            spare.cursor().execute("PRAGMA user_version").fetchall()
            self._spare = spare
        return self._spare
