"""LTX files by the book, field by field, with every field open to abuse; independent of the code under test.

In: raw header bytes and frames. Out: a whole file with a right index, size and checksum, unless told otherwise.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

import lz4.block
import lz4.frame

from litestreamd.basics.checksum import FLAG, crc64

PAGE_SIZE = 512


def raw_header(
    magic: bytes = b"LTX1",
    flags: int = 2,
    page_size: int = PAGE_SIZE,
    commit: int = 9,
    min_txid: int = 5,
    max_txid: int = 5,
    timestamp: int = 1_700_000_000_123,
    pre_apply: int = 0,
    wal_offset: int = 32,
    wal_size: int = 536,
    salt1: int = 0x11223344,
    salt2: int = 0x55667788,
    node_id: int = 0,
    reserved: bytes = bytes(20),
) -> bytes:
    """100 bytes; the defaults are a level-0 file."""
    places = (flags, page_size, commit, min_txid, max_txid, timestamp, pre_apply, wal_offset, wal_size)
    return struct.pack(">4sIIIQQqQqqIIQ20s", magic, *places, salt1, salt2, node_id, reserved)


@dataclass(frozen=True)
class Frame:
    """A page as it is stored, and the image that the file checksum covers."""

    number: int
    head: bytes
    body: bytes
    image: bytes


def block_frame(number: int, image: bytes, flags: int = 1, body: bytes | None = None) -> Frame:
    """The newer encoding: a size and a bare LZ4 block."""
    block = lz4.block.compress(image, store_size=False) if body is None else body
    return Frame(number, struct.pack(">IHI", number, flags, len(block)), block, image)


def old_frame(number: int, image: bytes, **options: object) -> Frame:
    """The older encoding: an LZ4 frame, with the same settings as Litestream 0.5.15 unless told otherwise."""
    settings = {"content_checksum": True, "block_linked": False, "store_size": False, **options}
    return Frame(number, struct.pack(">IH", number, 0), lz4.frame.compress(image, **settings), image)


def varint(value: int) -> bytes:
    """Unsigned LEB128, one byte after the other."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def index_of(frames: Iterable[Frame]) -> bytes:
    """Entries and the zero byte, without the length field."""
    offset, out = 100, b""
    for frame in frames:
        length = len(frame.head) + len(frame.body)
        out += varint(frame.number) + varint(offset) + varint(length)
        offset += length
    return out + b"\0"


def raw_file(header: bytes, frames: list[Frame], *, index: bytes | None = None, post_apply: int = 0) -> bytes:
    """A whole file whose file checksum fits whatever it holds."""
    entries = index_of(frames) if index is None else index
    tail = bytes(6) + entries + struct.pack(">QQ", len(entries), post_apply)
    covered = header + b"".join(frame.head + frame.image for frame in frames) + tail
    stored = header + b"".join(frame.head + frame.body for frame in frames) + tail
    return stored + struct.pack(">Q", FLAG | crc64(covered, 0))
