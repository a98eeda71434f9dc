"""Which pages of the live database are not what a restored copy of it holds.

In: a visit to the live database, the restored file. Out: the pages that differ, one of the two lacking a page included.
Promised: no read transaction lasts much longer than SLICE_S (or twice what it takes to begin one), and between two
there is a pause, so that an application's checkpoints get their turn; each page was compared as it was committed at
some moment between call and return.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self

from litestreamd.basics.checksum import lock_page
from litestreamd.database.draft import told
from litestreamd.database.image import PORTION, Image
from litestreamd.database.live_pages import LivePages
from litestreamd.database.page_set import PageSet

SLICE_S = 0.05
"""A reader on read mark 0 makes every checkpoint fail meanwhile, and on another one keeps the WAL from its restart."""
PAUSE_S = 0.01


class RestoredPages:
    """A database file that is ours alone, as pages; it can be brought forward."""

    def __init__(self, path: Path, page_size: int) -> None:
        self.page_size = page_size
        self._path = path
        with told(path):
            self._fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            self.count = os.fstat(self._fd).st_size // page_size

    def portion(self, first: int, count: int) -> memoryview:
        """Pages first..first+count-1, as far as there are any."""
        return memoryview(os.pread(self._fd, count * self.page_size, (first - 1) * self.page_size))

    def write(self, pages: Iterable[tuple[int, bytes]]) -> None:
        """Put pages in their places. Raises EnvironmentFault."""
        with told(self._path):
            for pgno, page in pages:
                os.pwrite(self._fd, page, (pgno - 1) * self.page_size)

    def resize(self, count: int) -> None:
        """So many pages from now on."""
        with told(self._path):
            os.ftruncate(self._fd, count * self.page_size)
        self.count = count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def differences(
    live: LivePages,
    restored: RestoredPages,
    wanted: PageSet | None = None,
    told: Callable[[int, int], object] | None = None,
) -> PageSet:
    """Compare all pages, or only those `wanted`. Both have the same page size. `told`: bytes that were compared, and in
    all. Raises what a snapshot raises."""
    found, first, together = PageSet(), 1, PORTION // restored.page_size
    while True:
        began = time.monotonic()
        with live.snapshot() as image:
            last, now = max(image.count, restored.count), time.monotonic()
            # Where the WAL is long, beginning takes long.
            end = now + max(SLICE_S, now - began)
            while first <= last and now < end:
                if wanted is None or wanted.any(first, together):
                    for pgno in _unlike(image, restored, first, together):
                        if wanted is None or pgno in wanted:
                            found.add(pgno)
                first, now = first + together, time.monotonic()
        if told is not None:
            told(min(first - 1, last) * restored.page_size, last * restored.page_size)
        if first > last:
            return found
        time.sleep(PAUSE_S)


def _unlike(image: Image, restored: RestoredPages, first: int, together: int) -> Iterator[int]:
    """The pages of a portion that are not alike."""
    theirs, size = restored.portion(first, together), restored.page_size
    here = max(0, min(together, image.count + 1 - first))
    for pgno, page in image.portion(first, here):
        at = (pgno - first) * size
        if theirs[at : at + size] != page:
            yield pgno
    lock = lock_page(size)
    for pgno in range(first + here, min(first + together, restored.count + 1)):
        if pgno != lock:
            yield pgno
