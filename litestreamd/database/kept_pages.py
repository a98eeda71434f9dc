"""Old pages kept aside for an image that has not come to them yet, while the database goes on.

In: pages by number. Out: the same pages. A file without a name in the state directory: it vanishes with its descriptor,
whatever happens to us. It is sparse, each page at its own place, so that a bit per page is all the memory it takes.
Promise: neither the quota nor the last free room of the disk is used up: EnvironmentFault before that.
"""

import os
import tempfile
from pathlib import Path
from typing import IO

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.database.page_set import PageSet

RESERVE_BYTES = 32 << 20
"""Free room that is left to the capture and to the application."""

BLOCK = 512
"""Bytes of a block as stat counts them."""


class KeptPages:
    """No file and no descriptor before the first page."""

    def __init__(self, folder: Path, page_size: int, quota_bytes: int) -> None:
        self._folder = folder
        self._size = page_size
        self._quota = quota_bytes
        self._file: IO[bytes] | None = None
        self._pages = PageSet()

    def close(self) -> None:
        """Give the room back."""
        if self._file is not None:
            self._file.close()
            self._file = None

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
        more = count * self._size
        if self.bytes + more > self._quota:
            raise EnvironmentFault(
                "The application changes more pages than may be kept for an image on its way"
                f" ({self._quota >> 20} MiB in {self._folder})."
            )
        found = os.statvfs(self._folder)
        free = found.f_bavail * found.f_frsize
        if free < more + RESERVE_BYTES:
            raise EnvironmentFault(
                f"The disk of {self._folder} has no room for pages that change while an image is on its way"
                f" ({free >> 20} MiB free)."
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

    @property
    def bytes(self) -> int:
        """Room taken on disk."""
        return os.fstat(self._file.fileno()).st_blocks * BLOCK if self._file is not None else 0
