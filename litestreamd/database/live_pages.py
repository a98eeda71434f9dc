"""The live database as a visitor reads it, in another process than the one that replicates it.

In: a path. Out: snapshots, each the Image of what is committed at that moment, under a read transaction of its own that
ends with it: between two snapshots the application's WAL can be reset.
Promised: nothing is written. SQLite opens the file read-only, and only where -wal and -shm are there already, so that
neither is made with a wrong owner; where they are not, nobody has the database open in WAL mode, and the file is all of
it. Nothing is checkpointed when the visit ends.
A process that holds the database otherwise must not visit it: the descriptors closed here would drop its POSIX locks.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import apsw

from litestreamd.basics.errors import DamagedData, EnvironmentFault
from litestreamd.database.guard import begin, end, sqlite_errors
from litestreamd.database.image import Image
from litestreamd.database.live import HEADER_DEADLINE_S, MAGIC, Absent, open_read_only
from litestreamd.wal.index import COPY_SIZE, INDEX_HEADER_SIZE, UNUSED_MARK, IndexHeader, Unreadable, parse_index

_NO_WAL = IndexHeader(0, False, 0, 0, 0, (0, 0), bytes(8), 0, (0, *[UNUSED_MARK] * 4))
"""What an index over no WAL would say."""


class NotReadable(EnvironmentFault):
    """The database is there, and cannot be read without changing something. The text says why."""


class Replaced(EnvironmentFault):
    """Another file has the name of the database now."""


class LivePages:
    """One visit. Nothing is opened before `open`. `page_size`, `fd`, `size` and `open_wal` are for an Image."""

    def __init__(self, path: Path, busy_timeout_s: float = 5.0) -> None:
        self.path = path
        self.page_size = 0
        self.fd = -1
        self._real = os.path.realpath(path)
        self._busy_timeout_s = busy_timeout_s
        self._connection: apsw.Connection | None = None
        self._shm_fd = -1

    def open(self) -> Self:
        """Raises Absent, NotReadable, DamagedData (not SQLite's), RightsError, BusyError, EnvironmentFault."""
        self.fd = open_read_only(self.path)
        try:
            self.page_size = self._look_at_header()
            if self._has_index():
                self._shm_fd = open_read_only(Path(self._real + "-shm"))
                with sqlite_errors(self.path):
                    self._connection = _connect(self._real, self._busy_timeout_s)
        except BaseException:
            self.close()
            raise
        return self

    def close(self) -> None:
        """End the visit; descriptors after the connection whose locks they would drop."""
        if self._connection is not None:
            self._connection.close(True)
            self._connection = None
        for fd in (self._shm_fd, self.fd):
            if fd >= 0:
                os.close(fd)
        self.fd = self._shm_fd = -1

    @contextmanager
    def snapshot(self) -> Iterator[Image]:
        """What is committed now. Raises Replaced, BusyError, EnvironmentFault."""
        self._refuse_replaced()
        connection = self._connection
        if connection is None:
            if self._has_index():
                raise NotReadable(f"{self.path} was opened by an application while it was read")
            with Image(self, _NO_WAL) as image:
                yield image
            return
        try:
            header = self._begin(connection)
            with Image(self, header) as image:
                yield image
        finally:
            with sqlite_errors(self.path):
                end(connection)

    def open_wal(self) -> int:
        """A descriptor of the -wal; the caller closes it (SQLite takes no locks on this file)."""
        return open_read_only(Path(self._real + "-wal"))

    def size(self) -> int:
        """Bytes of the database file."""
        return os.fstat(self.fd).st_size

    def _begin(self, connection: apsw.Connection) -> IndexHeader:
        """Start a transaction, then read the header. One that a dead writer left half updated is rebuilt by SQLite at
        the next beginning."""
        deadline = time.monotonic() + HEADER_DEADLINE_S
        while True:
            with sqlite_errors(self.path):
                begin(connection)
            found = self._read_header()
            if isinstance(found, IndexHeader):
                return found
            with sqlite_errors(self.path):
                end(connection)
            if time.monotonic() > deadline:
                raise EnvironmentFault(f"The WAL index of {self.path} cannot be read: {found.value}.")
            time.sleep(0.0005)

    def _read_header(self) -> IndexHeader | Unreadable:
        return parse_index(
            os.pread(self._shm_fd, COPY_SIZE, 0),
            os.pread(self._shm_fd, INDEX_HEADER_SIZE, 0),
            os.pread(self._shm_fd, COPY_SIZE, 0),
        )

    def _look_at_header(self) -> int:
        """The page size. Raises what `open` does for a file that cannot be read page by page."""
        head = os.pread(self.fd, 100, 0)
        if not head:
            raise Absent(f"{self.path} is empty")
        if len(head) < 100 or head[:16] != MAGIC:
            raise DamagedData(f"{self.path} is not an SQLite database (or is encrypted)")
        if head[18:20] != b"\2\2":
            raise NotReadable(f"{self.path} is in rollback-journal mode: nothing replicates it like that")
        size = int.from_bytes(head[16:18], "big")
        return 65536 if size == 1 else size

    def _has_index(self) -> bool:
        """Whether the WAL has an index. A WAL with frames and no index would have to be recovered first, which makes
        files."""
        if os.path.exists(self._real + "-shm") and os.path.exists(self._real + "-wal"):
            return True
        if os.path.exists(self._real + "-wal") and os.path.getsize(self._real + "-wal"):
            raise NotReadable(f"{self.path}-wal holds commits that no application has taken up yet")
        return False

    def _refuse_replaced(self) -> None:
        try:
            named, held = os.stat(self.path), os.fstat(self.fd)
        except FileNotFoundError:
            raise Absent(f"{self.path} is gone") from None
        if (named.st_dev, named.st_ino) != (held.st_dev, held.st_ino):
            raise Replaced(f"{self.path} was replaced by another file")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _connect(path: str, busy_timeout_s: float) -> apsw.Connection:
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
    connection.setbusytimeout(round(busy_timeout_s * 1000))
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    return connection
