"""Page frames: a page number, flags, and one compressed page (LTX file format, "page frames").

In: pages or compressed blocks by the batch. Out: the other of the two. Both ways run through C (liblz4), and a page
that does not come out with exactly its size is Malformed: no block can make us produce more than one page.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain, repeat

from lz4.block import LZ4BlockError, compress, decompress

from litestreamd.basics.checksum import Buffer, crc64
from litestreamd.ltx.errors import Malformed

FRAME_HEADER = struct.Struct(">IH")
"""Page number and flags: all there is before an LZ4 frame (flags 0, Litestream 0.5.0 to 0.5.15)."""

SIZED_HEADER = struct.Struct(">IHI")
"""Page number, flags and the size of the LZ4 block that follows (flags 1, Litestream 0.5.16 and later)."""

SIZED = 1
"""Page flag: a size and a bare LZ4 block follow."""

BATCH_BYTES = 1 << 18
"""Images of this many bytes go through C at once: few enough to stay in a cache."""

END_OF_PAGES = bytes(FRAME_HEADER.size)

_LZ4_FRAME_FIELDS = 64
_BATCH_PAGES = 256
compress_page: Callable[[Buffer], bytes] = partial(compress, store_size=False)
"""The LZ4 block of one page."""


def batch_pages(page_size: int, batch_bytes: int = BATCH_BYTES) -> int:
    """How many pages go through C at once, at least one: enough to forget the Python around it."""
    return max(1, min(_BATCH_PAGES, batch_bytes // page_size))


def largest_block(page_size: int) -> int:
    """Size of the largest LZ4 block that a page can become (an incompressible page becomes literals)."""
    return page_size + page_size // 255 + 16


def largest_frame(page_size: int) -> int:
    """Size of the largest whole frame in either encoding; an LZ4 frame's own fields and a few blocks' are allowed."""
    return FRAME_HEADER.size + largest_block(page_size) + _LZ4_FRAME_FIELDS


def compress_pages(images: Iterable[Buffer]) -> list[bytes]:
    """One LZ4 block for each page."""
    return list(map(compress_page, images))


def expand_blocks(blocks: Iterable[Buffer], numbers: Sequence[int], page_size: int) -> list[bytes]:
    """One page for each LZ4 block; `numbers` are for the error message. Raises Malformed."""
    images: list[bytes] = []
    try:
        # extend keeps what was done before an error, and so tells us which page it was.
        images.extend(map(decompress, blocks, repeat(page_size)))
    except LZ4BlockError:
        raise Malformed(f"page {numbers[len(images)]} does not decompress") from None
    check_sizes(images, numbers, page_size)
    return images


def check_sizes(images: Sequence[Buffer], numbers: Sequence[int], page_size: int) -> None:
    """Raises Malformed when an image is not exactly one page."""
    if set(map(len, images)) <= {page_size}:
        return
    for number, image in zip(numbers, images, strict=True):
        if len(image) != page_size:
            raise Malformed(f"page {number} has {len(image)} bytes instead of {page_size}")


def sized_headers(numbers: Iterable[int], blocks: Iterable[Buffer]) -> list[bytes]:
    """The 10 bytes before each LZ4 block."""
    return list(map(SIZED_HEADER.pack, numbers, repeat(SIZED), map(len, blocks)))


def interleave(headers: Iterable[bytes], bodies: Iterable[Buffer]) -> bytes:
    """Each header followed by its body, as they stand in the file."""
    return b"".join(chain.from_iterable(zip(headers, bodies, strict=True)))


def checksum_pages(headers: Iterable[bytes], images: Iterable[Buffer], checksum: int) -> int:
    """The running file checksum after these frames: it covers headers and pages, not the compressed bytes.

    Two calls a page are faster than one for a copy of the batch: the pages are still in the processor's cache.
    """
    for header, image in zip(headers, images, strict=True):
        checksum = crc64(image, crc64(header, checksum))
    return checksum
