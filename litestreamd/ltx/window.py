"""The pages of one file that a merge looks at: decoded ahead, taken from the front.

In: the pages of a file by the batch. Out: those up to a page number. Promised: between one and a half times and half
as many pages as asked for wait here until the file ends.
"""

from bisect import bisect_right
from collections.abc import Iterable

from litestreamd.basics.checksum import Buffer
from litestreamd.ltx.decoder import Pages

Stored = tuple[Buffer, bytes]


class Window:
    """One file, oldest pages first."""

    __slots__ = ("_ahead", "_batches", "_stored", "ended", "numbers")

    def __init__(self, batches: Iterable[Pages], ahead: int) -> None:
        """`ahead`: pages to hold, at least 1, in batches of at most as many."""
        self._batches = iter(batches)
        self._ahead = ahead
        self._stored: list[Stored] = []
        self.numbers: list[int] = []
        self.ended = False
        """The file was read, and so proven, to its end."""

    def fill(self) -> None:
        """Decode until half of what was asked for is here, or the file ends. Raises what the file raises."""
        while not self.ended and 2 * len(self.numbers) < self._ahead:
            batch = next(self._batches, None)
            if batch is None:
                self.ended = True
                return
            self.numbers += batch.numbers
            self._stored += zip(batch.blocks, batch.images, strict=True)

    def take(self, through: int) -> dict[int, Stored]:
        """Remove the pages up to a number: (block, image) of each, ascending."""
        end = bisect_right(self.numbers, through)
        taken = dict(zip(self.numbers[:end], self._stored[:end], strict=True))
        del self.numbers[:end], self._stored[:end]
        return taken
