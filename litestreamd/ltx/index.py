"""The page index at the end of an LTX file: where in the file each page's frame lies.

One entry per frame, ascending: page number, file offset of the frame, length of the frame, as varints; a zero byte;
then 8 bytes with the length of all that (LTX file format, "page index"). `IndexLog` collects it in its final, compact
form while frames go by; `IndexProof` only what it must be; `PageIndex` is the index of a finished file, for reading
pages out of order.
"""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate, chain

from litestreamd.basics.checksum import Buffer
from litestreamd.ltx.errors import Malformed, Truncated
from litestreamd.ltx.header import HEADER_SIZE, Header
from litestreamd.ltx.order import PageOrder
from litestreamd.ltx.pages import END_OF_PAGES, FRAME_HEADER, largest_frame
from litestreamd.ltx.trailer import TRAILER_SIZE
from litestreamd.ltx.varint import decode_column, encode_column, split_varints

INDEX_SIZE_SIZE = 8
"""Bytes of the length field after the index."""

TAIL_SIZE = INDEX_SIZE_SIZE + TRAILER_SIZE
"""Bytes at the end of a file that tell where its index is."""

_PAGES_START = HEADER_SIZE
_WINDOW = 1 << 16
_LONGEST_ENTRY = 5 + 10 + 5
"""Bytes of an entry of the largest numbers there can be."""
_SMALLEST_FRAME = FRAME_HEADER.size + 1


class IndexLog:
    """The index of the frames seen so far: about 10 bytes a page, the only thing that grows with a file."""

    __slots__ = ("_entries", "_offset", "pages")

    def __init__(self) -> None:
        self._entries = bytearray()
        self._offset = _PAGES_START
        self.pages = 0

    def extend(self, numbers: Sequence[int], lengths: Sequence[int]) -> None:
        """Take in the next frames: ascending page numbers and whole frame lengths; at least one."""
        offsets = list(accumulate(lengths, initial=self._offset))
        self._offset = offsets.pop()
        self._entries += _encode_entries(numbers, offsets, lengths)
        self.pages += len(numbers)

    @property
    def offset(self) -> int:
        """Where in the file the next frame would start."""
        return self._offset

    def encode(self) -> bytes:
        """The bytes between the end of the pages and the trailer."""
        size = len(self._entries) + 1
        return b"".join((self._entries, b"\0", size.to_bytes(INDEX_SIZE_SIZE)))


class IndexProof:
    """What the index of a file that is being read must be, without holding it: a digest of 32 bytes."""

    __slots__ = ("_digest", "_offset", "size")

    def __init__(self) -> None:
        self._digest = sha256()
        self._offset = _PAGES_START
        self.size = 0
        """Bytes of the index so far; once `ended`, with its end and length field."""

    def extend(self, numbers: Sequence[int], lengths: Sequence[int]) -> None:
        """As IndexLog.extend."""
        offsets = list(accumulate(lengths, initial=self._offset))
        self._offset = offsets.pop()
        self._add(_encode_entries(numbers, offsets, lengths))

    def end(self) -> bytes:
        """After the last frame. Out: the SHA-256 of what must stand between the end of the pages and the trailer."""
        self._add(b"\0")
        self._add(self.size.to_bytes(INDEX_SIZE_SIZE))
        return self._digest.digest()

    def _add(self, data: bytes) -> None:
        self._digest.update(data)
        self.size += len(data)


@dataclass(frozen=True, slots=True)
class PageIndex:
    """Where the frames of a file are: page numbers ('I', ascending), file offsets ('Q') and whole lengths ('I')."""

    numbers: "array[int]"
    offsets: "array[int]"
    lengths: "array[int]"


def locate_index(tail: Buffer, file_size: int) -> tuple[int, int]:
    """Where the index is: (file offset, length without its length field), from the file's last TAIL_SIZE bytes.

    Raises Truncated when the file is too small for any index, Malformed when the index would not fit.
    """
    if len(tail) < TAIL_SIZE or file_size < _PAGES_START + len(END_OF_PAGES) + 1 + TAIL_SIZE:
        raise Truncated(f"a file of {file_size} bytes is too short to hold a page index")
    end = len(tail) - TRAILER_SIZE
    length = int.from_bytes(tail[end - INDEX_SIZE_SIZE : end])
    offset = file_size - TAIL_SIZE - length
    if length < 1 or offset < _PAGES_START + len(END_OF_PAGES):
        raise Malformed(f"a page index of {length} bytes does not fit a file of {file_size}")
    return offset, length


def parse_index(data: Buffer, offset: int, header: Header) -> PageIndex:
    """Read the bytes that `locate_index` found at file offset `offset`; see `index_windows`."""
    index = PageIndex(array("I"), array("Q"), array("I"))
    for window in index_windows([data], offset, header):
        index.numbers.extend(window.numbers)
        index.offsets.extend(window.offsets)
        index.lengths.extend(window.lengths)
    return index


def index_windows(chunks: Iterable[Buffer], offset: int, header: Header) -> Iterator[PageIndex]:
    """Read the index that begins at file offset `offset`, from its bytes in pieces, a window of its entries at a time.

    Strict: pages as the format orders them, frames without gaps from the header to the end of the pages, numbers in
    their shortest form. Raises Malformed, also after all entries. That the frames hold those pages is proven only by
    reading them. Memory: one chunk and one window.
    """
    order, limit = PageOrder(header), largest_frame(header.page_size)
    rest, frame_offset = b"", _PAGES_START
    for chunk in chunks:
        data = b"".join((rest, chunk))
        position = 0
        # What may be an entry cut in two, and the zero byte at the very end, wait for the next chunk.
        while len(data) - position > _LONGEST_ENTRY:
            window = _window(data[position : min(position + _WINDOW, len(data) - 1)], frame_offset, order, limit)
            position += window.size
            frame_offset = window.end
            yield window.index
        rest = data[position:]
    while len(rest) > 1:
        window = _window(rest[:-1], frame_offset, order, limit)
        rest, frame_offset = rest[window.size :], window.end
        yield window.index
    order.finish()
    if rest != b"\0" or frame_offset + len(END_OF_PAGES) != offset:
        raise Malformed("the page index does not end where it should, or not where the pages do")


@dataclass(frozen=True, slots=True)
class _Window:
    """Entries, the bytes they took in the index, and the file offset behind their last frame."""

    index: PageIndex
    size: int
    end: int


def _window(data: bytes, frame_offset: int, order: PageOrder, limit: int) -> _Window:
    """The whole entries at the front of some bytes."""
    numbers, lengths = _decode_entries(data)
    order.accept(numbers)
    if min(lengths) < _SMALLEST_FRAME or max(lengths) > limit:
        raise Malformed(f"the page index says that a frame from page {numbers[0]} on has an impossible length")
    offsets = list(accumulate(lengths, initial=frame_offset))
    end = offsets.pop()
    # Encoding it again proves at once that no frame is out of place and no number padded or too long.
    entries = _encode_entries(numbers, offsets, lengths)
    if not data.startswith(entries):
        raise Malformed(f"the page index leaves gaps between frames from page {numbers[0]} on")
    return _Window(PageIndex(array("I", numbers), array("Q", offsets), array("I", lengths)), len(entries), end)


def _encode_entries(numbers: Sequence[int], offsets: Sequence[int], lengths: Sequence[int]) -> bytes:
    columns = (
        encode_column(numbers, numbers[0], numbers[-1]),
        encode_column(offsets, offsets[0], offsets[-1]),
        encode_column(lengths, min(lengths), max(lengths)),
    )
    return b"".join(chain.from_iterable(zip(*columns, strict=True)))


def _decode_entries(data: Buffer) -> tuple[list[int], list[int]]:
    """Page numbers and lengths of the whole entries at the front, at least one; the offsets follow from the lengths."""
    columns = split_varints(data)
    whole = len(columns) - len(columns) % 3
    if not whole:
        raise Malformed("the page index ends within an entry")
    numbers, lengths = columns[0:whole:3], decode_column(columns[2:whole:3])
    first, last = decode_column([numbers[0], numbers[-1]])
    if last - first == len(numbers) - 1:
        # They can only be these if they ascend, which encoding them again shows.
        return list(range(first, last + 1)), lengths
    return decode_column(numbers), lengths
