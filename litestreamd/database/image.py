"""The database as one WAL-index header shows it: pages of the file, overlaid with newer ones of the WAL.

In: the live database's descriptors and a header that was read after a still open guard had begun.
Out: pages in order, exactly what an SQLite reader of that snapshot sees.
Promise: no torn page. Under the guard a checkpoint writes only pages that have a frame among those taken from
the WAL here, and with everything backfilled the WAL is not read at all (a guard on read mark 0 would allow
it to be restarted under us); see wal.c, walTryBeginRead and walCheckpoint.
"""

import os
from collections.abc import Iterator
from typing import Self

from litestreamd.basics.checksum import lock_page, page_checksum
from litestreamd.database.batches import newest_frames, read_page
from litestreamd.database.live import LiveDatabase
from litestreamd.plan.position import Frames, Position
from litestreamd.wal.checksum import stored
from litestreamd.wal.index import IndexHeader

PORTION = 1 << 20


class Image:
    """A readable snapshot. Close it when done; the guard must stay open until then."""

    def __init__(self, live: LiveDatabase, header: IndexHeader) -> None:
        self.page_size = header.page_size or live.page_size
        self.count = header.page_count or live.size() // self.page_size
        self._fd = live.fd
        self._wal_fd = -1
        self._overlay: dict[int, int] = {}
        if header.backfilled < header.max_frame:
            self._wal_fd = live.open_wal()
            self._overlay = newest_frames(self._wal_fd, self.page_size, Frames(header.backfilled + 1, header.max_frame))

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
        return os.pread(self._fd, self.page_size, (pgno - 1) * self.page_size).ljust(self.page_size, b"\0")

    def pages(self) -> Iterator[tuple[int, bytes]]:
        """Every page in order but the lock page, the file read 1 MiB at a time."""
        size, lock, overlay = self.page_size, lock_page(self.page_size), self._overlay
        together = PORTION // size
        for first in range(1, self.count + 1, together):
            count = min(together, self.count + 1 - first)
            portion = os.pread(self._fd, count * size, (first - 1) * size).ljust(count * size, b"\0")
            for pgno in range(first, first + count):
                if pgno in overlay:
                    yield pgno, read_page(self._wal_fd, size, overlay[pgno])
                elif pgno != lock:
                    at = (pgno - first) * size
                    yield pgno, portion[at : at + size]

    def checksums(self) -> Iterator[tuple[int, int]]:
        """(page number, page checksum) in order; the lock page has 0. See basics.checksum.page_checksum."""
        lock, expected = lock_page(self.page_size), 1
        for pgno, page in self.pages():
            if pgno != expected:
                yield lock, 0
            expected = pgno + 1
            yield pgno, page_checksum(pgno, page)


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
