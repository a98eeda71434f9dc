"""One state of the database, read from its first page to its last for as long as that takes, while the guard moves on.

In: a header that was read under the guard; the headers of later guards. Out: the pages of the first one, in order.
Promise: no guard is held for it and no checkpoint waits for it. Before a guard ends, the pages that were not read yet
and that the next snapshot shows otherwise are kept aside; all others are the same there, and readable without tearing
under the next guard (docs/adr/0017). When they cannot be kept the image ends, never the capture.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

from litestreamd.basics.checksum import lock_page
from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import EnvironmentFault, LitestreamdError
from litestreamd.database.image import PORTION, Changes, Image
from litestreamd.database.kept_pages import KeptPages
from litestreamd.database.live import LiveDatabase
from litestreamd.database.page_set import PageSet
from litestreamd.wal.index import IndexHeader

LET_GO = "The database was let go while its image was on its way: the image begins again."


class MovingImage:
    """`count` and `page_size` are those of the first header; `room`: how many bytes of old pages may still be kept in
    `folder`; `only`: the pages that are wanted, None for all. Read by one thread, moved and closed by any."""

    def __init__(
        self,
        live: LiveDatabase,
        header: IndexHeader,
        folder: Path,
        room: Callable[[], int],
        only: PageSet | None = None,
    ) -> None:
        self._view = Image(live, header)
        self.page_size, self.count = self._view.page_size, self._view.count
        self._followers = live.followers
        self._kept = KeptPages(folder, self.page_size, room)
        self._only = only
        self._next = 1
        self._settled_beyond = self.count
        self._turn = threading.Lock()
        self._ended: str | None = None
        self._followers.add(self)

    def read(self) -> list[tuple[int, bytes]]:
        """The next pages, at most 1 MiB; none at the end. Raises EnvironmentFault when the image had to be given up."""
        with self._turn:
            found: list[tuple[int, bytes]] = []
            while not found and self._next <= self.count:
                if self._ended is not None:
                    raise EnvironmentFault(self._ended)
                count = min(max(1, PORTION // self.page_size), self.count + 1 - self._next)
                found = self._portion(self._next, count)
                self._next += count
                if self._next > self.count:
                    self._end("All of it is read.")
            return found

    def follow(self, header: IndexHeader) -> None:
        """Go on with a later snapshot; the guard of before still stands. Never raises: at worst the image ends."""
        with self._turn:
            if self._ended is not None:
                return
            try:
                changes = self._view.changes(header)
                self._keep(changes)
                self._view.move(header, changes)
            except LitestreamdError as error:
                self._end(f"{error} The image is given up, and begins again later.")
            except OSError as error:
                self._end(f"A page could not be kept for the image: {error.strerror}. It begins again later.")
        passing("image.moved")

    def close(self) -> None:
        """Read no more, once the pages that are being read are read."""
        with self._turn:
            self._end(LET_GO)

    @property
    def kept_bytes(self) -> int:
        """Room that old pages take on disk now."""
        return self._kept.bytes

    def _end(self, why: str) -> None:
        if self._ended is None:
            self._ended = why
            self._followers.remove(self)
            self._view.close()
            self._kept.close()

    def _portion(self, first: int, count: int) -> list[tuple[int, bytes]]:
        """What is wanted of pages first..first+count-1."""
        view, kept = self._view, self._kept
        if self._only is None:
            pages = view.portion(first, count)
        else:
            runs = _runs(self._only.within(first, first + count - 1), view)
            pages = (pair for start, run in runs for pair in enumerate(run, start))
        if kept.any(first, count):
            return [(pgno, kept.page(pgno) if pgno in kept else page) for pgno, page in pages]
        return list(pages)

    def _keeps(self, pgno: int) -> bool:
        """Whether a page that changes has to be kept, if it was not read yet."""
        return pgno not in self._kept and (self._only is None or pgno in self._only)

    def _keep(self, changes: Changes) -> None:
        """Keep what is not read yet and differs in the next snapshot, from the present one."""
        first, last, kept = self._next, self._settled_beyond, self._kept
        low = max(changes.low, first - 1)
        cut: Sequence[int] = range(low + 1, last + 1)
        if self._only is not None:
            cut = list(self._only.within(low + 1, last))
        changed = [pgno for pgno in changes.newest if first <= pgno <= min(low, last) and self._keeps(pgno)]
        if changed or cut:
            kept.expect(len(changed) + len(cut))
        for pages in _runs(sorted(changed), self._view):
            kept.keep(*pages)
        for pages in _runs(filter(self._keeps, cut), self._view):
            kept.keep(*pages)
        # Whatever lies beyond is read or kept by now; its later changes are of no concern.
        self._settled_beyond = min(last, changes.low)
        passing("image.kept")


def _runs(pgnos: Iterator[int] | list[int], view: Image) -> Iterator[tuple[int, list[bytes]]]:
    """(first page number, pages) of page numbers that follow each other, at most 1 MiB; the lock page left out."""
    size, lock = view.page_size, lock_page(view.page_size)
    most = max(1, PORTION // size)
    numbered = enumerate(pgno for pgno in pgnos if pgno != lock)
    for _, group in groupby(numbered, lambda pair: pair[1] - pair[0]):
        run = [pgno for _, pgno in group]
        for at in range(0, len(run), most):
            part = run[at : at + most]
            yield part[0], [page for _, page in view.portion(part[0], len(part))]
