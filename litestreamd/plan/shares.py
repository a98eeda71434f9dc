"""Which frames of which object hold the newest image of each page, and how to read them in few pieces.

In: the page indexes of a plan's objects, newest first. Out: for each object its share (the frames that nothing
newer replaces) and the byte ranges that bring them. Promised: every page of the database is in exactly one share;
one byte a page and 16 bytes a frame of memory.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress
from typing import Protocol

from litestreamd.basics.checksum import lock_page


class Frames(Protocol):
    """A page index: page numbers ('I', ascending), file offsets ('Q') and lengths ('I') of their frames."""

    @property
    def numbers(self) -> "array[int]": ...
    @property
    def offsets(self) -> "array[int]": ...
    @property
    def lengths(self) -> "array[int]": ...


@dataclass(frozen=True, slots=True)
class Share:
    """The frames of one object that count. Parallel columns, as in a page index."""

    numbers: "array[int]"
    offsets: "array[int]"
    lengths: "array[int]"


@dataclass(frozen=True, slots=True)
class Piece:
    """A byte range of an object, and the frames [first, last) of its share that lie in it."""

    offset: int
    length: int
    first: int
    last: int


class PageMap:
    """The pages of a database of `commit` pages, handed out to objects, newest object first."""

    def __init__(self, commit: int, page_size: int) -> None:
        self._taken = bytearray(commit + 1)
        self._taken[0] = 1
        lock = lock_page(page_size)
        if lock <= commit:
            self._taken[lock] = 1

    def claim(self, frames: Frames) -> Share:
        """What no newer object had; pages beyond the end of the database are nobody's."""
        taken, end = self._taken, len(self._taken)
        # One byte a frame, not a list of integers: an index may have millions of entries.
        chosen = bytes(number < end and not taken[number] for number in frames.numbers)
        columns = (frames.numbers, frames.offsets, frames.lengths)
        share = Share(*(array(column.typecode, compress(column, chosen)) for column in columns))
        for number in share.numbers:
            taken[number] = 1
        return share

    def missing(self) -> int:
        """How many pages nobody has claimed (the lock page, which holds nothing, left out)."""
        return self._taken.count(0)

    def first_missing(self) -> int:
        """The lowest page number that nobody has claimed; only when there is one."""
        return self._taken.index(0)


def pieces(share: Share, most_bytes: int, most_pages: int, gap: int) -> Iterator[Piece]:
    """Cut a share into byte ranges, ascending.

    A range holds at most `most_pages` frames that count and at most `most_bytes` bytes (a single larger frame comes
    alone), and frames that do not count only where they are no more than `gap` bytes between two that do.
    """
    first, count = 0, len(share.offsets)
    while first < count:
        start = share.offsets[first]
        end = start + share.lengths[first]
        last = first + 1
        while last < count and last - first < most_pages:
            offset = share.offsets[last]
            new_end = offset + share.lengths[last]
            if offset - end > gap or new_end - start > most_bytes:
                break
            end, last = new_end, last + 1
        yield Piece(start, end - start, first, last)
        first = last
