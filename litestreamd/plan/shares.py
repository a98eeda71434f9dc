"""Which frames of which object hold the newest image of each page, and how to read them in few pieces.

In: the page indexes of a plan's objects, newest first, window by window. Out: for each window its share (the frames
that nothing newer replaces) and the byte ranges that bring them. Promised: every page of the database is in exactly
one share; one bit a page, and 16 bytes a frame of the windows that are in use, of memory.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
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
        self._end = commit + 1
        self._taken = bytearray((commit >> 3) + 1)
        self._missing = commit
        self._taken[0] = 1
        lock = lock_page(page_size)
        if lock <= commit:
            self._take([lock])

    def choose(self, numbers: "array[int]") -> bytes:
        """Which of these pages (ascending, each once) no newer object had: a byte 1 or 0 for each. They are taken now;
        pages beyond the end of the database are nobody's."""
        if numbers and numbers[-1] - numbers[0] == len(numbers) - 1:
            return self._choose_run(numbers[0], min(numbers[-1] + 1, self._end)).ljust(len(numbers), b"\0")
        taken, end = self._taken, self._end
        chosen = bytes(number < end and not taken[number >> 3] >> (number & 7) & 1 for number in numbers)
        self._take(compress(numbers, chosen))
        return chosen

    def claim(self, frames: Frames) -> Share:
        """The frames that `choose` chooses."""
        chosen = self.choose(frames.numbers)
        columns = (frames.numbers, frames.offsets, frames.lengths)
        if 0 not in chosen:
            return Share(*columns)
        return Share(*(array(column.typecode, compress(column, chosen)) for column in columns))

    def missing(self) -> int:
        """How many pages nobody has claimed (the lock page, which holds nothing, left out)."""
        return self._missing

    def first_missing(self) -> int:
        """The lowest page number that nobody has claimed; only when there is one."""
        byte = next(at for at, bits in enumerate(self._taken) if bits != _FULL)
        return byte * 8 + _FREE[self._taken[byte]].index(1)

    def _take(self, numbers: Iterable[int]) -> None:
        taken, count = self._taken, 0
        for number in numbers:
            taken[number >> 3] |= 1 << (number & 7)
            count += 1
        self._missing -= count

    def _choose_run(self, first: int, end: int) -> bytes:
        """As `choose`, for the pages from `first` up to `end`: eight at a time, for whole databases come so."""
        low, high = first >> 3, (end + 7) >> 3
        if end <= first:
            return b""
        head, tail = first & 7, end & 7
        chosen = b"".join(map(_FREE.__getitem__, self._taken[low:high]))[head : head + end - first]
        new = bytearray(b"\xff") * (high - low)
        new[0] &= _FULL << head & _FULL
        if tail:
            new[-1] &= (1 << tail) - 1
        self._taken[low] |= new[0]
        self._taken[high - 1] |= new[-1]
        self._taken[low + 1 : high - 1] = new[1:-1]
        self._missing -= chosen.count(1)
        return chosen


_FULL = 0xFF
_FREE = tuple(bytes(not bits >> place & 1 for place in range(8)) for bits in range(256))
"""For each byte of a PageMap: which of its eight pages are free, as eight bytes."""


def packed(flags: Sequence[int]) -> bytes:
    """Bytes 1 and 0 as bits, eight a byte, the first one lowest."""
    padded = bytes(flags).ljust(-(-len(flags) // 8) * 8, b"\0")
    return bytes(map(_packings().__getitem__, (padded[at : at + 8] for at in range(0, len(padded), 8))))


def unpacked(bits: bytes, first: int, count: int) -> bytes:
    """`count` of the flags that `packed` packed, from number `first` on."""
    low, high = first >> 3, (first + count + 7) >> 3
    free = _FREE
    return b"".join(free[_FULL ^ byte] for byte in bits[low:high])[first & 7 :][:count]


@cache
def _packings() -> dict[bytes, int]:
    return {_FREE[_FULL ^ bits]: bits for bits in range(256)}


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
