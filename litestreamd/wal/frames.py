"""Where the frames of a WAL lie, and what their headers say.

In: a page size and frame numbers, or a buffer of whole frames. Out: offsets, and the header fields of each frame.
Nothing is verified here: `checksum.chain` does that, or the index header (-shm) vouches for the frames.
Source: SQLite file format, "WAL File Format": 24 bytes (page number, database size in pages if this frame commits and
else 0, two salts, two sums, all big-endian), then the page. Frames are numbered from 1, as mxFrame counts them.
"""

from collections.abc import Iterator
from functools import cache
from struct import Struct

from litestreamd.basics.checksum import Buffer

HEADER_SIZE = 32
"""Bytes of the WAL header, before the first frame."""

FRAME_HEADER_SIZE = 24

FrameFields = tuple[int, int, bytes, bytes]
"""(page number, commit size in pages or 0, 8 bytes of salts, 8 bytes of stored sums)."""


def frame_size(page_size: int) -> int:
    """Bytes of one frame, header and page."""
    return FRAME_HEADER_SIZE + page_size


def frame_offset(number: int, page_size: int) -> int:
    """Where frame `number` (from 1) starts in the file. The end of frame n is the start of frame n + 1."""
    return HEADER_SIZE + (number - 1) * frame_size(page_size)


def parse_frames(buffer: Buffer, page_size: int) -> Iterator[FrameFields]:
    """The header fields of each frame in `buffer`, which holds whole frames (else struct.error). No page is copied."""
    return _fields(page_size).iter_unpack(buffer)


@cache
def _fields(page_size: int) -> Struct:
    return Struct(f">II8s8s{page_size}x")
