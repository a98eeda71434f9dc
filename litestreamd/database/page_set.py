"""A set of page numbers, one bit each.

In: page numbers from 1 on. Out: the same, ascending, and how many. Bit n % 8 of byte n // 8 is page n.
"""

from collections.abc import Iterator

_BITS = tuple(tuple(bit for bit in range(8) if byte >> bit & 1) for byte in range(256))


class PageSet:
    """Grows as needed: an eighth of a byte for every page up to the highest one."""

    def __init__(self, encoded: bytes = b"") -> None:
        """`encoded` as `encode` gave it."""
        self._bits = bytearray(encoded)

    def __contains__(self, pgno: int) -> bool:
        return pgno >> 3 < len(self._bits) and bool(self._bits[pgno >> 3] >> (pgno & 7) & 1)

    def add(self, pgno: int) -> bool:
        """Put a page in. Out: whether it is new."""
        at, bit, bits = pgno >> 3, 1 << (pgno & 7), self._bits
        if at >= len(bits):
            bits.extend(bytes(at + 1 - len(bits)))
        if bits[at] & bit:
            return False
        bits[at] |= bit
        return True

    def any(self, first: int, count: int) -> bool:
        """Whether one of pages first..first+count-1 may be here; quick, and never wrong with a no."""
        return any(self._bits[first >> 3 : ((first + count - 1) >> 3) + 1])

    def within(self, first: int, last: int) -> Iterator[int]:
        """The pages from `first` to `last`, ascending."""
        for at in range(first >> 3, min(last >> 3, len(self._bits) - 1) + 1):
            for bit in _BITS[self._bits[at]]:
                if first <= at << 3 | bit <= last:
                    yield at << 3 | bit

    def count(self, last: int) -> int:
        """How many pages up to `last` are here."""
        bits = int.from_bytes(self._bits[: (last >> 3) + 1], "little")
        return (bits & ((1 << (last + 1)) - 1)).bit_count()

    def __iter__(self) -> Iterator[int]:
        """All of them, ascending."""
        return self.within(1, len(self._bits) << 3)

    def total(self) -> int:
        """How many pages are here."""
        return int.from_bytes(self._bits, "little").bit_count()

    def encode(self) -> bytes:
        """The bits."""
        return bytes(self._bits)
