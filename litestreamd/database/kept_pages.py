"""Old pages kept aside for an image that has not come to them yet, while the database goes on.

In: pages by number. Out: the same pages. A file without a name in the state directory: it vanishes with its descriptor,
whatever happens to us. It is sparse, each page at its own place, so that a bit per page is all the memory it takes.
Promise: neither the room given nor the last free room of the disk is used up: EnvironmentFault before that.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.database.disk import free_bytes
from litestreamd.database.page_set import PageSet
from litestreamd.plan.spool_quota import reserve

BLOCK = 512
"""Bytes of a block as stat counts them."""


class KeptPages:
    """No file and no descriptor before the first page. `room` tells how many bytes more may be kept now; `bytes` is
    the room taken on disk."""

    def __init__(self, folder: Path, page_size: int, room: Callable[[], int]) -> None:
        self.bytes = 0
        self._folder = folder
        self._size = page_size
        self._room = room
        self._file: IO[bytes] | None = None
        self._pages = PageSet()

    def close(self) -> None:
        """Give the room back."""
        if self._file is not None:
            self._file.close()
            self._file, self.bytes = None, 0

    def __contains__(self, pgno: int) -> bool:
        return pgno in self._pages

    def any(self, first: int, count: int) -> bool:
        """Whether one of pages first..first+count-1 may be here; quick, and never wrong with a no."""
        return self._pages.any(first, count)

    def page(self, pgno: int) -> bytes:
        """A page that is here."""
        assert self._file is not None
        return os.pread(self._file.fileno(), self._size, (pgno - 1) * self._size)

    def expect(self, count: int) -> None:
        """Make sure that there is room for so many more. Raises EnvironmentFault."""
        more, free = count * self._size, free_bytes(self._folder)
        if free < more + reserve(free + self.bytes):
            raise EnvironmentFault(
                f"The disk of {self._folder} has no room for pages that change while an image is on its way"
                f" ({free >> 20} MiB free)."
            )
        room = self._room()
        if more > room:
            raise EnvironmentFault(
                "The application changes more pages than may be kept for an image on its way"
                f" ({self.bytes >> 20} MiB are kept in {self._folder}, {max(0, room) >> 20} MiB of the quota are left)."
            )

    def keep(self, first: int, pages: list[bytes]) -> None:
        """Keep pages that follow each other. Raises OSError."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
        data, at = memoryview(b"".join(pages)), (first - 1) * self._size
        while data:
            written = os.pwrite(self._file.fileno(), data, at)
            data, at = data[written:], at + written
        for pgno in range(first, first + len(pages)):
            self._pages.add(pgno)
        self.bytes = os.fstat(self._file.fileno()).st_blocks * BLOCK
