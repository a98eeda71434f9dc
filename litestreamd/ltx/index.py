"""The page index at the end of an LTX file: where in the file each page's frame lies.

One entry per frame, ascending: page number, file offset of the frame, length of the frame, as varints; a zero byte;
then 8 bytes with the length of all that. `IndexLog` collects it while frames go by, in its final, compact form;
`PageIndex` is for finding pages by number.
"""

from collections.abc import Sequence
from itertools import accumulate, chain

from litestreamd.ltx.varint import encode_column

INDEX_SIZE_SIZE = 8
"""Bytes of the length field after the index."""


class IndexLog:
    """The index of the frames seen so far: about 10 bytes a page, the only thing that grows with a file."""

    __slots__ = ("_entries", "_offset", "pages")

    def __init__(self, offset: int) -> None:
        """`offset`: where in the file the first frame starts."""
        self._entries = bytearray()
        self._offset = offset
        self.pages = 0

    def extend(self, numbers: Sequence[int], lengths: Sequence[int]) -> None:
        """Take in the next frames: ascending page numbers and whole frame lengths; at least one."""
        offsets = list(accumulate(lengths, initial=self._offset))
        self._offset = offsets.pop()
        columns = (
            encode_column(numbers, numbers[0], numbers[-1]),
            encode_column(offsets, offsets[0], offsets[-1]),
            encode_column(lengths, min(lengths), max(lengths)),
        )
        self._entries += b"".join(chain.from_iterable(zip(*columns, strict=True)))
        self.pages += len(numbers)

    @property
    def offset(self) -> int:
        """Where in the file the next frame would start."""
        return self._offset

    def encode(self) -> bytes:
        """The bytes between the end of the pages and the trailer."""
        size = len(self._entries) + 1
        return b"".join((self._entries, b"\0", size.to_bytes(INDEX_SIZE_SIZE)))
