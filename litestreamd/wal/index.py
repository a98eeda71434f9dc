"""The header of the WAL index (the -shm file): SQLite's own word on which frames are committed.

In: three reads of the file: its first 48 bytes, its first 136 bytes, its first 48 bytes again.
Out: an IndexHeader, or the named reason to read again.
Promise: a header that is returned was whole and stood unchanged over the middle read, so `backfilled` and
`read_marks`, which lie outside the checksum, belong to it.
Source: SQLite "WAL-mode File Format", "The WAL-Index Header": two copies of a 48-byte header (a
writer stores the second one first), then nBackfill and five read marks, all in the machine's byte order; the salts
are the WAL's bytes.
"""

import sys
from dataclasses import dataclass
from enum import Enum
from functools import cache
from struct import Struct

from litestreamd.basics.checksum import Buffer
from litestreamd.wal.checksum import Sums, checksum
from litestreamd.wal.header import PAGE_SIZES, VERSION

INDEX_HEADER_SIZE = 136
COPY_SIZE = 48
UNUSED_MARK = 0xFFFFFFFF
"""A read mark that no reader has set."""

_BUILT_AT = 12
_COPY_FIELDS = "IIIBBHIIII8sII"
_CHECKPOINT_FIELDS = "6I"


class Unreadable(Enum):
    """Why the header cannot be taken as it was read. All but BAD_VERSION and BAD_PAGE_SIZE pass by themselves, or
    when a connection next begins a read (SQLite rebuilds the index then)."""

    SHORT = "the file is shorter than the header"
    CHANGING = "the copies differ: a writer is at it, or died at it"
    UNINITIALISED = "nobody has built the index yet"
    BAD_CHECKSUM = "the checksum is wrong"
    BAD_VERSION = "an index version other than 3007000"
    BAD_PAGE_SIZE = "a page size that SQLite does not know"


@dataclass(frozen=True, slots=True)
class IndexHeader:
    """One snapshot of the WAL: generation, last committed frame, database size, and how far it is checkpointed.

    `change` is iChange: one more for each transaction, modulo 2^32; 0 after a recovery. `max_frame` is mxFrame, 0 for
    none. `page_size` is 0, and `salts` zero, when the index was rebuilt over an empty WAL. `frame_checksum` holds the
    sums of frame max_frame. `backfilled` is nBackfill: frames already in the database file.
    """

    change: int
    big_endian_checksum: bool
    page_size: int
    max_frame: int
    page_count: int
    frame_checksum: Sums
    salts: bytes
    backfilled: int
    read_marks: tuple[int, ...]


def parse_index(
    first: Buffer, full: Buffer, again: Buffer, byte_order: str = sys.byteorder
) -> IndexHeader | Unreadable:
    """Read the header from `first` (48 bytes), `full` (136 bytes) and `again` (48 bytes), read in this order.

    Bytes after these lengths are not looked at. `byte_order` is "little" or "big", that of the machine by default.
    """
    if len(first) < COPY_SIZE or len(full) < INDEX_HEADER_SIZE or len(again) < COPY_SIZE:
        return Unreadable.SHORT
    copy = bytes(full[:COPY_SIZE])
    if not copy == full[COPY_SIZE : 2 * COPY_SIZE] == first[:COPY_SIZE] == again[:COPY_SIZE]:
        return Unreadable.CHANGING
    if not copy[_BUILT_AT]:
        return Unreadable.UNINITIALISED
    fields, checkpoint = _structs(byte_order)
    version, _, change, _, big_endian, size, max_frame, page_count, f1, f2, salts, s1, s2 = fields.unpack(copy)
    if checksum(copy[:40], byte_order == "big") != (s1, s2):
        return Unreadable.BAD_CHECKSUM
    page_size = _page_size(size)
    if (fault := _fault(version, page_size, max_frame)) is not None:
        return fault
    backfilled, *marks = checkpoint.unpack_from(full, 2 * COPY_SIZE)
    return IndexHeader(
        change, bool(big_endian), page_size, max_frame, page_count, (f1, f2), salts, backfilled, tuple(marks)
    )


def _fault(version: int, page_size: int, max_frame: int) -> Unreadable | None:
    if version != VERSION:
        return Unreadable.BAD_VERSION
    if page_size not in PAGE_SIZES and not page_size == max_frame == 0:
        return Unreadable.BAD_PAGE_SIZE
    return None


def _page_size(field: int) -> int:
    """65536 does not fit in 16 bits and is stored as 1; every other size has its low byte clear."""
    return 65536 if field == 1 else field


@cache
def _structs(byte_order: str) -> tuple[Struct, Struct]:
    sign = ">" if byte_order == "big" else "<"
    return Struct(sign + _COPY_FIELDS), Struct(sign + _CHECKPOINT_FIELDS)
