"""The page encoding of Litestream 0.5.0 to 0.5.15: an LZ4 frame that nothing but its own blocks delimits.

In: bytes at the start of a frame. Out: the frame's length, and its page. Structure: LZ4 frame format 1.6.1.
Only read, never written. A frame is refused as soon as it outgrows what one page can need.
"""

import struct

from lz4.frame import LZ4FrameDecompressor

from litestreamd.ltx.errors import Malformed
from litestreamd.ltx.pages import FRAME_HEADER, largest_frame

_MAGIC = 0x184D2204
_START = struct.Struct("<IBB")
_BLOCK_SIZE = struct.Struct("<I")
_CHECKSUM_SIZE = 4
_STORED = 1 << 31


def frame_length(view: memoryview, page_size: int) -> int:
    """The least length of the frame at the front, as far as its bytes tell; exact once the view holds that many.

    Raises Malformed when it is no frame, or cannot be the frame of one page.
    """
    position = _START.size + 1
    if len(view) < position:
        return position
    magic: int
    flags: int
    magic, flags, _ = _START.unpack_from(view)
    if magic != _MAGIC:
        raise Malformed("a page without a size does not start with an LZ4 frame")
    has_dictionary, has_checksum, has_size, block_checksums = (flags >> bit & 1 for bit in (0, 2, 3, 4))
    position += 8 * has_size + 4 * has_dictionary
    limit = largest_frame(page_size) - FRAME_HEADER.size
    while position <= limit:
        if len(view) < position + _BLOCK_SIZE.size:
            return position + _BLOCK_SIZE.size
        size: int
        (size,) = _BLOCK_SIZE.unpack_from(view, position)
        position += _BLOCK_SIZE.size
        if size == 0:
            return position + _CHECKSUM_SIZE * has_checksum
        position += (size & ~_STORED) + _CHECKSUM_SIZE * block_checksums
    raise Malformed(f"an LZ4 frame needs more than the {limit} bytes that one page can take")


def expand_frame(frame: memoryview, number: int, page_size: int) -> bytes:
    """The page in one whole frame. Raises Malformed; never produces more than a page and a byte."""
    try:
        image: bytes = LZ4FrameDecompressor().decompress(frame, max_length=page_size + 1)
    except RuntimeError:
        raise Malformed(f"page {number} does not decompress") from None
    if len(image) != page_size:
        raise Malformed(f"page {number} does not expand to exactly {page_size} bytes")
    return image
