"""One 64-bit checksum per page of the captured state, in one flat file.

In: page numbers and their page checksums (basics.checksum.page_checksum; 0 = no page, the lock page too).
Out: the same back; EnvironmentFault from everything that touches the file. Entry n - 1 belongs to page n, 8 bytes,
little-endian.
Promise: none about crashes by itself. The file is a cache of what spool entries say: after a crash every
entry past the last `sync` is applied again, which is idempotent (see database/ledger.py, database/state.py).
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.database.disk import private, state_disk

ENTRY = 8
RUN = 8192
"""Entries read or written at once (64 KiB)."""


class PageHashes:
    """The file, opened on first use and closed by `rest` (an idle database keeps no descriptor for it)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    def rest(self) -> None:
        """Close the descriptor."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def sync(self) -> None:
        """Make everything stored so far durable."""
        with state_disk(self.path, "written"):
            os.fsync(self._file())

    def remove(self) -> None:
        """Close and delete the file."""
        self.rest()
        with state_disk(self.path, "removed"):
            self.path.unlink(missing_ok=True)

    def count(self) -> int:
        """Pages covered."""
        with state_disk(self.path, "read"):
            return os.fstat(self._file()).st_size // ENTRY

    def runs(self, count: int) -> Iterator[tuple[int, array[int]]]:
        """(first page number, checksums) in order for pages 1..count; pages the file does not cover are 0."""
        for first in range(1, count + 1, RUN):
            yield first, self._read(first, min(RUN, count + 1 - first))

    def lookup(self, pgnos: Sequence[int]) -> array[int]:
        """The checksums of ascending page numbers."""
        found = array("Q")
        first, run = 0, array("Q")
        for pgno in pgnos:
            if not first <= pgno < first + len(run):
                first = pgno
                # Neighbours are likely wanted too; a lone page costs one small read.
                run = self._read(first, 64 if len(pgnos) < 512 else RUN)
            found.append(run[pgno - first])
        return found

    def store(self, pgnos: Sequence[int], checksums: Sequence[int]) -> None:
        """Set the entries of ascending page numbers; neighbours go out in one write."""
        start = 0
        for at in range(1, len(pgnos) + 1):
            if at == len(pgnos) or pgnos[at] != pgnos[at - 1] + 1:
                self._write(pgnos[start], array("Q", checksums[start:at]))
                start = at

    def store_run(self, first: int, checksums: array[int]) -> None:
        """Set the entries of pages first, first + 1, ..."""
        self._write(first, checksums)

    def truncate(self, count: int) -> None:
        """Cover pages 1..count only."""
        with state_disk(self.path, "written"):
            os.ftruncate(self._file(), count * ENTRY)

    def _file(self) -> int:
        if self._fd < 0:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = private(self.path, os.O_RDWR | os.O_CREAT)
        return self._fd

    def _read(self, first: int, count: int) -> array[int]:
        with state_disk(self.path, "read"):
            data = os.pread(self._file(), count * ENTRY, (first - 1) * ENTRY)
        found = array("Q", data[: len(data) // ENTRY * ENTRY])
        if sys.byteorder == "big":
            found.byteswap()
        found.extend([0] * (count - len(found)))
        return found

    def _write(self, first: int, checksums: array[int]) -> None:
        data = checksums
        if sys.byteorder == "big":
            data = array("Q", checksums)
            data.byteswap()
        with state_disk(self.path, "written"):
            written = os.pwrite(self._file(), data.tobytes(), (first - 1) * ENTRY)
        if written != len(data) * ENTRY:
            raise EnvironmentFault(f"{self.path} could not be written whole: is the disk full?")
