"""Which pages may follow each other in an LTX file.

In: page numbers by the batch. Out: nothing, or Malformed. Reading and writing obey the same rules (LTX file format,
"page frames"): ascending, within the database, never the lock page; and a snapshot has every other page.
"""

from collections.abc import Sequence
from itertools import islice
from operator import lt

from litestreamd.basics.checksum import lock_page
from litestreamd.ltx.errors import Malformed
from litestreamd.ltx.header import Header


class PageOrder:
    """Watches over the page numbers of one file."""

    __slots__ = ("_commit", "_last", "_lock", "_snapshot")

    def __init__(self, header: Header) -> None:
        self._commit = header.commit
        self._lock = lock_page(header.page_size)
        self._snapshot = header.is_snapshot
        self._last = 0

    def accept(self, numbers: Sequence[int]) -> None:
        """Check the next page numbers, at least one. Raises Malformed."""
        if numbers[0] <= self._last or not all(map(lt, numbers, islice(numbers, 1, None))):
            raise Malformed(f"pages are not in ascending order after page {self._last}")
        if numbers[-1] > self._commit:
            raise Malformed(f"page {numbers[-1]} lies beyond the database's {self._commit} pages")
        if numbers[0] <= self._lock <= numbers[-1] and self._lock in numbers:
            raise Malformed(f"page {self._lock} is the lock page, which is never stored")
        if self._snapshot and numbers[-1] - self._last != len(numbers) + (self._last < self._lock < numbers[-1]):
            raise Malformed(f"a file from TXID 1 must hold every page, but one is missing after page {self._last}")
        self._last = numbers[-1]

    def finish(self) -> None:
        """Check that no page is missing at the end. Raises Malformed."""
        last_stored = self._commit - (self._commit == self._lock)
        if self._snapshot and self._last != last_stored:
            raise Malformed(f"a file from TXID 1 must hold every page, but ends with {self._last} of {last_stored}")
