"""The live database as we hold it: descriptors, guard, shm header.

In: a path. Out: stable WAL-index headers, bytes of the database file and of the -wal, and answers on
whether the files are still the ones we opened.
Promise: one descriptor each for the database and the -shm, opened once, only ever read with pread, and
closed after the last SQLite connection: closing any descriptor of these files drops the POSIX locks of
the whole process ("How To Corrupt An SQLite Database File", section 2.2).
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from litestreamd.basics.errors import BusyError, DamagedData, EnvironmentFault, RightsError
from litestreamd.database import locks
from litestreamd.database.followers import Followers
from litestreamd.database.guard import Guard, connect, sqlite_errors
from litestreamd.wal.index import COPY_SIZE, INDEX_HEADER_SIZE, IndexHeader, Unreadable, parse_index

MAGIC = b"SQLite format 3\0"
HEADER_PATIENCE_S = 0.01
HEADER_DEADLINE_S = 2.0


@dataclass(frozen=True, slots=True)
class FileHeader:
    """Bytes 0..99 of the database file that matter here (SQLite file format, section 1.3)."""

    page_size: int
    wal_mode: bool


class Absent(EnvironmentFault):
    """There is no database yet: no file, or an empty one. Not a fault: we wait for it."""


class AlreadyReplicated(BusyError):
    """Another daemon has this database."""


class LiveDatabase:
    """One opened database. No I/O before `open`; after `close` it can be opened again. `followers` read under its guard
    for long: whoever moves the guard tells them."""

    def __init__(self, path: Path, busy_timeout_s: float) -> None:
        self.path = path
        self.wal_path, self.shm_path = _sidecars(path)
        self.guard = Guard(path, busy_timeout_s)
        self.followers = Followers()
        self.page_size = 0
        self.fd = -1
        self._shm_fd = -1
        self._wal_inode = (0, 0)
        self._auditable = False

    def open(self, switch_to_wal: bool) -> bool:
        """Claim the database, guard it and open its files. Out: True if it had to be switched to WAL mode.

        Raises Absent, BusyError (another daemon, named by pid; a rollback-journal database in use), RightsError,
        DamagedData (not an SQLite database), EnvironmentFault.
        """
        self.fd = open_read_only(self.path)
        # A symbolic link in the path may lead elsewhere by now.
        self.wal_path, self.shm_path = _sidecars(self.path)
        try:
            self._claim()
            header = self._file_header()
            switched = not header.wal_mode
            if switched:
                self._switch_to_wal(switch_to_wal)
            self.guard.open()
            self._shm_fd = open_read_only(self.shm_path)
            self._wal_inode = _inode_at(self.wal_path)
            self.page_size = header.page_size
            self.header()
            self._auditable = self._audit_works()
        except BaseException:
            self.close()
            raise
        return switched

    @property
    def is_open(self) -> bool:
        """Whether it is guarded."""
        return self._shm_fd >= 0

    def close(self) -> None:
        """End the guard, then close the descriptors. Nothing is checkpointed: the next start goes on from here."""
        self.followers.close()
        self.guard.close()
        for fd in (self._shm_fd, self.fd):
            if fd >= 0:
                os.close(fd)
        self.fd = self._shm_fd = -1

    def header(self) -> IndexHeader:
        """A stable WAL-index header. If a writer died while updating it, a read of ours makes SQLite rebuild it."""
        start = time.monotonic()
        while True:
            found = self._read_header()
            if isinstance(found, IndexHeader):
                return found
            waited = time.monotonic() - start
            if waited > HEADER_DEADLINE_S or found in (Unreadable.BAD_VERSION, Unreadable.BAD_PAGE_SIZE):
                raise EnvironmentFault(f"The WAL index {self.shm_path} cannot be read: {found.value}.")
            if waited > HEADER_PATIENCE_S:
                self.guard.touch()
            # A writer holds the header in two halves for well under a microsecond; one that died stays that way.
            time.sleep(0.0005)

    def open_wal(self) -> int:
        """A descriptor of the -wal for one piece of work; the caller closes it (SQLite takes no locks on this file)."""
        return open_read_only(self.wal_path)

    def same_files(self) -> bool:
        """Whether the three paths still lead to the files that we (and our connections) hold. SQLite deletes none of
        them while we are there. Raises EnvironmentFault when that cannot be seen."""
        held = [(found.st_dev, found.st_ino) for found in map(os.fstat, (self.fd, self._shm_fd))]
        try:
            named = [_inode_at(path) for path in (self.path, self.shm_path, self.wal_path)]
        except Absent:
            return False
        return named == [*held, self._wal_inode]

    def locks_held(self) -> bool:
        """The lock audit: whether our guard's locks are really in the kernel's table."""
        return not self._auditable or locks.guard_is_held(self.fd, self._shm_fd)

    def checkpointer_waits(self) -> bool:
        """Whether another process waits for readers in a FULL, RESTART or TRUNCATE checkpoint."""
        return locks.foreign_checkpointer(self._shm_fd) is not None

    def used_by_others(self) -> bool:
        """Whether another process has the database open."""
        return locks.used_by_others(self.fd)

    def sync_file(self) -> None:
        """fsync the database file, so that a later checkpoint under the write lock has nothing left to flush."""
        os.fsync(self.fd)

    def size(self) -> int:
        """Bytes of the database file."""
        return os.fstat(self.fd).st_size

    def wal_size(self) -> int:
        """Bytes of the -wal, which may be more than its valid frames; 0 when it cannot be found."""
        try:
            return self.wal_path.stat().st_size
        except OSError:
            return 0

    def free_bytes(self) -> int:
        """Room on the disk that the -wal grows on."""
        found = os.fstatvfs(self.fd)
        return found.f_bavail * found.f_frsize

    def _read_header(self) -> IndexHeader | Unreadable:
        return parse_index(
            os.pread(self._shm_fd, COPY_SIZE, 0),
            os.pread(self._shm_fd, INDEX_HEADER_SIZE, 0),
            os.pread(self._shm_fd, COPY_SIZE, 0),
        )

    def _audit_works(self) -> bool:
        """Whether the audit finds locks that were taken this moment: btrfs and overlayfs show other device numbers in
        /proc/locks than in stat, and some containers hide the table."""
        try:
            return locks.guard_is_held(self.fd, self._shm_fd)
        except OSError:
            return False

    def _claim(self) -> None:
        holder = locks.claim(self.fd)
        if holder is not None:
            who = f"process {holder}" if holder else "another process"
            raise AlreadyReplicated(f"{self.path} is already replicated by {who}: one daemon per database.")

    def _file_header(self) -> FileHeader:
        try:
            head = os.pread(self.fd, 100, 0)
        except OSError as error:  # a folder, a bad disk
            raise EnvironmentFault(f"{self.path} cannot be read: {error.strerror}.") from error
        if not head:
            raise Absent(f"{self.path} is empty: waiting for the application to create the database.")
        if len(head) < 100 or head[:16] != MAGIC:
            raise DamagedData(f"{self.path} is not an SQLite database (or is encrypted): nothing was read or changed.")
        size = int.from_bytes(head[16:18], "big")
        return FileHeader(65536 if size == 1 else size, head[18] == 2 and head[19] == 2)

    def _switch_to_wal(self, allowed: bool) -> None:
        """The one write we ever make, and only while nobody else has the file open."""
        if not allowed:
            raise EnvironmentFault(
                f"{self.path} is not in WAL mode and journal-mode is `require`:"
                " run `PRAGMA journal_mode=WAL` on it once."
            )
        pids = locks.openers(self.path)
        if pids:
            raise BusyError(
                f"{self.path} is in rollback-journal mode and open in process {pids[0]}: stop that process once, or run"
                " `PRAGMA journal_mode=WAL` in it."
            )
        with sqlite_errors(self.path):
            connection = connect(self.path, 0)
            try:
                mode = connection.cursor().execute("PRAGMA journal_mode=WAL").fetchall()[0][0]
            finally:
                connection.close(True)
        if mode != "wal":
            raise EnvironmentFault(f"{self.path} cannot be switched to WAL mode (it stays in mode {mode}).")


def _sidecars(path: Path) -> tuple[Path, Path]:
    """The -wal and the -shm: SQLite has them beside the file itself, wherever a symbolic link to it may be."""
    real = os.path.realpath(path)
    return Path(real + "-wal"), Path(real + "-shm")


def _inode_at(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise Absent(f"{path} does not exist: waiting for the application to create the database.") from None
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be looked at: {error.strerror}.") from error
    return found.st_dev, found.st_ino


def open_read_only(path: Path) -> int:
    """A descriptor for reading. Raises Absent, RightsError, EnvironmentFault."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise Absent(f"{path} does not exist: waiting for the application to create the database.") from None
    except PermissionError as error:
        raise RightsError(f"{path} may not be read by this user: {error.strerror}.") from None
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be opened: {error.strerror}.") from error
