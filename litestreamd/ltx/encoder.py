"""Writes one LTX file from front to back.

In: a final header, then ascending pages, by any number of calls. Out: bytes in file order through `write`.
Promised: what was written is a valid file once `finish` returned, restorable by Litestream 0.5.16 and later; memory
is one batch of pages and the page index. After any error the file is worthless and must be thrown away.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from litestreamd.basics.checksum import FLAG, Buffer, crc64
from litestreamd.basics.pulse import beat
from litestreamd.ltx.errors import Malformed, Unsupported
from litestreamd.ltx.header import Header
from litestreamd.ltx.index import IndexLog
from litestreamd.ltx.order import PageOrder
from litestreamd.ltx.pages import (
    END_OF_PAGES,
    SIZED_HEADER,
    batch_pages,
    check_sizes,
    checksum_pages,
    compress_page,
    compress_pages,
    interleave,
    largest_block,
    sized_headers,
)
from litestreamd.ltx.trailer import POST_APPLY_SIZE, TRAILER_SIZE, Trailer


@dataclass(frozen=True, slots=True)
class Summary:
    """A finished file: its size in bytes, the checksum in its trailer, how many pages it holds."""

    size: int
    file_checksum: int
    pages: int


class Encoder:
    """One file in the making. All errors are Malformed (a rule of the format would be broken) or come from `write`."""

    __slots__ = ("_batch", "_crc", "_index", "_order", "_page_size", "_write")

    def __init__(self, header: Header, write: Callable[[bytes], object]) -> None:
        """Writes the header at once. Raises Unsupported for a header without NO_CHECKSUM.

        `write` takes each piece whole: a raw file's write, which may take a part only, must be wrapped.
        """
        if header.tracks_checksum:
            raise Unsupported("files with LTX's own database checksums are not written: Litestream cannot restore them")
        self._write = write
        self._page_size = header.page_size
        self._batch = batch_pages(header.page_size)
        self._order = PageOrder(header)
        self._index = IndexLog()
        self._crc = 0
        self._emit(header.encode())

    def add(self, pages: Iterable[tuple[int, Buffer]]) -> None:
        """Append pages (number, image): ascending over all calls, images of exactly one page."""
        remaining = iter(pages)
        while batch := list(islice(remaining, self._batch)):
            beat()
            numbers, images = zip(*batch, strict=True)
            check_sizes(images, numbers, self._page_size)
            self._put(numbers, compress_pages(images), images)

    def add_frames(self, numbers: Sequence[int], blocks: Sequence[Buffer], images: Sequence[Buffer]) -> None:
        """Append pages that are compressed already: their LZ4 blocks, and the pages they expand to.

        The pages are needed because the file checksum covers them; that the two belong together is the caller's
        promise. A page whose block is empty is compressed here.
        """
        for start in range(0, len(numbers), self._batch):
            beat()
            part = slice(start, start + self._batch)
            self._put_frames(numbers[part], blocks[part], images[part])

    def finish(self) -> Summary:
        """Write the index and the trailer. Raises Malformed when a file from TXID 1 lacks pages."""
        self._order.finish()
        index = self._index.encode()
        self._emit(END_OF_PAGES + index)
        file_checksum = FLAG | crc64(bytes(POST_APPLY_SIZE), self._crc)
        self._write(Trailer(0, file_checksum).encode())
        size = self._index.offset + len(END_OF_PAGES) + len(index) + TRAILER_SIZE
        return Summary(size, file_checksum, self._index.pages)

    def _put_frames(self, numbers: Sequence[int], blocks: Sequence[Buffer], images: Sequence[Buffer]) -> None:
        check_sizes(images, numbers, self._page_size)
        if not all(blocks):
            blocks = [block or compress_page(image) for block, image in zip(blocks, images, strict=True)]
        limit = largest_block(self._page_size)
        if max(map(len, blocks)) > limit:
            raise Malformed(f"an LZ4 block from page {numbers[0]} on is larger than the {limit} bytes allowed")
        self._put(numbers, blocks, images)

    def _put(self, numbers: Sequence[int], blocks: Sequence[Buffer], images: Sequence[Buffer]) -> None:
        self._order.accept(numbers)
        headers = sized_headers(numbers, blocks)
        self._crc = checksum_pages(headers, images, self._crc)
        self._index.extend(numbers, [SIZED_HEADER.size + size for size in map(len, blocks)])
        self._write(interleave(headers, blocks))

    def _emit(self, data: bytes) -> None:
        """Write bytes that the file checksum covers as they are."""
        self._crc = crc64(data, self._crc)
        self._write(data)
