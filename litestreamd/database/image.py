"""The database as one WAL-index header shows it: pages of the file, overlaid with newer ones of the WAL.

In: the live database's descriptors and a header that was read after a still open guard had begun.
Out: pages in order, exactly what an SQLite reader of that snapshot sees.
Promise: no torn page. Under the guard a checkpoint writes only pages that have a frame among those taken from
the WAL here, and with everything backfilled the WAL is not read at all (a guard on read mark 0 would allow
it to be restarted under us); see wal.c, walTryBeginRead and walCheckpoint.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, Self

from litestreamd.basics.checksum import lock_page, page_checksum
from litestreamd.basics.errors import EnvironmentFault
from litestreamd.basics.pulse import beat
from litestreamd.database.batches import newest_frames, read_batches, read_page
from litestreamd.plan.position import Frames, Position
from litestreamd.wal.checksum import stored
from litestreamd.wal.index import IndexHeader

PORTION = 1 << 20


class DatabaseFiles(Protocol):
    """What an image needs of an opened database (database/live, database/live_pages)."""

    @property
    def fd(self) -> int: ...
    @property
    def page_size(self) -> int: ...
    def size(self) -> int: ...
    def open_wal(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Changes:
    """What two snapshots differ by: pages with new frames (the newest of each), and any page beyond `low`, the smallest
    size in pages of the database meanwhile: it may have been cut off and come back without a frame."""

    newest: dict[int, int]
    low: int


class Image:
    """A readable snapshot. Close it when done; the guard must stay open until then."""

    def __init__(self, live: DatabaseFiles, header: IndexHeader) -> None:
        self.header = header
        self.page_size = header.page_size or live.page_size
        self.count = self._count(live, header)
        self._live = live
        self._wal_fd = -1
        self._overlay: dict[int, int] = {}
        self._overlay_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the -wal go."""
        if self._wal_fd >= 0:
            os.close(self._wal_fd)
            self._wal_fd = -1

    def page(self, pgno: int) -> bytes:
        """One page; bytes beyond the end of the file are zeros."""
        frame = self._overlay.get(pgno)
        if frame is not None:
            return read_page(self._wal_fd, self.page_size, frame)
        return os.pread(self._live.fd, self.page_size, (pgno - 1) * self.page_size).ljust(self.page_size, b"\0")

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """Every page in order but the lock page, the file read 1 MiB at a time."""
        together = PORTION // self.page_size
        for first in range(1, self.count + 1, together):
            yield from self.portion(first, min(together, self.count + 1 - first))

    def portion(self, first: int, count: int) -> Iterator[tuple[int, bytes]]:
        """Pages first..first+count-1 but the lock page, the file read at once."""
        beat()
        size, lock, overlay = self.page_size, lock_page(self.page_size), self._overlay
        read = os.pread(self._live.fd, count * size, (first - 1) * size).ljust(count * size, b"\0")
        for pgno in range(first, first + count):
            if pgno in overlay:
                yield pgno, read_page(self._wal_fd, size, overlay[pgno])
            elif pgno != lock:
                at = (pgno - first) * size
                yield pgno, read[at : at + size]

    def checksums(self) -> Iterator[tuple[int, int]]:
        """(page number, page checksum) in order; the lock page has 0. See basics.checksum.page_checksum."""
        lock, expected = lock_page(self.page_size), 1
        for pgno, page in self.pages():
            if pgno != expected:
                yield lock, 0
            expected = pgno + 1
            yield pgno, page_checksum(pgno, page)

    def changes(self, header: IndexHeader) -> Changes:
        """What a later snapshot differs by. `header` was read under this guard, or under the next one while this one
        stands. Raises EnvironmentFault when that snapshot cannot have followed on this one."""
        before = self.header
        low = min(self.count, self._count(self._live, header))
        first = before.max_frame + 1 if header.salts == before.salts else 1
        if header.salts != before.salts and before.backfilled < before.max_frame:
            raise EnvironmentFault("The WAL was restarted although our guard stood.")
        if header.max_frame < first - 1 or (header.max_frame and header.page_size != self.page_size):
            raise EnvironmentFault("The WAL does not go on from the snapshot that is being read.")
        if header.max_frame < first:
            return Changes({}, low)
        wal_fd = self._live.open_wal()
        try:
            frames = Frames(first, header.max_frame)
            batch = next(read_batches(wal_fd, self.page_size, header.salts, frames, low, 0), None)
        finally:
            os.close(wal_fd)
        if batch is None:
            raise EnvironmentFault("The WAL holds no commit where its index says so.")
        return Changes(batch.newest, batch.low)

    def move(self, header: IndexHeader, changes: Changes) -> None:
        """Show that later snapshot; `changes` are what it differs by."""
        before, self.header = self.header, header
        self.count = self._count(self._live, header)
        if header.salts != before.salts or header.backfilled < before.backfilled:
            self._overlay_all()  # also after a recovery of the index, which begins to count backfilled frames anew
            return
        if header.backfilled == header.max_frame:
            self._overlay = {}
            self.close()
            return
        done = header.backfilled
        if done > before.backfilled:
            self._overlay = {pgno: frame for pgno, frame in self._overlay.items() if frame > done}
        self._overlay.update((pgno, frame) for pgno, frame in changes.newest.items() if frame > done)
        if self._wal_fd < 0:
            self._wal_fd = self._live.open_wal()

    def _overlay_all(self) -> None:
        header = self.header
        self._overlay = {}
        self.close()
        if header.backfilled < header.max_frame:
            self._wal_fd = self._live.open_wal()
            frames = Frames(header.backfilled + 1, header.max_frame)
            self._overlay = newest_frames(self._wal_fd, self.page_size, frames)

    def _count(self, live: DatabaseFiles, header: IndexHeader) -> int:
        return header.page_count or live.size() // self.page_size


def position_at(image: Image, header: IndexHeader) -> Position:
    """The position of somebody who has the whole image."""
    return Position(
        salts=header.salts,
        frame=header.max_frame,
        checksum=stored(header.frame_checksum),
        change=header.change,
        page_size=image.page_size,
        commit=image.count,
    )
