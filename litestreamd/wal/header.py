"""The 32 bytes at the start of a WAL.

In: bytes. Out: a WalHeader, or the named reason why there is none (the whole WAL is void then, as SQLite sees it).
Source: SQLite file format, "WAL File Format": eight big-endian words: magic, version, page size,
checkpoint sequence number, two salts, two sums over the first 24 bytes. The magic's last bit tells in which byte
order the checksum reads its words.
"""

from dataclasses import dataclass
from enum import Enum
from struct import Struct

from litestreamd.basics.checksum import Buffer
from litestreamd.wal.checksum import Sums, checksum, stored
from litestreamd.wal.frames import HEADER_SIZE

__all__ = ["HEADER_SIZE", "PAGE_SIZES", "VERSION", "NoHeader", "WalHeader", "new_header", "parse_header"]

VERSION = 3007000
PAGE_SIZES = frozenset(1 << power for power in range(9, 17))
"""The page sizes SQLite knows, 512 to 65536 bytes; the WAL stores 65536 as it is."""

_MAGIC = 0x377F0682
_FIELDS = Struct(">IIII8sII")


class NoHeader(Enum):
    """Why bytes are not a WAL header."""

    EMPTY = "no bytes: the WAL was truncated, or nothing was written yet"
    SHORT = "fewer than 32 bytes"
    BAD_MAGIC = "not the magic of a WAL"
    BAD_PAGE_SIZE = "a page size that SQLite does not know"
    BAD_CHECKSUM = "the checksum is wrong: the header was torn or damaged"
    BAD_VERSION = "a WAL version other than 3007000"


@dataclass(frozen=True, slots=True)
class WalHeader:
    """One generation of a WAL. `salts` are the 8 bytes as they stand in the file (and in every frame, and in -shm)."""

    big_endian: bool
    page_size: int
    sequence: int
    salts: bytes
    checksum: Sums

    @property
    def salt1(self) -> int:
        """First salt, as an LTX header holds it."""
        return int.from_bytes(self.salts[:4], "big")

    @property
    def salt2(self) -> int:
        """Second salt, as an LTX header holds it."""
        return int.from_bytes(self.salts[4:], "big")

    def encode(self) -> bytes:
        """The 32 bytes of the file."""
        return _covered(self.big_endian, self.page_size, self.sequence, self.salts) + stored(self.checksum)


def new_header(big_endian: bool, page_size: int, sequence: int, salts: bytes) -> WalHeader:
    """A header with these fields and the right checksum."""
    sums = checksum(_covered(big_endian, page_size, sequence, salts), big_endian)
    return WalHeader(big_endian, page_size, sequence, salts, sums)


def parse_header(data: Buffer) -> WalHeader | NoHeader:
    """Read the first 32 bytes of `data`; what follows them is not looked at.

    The order of the checks is that of SQLite's recovery, so a damaged version field is BAD_CHECKSUM.
    """
    if len(data) < HEADER_SIZE:
        return NoHeader.SHORT if len(data) else NoHeader.EMPTY
    magic, version, page_size, sequence, salts, s1, s2 = _FIELDS.unpack_from(data)
    if magic & ~1 != _MAGIC:
        return NoHeader.BAD_MAGIC
    if page_size not in PAGE_SIZES:
        return NoHeader.BAD_PAGE_SIZE
    big_endian = bool(magic & 1)
    if checksum(memoryview(data)[:24], big_endian) != (s1, s2):
        return NoHeader.BAD_CHECKSUM
    if version != VERSION:
        return NoHeader.BAD_VERSION
    return WalHeader(big_endian, page_size, sequence, salts, (s1, s2))


def _covered(big_endian: bool, page_size: int, sequence: int, salts: bytes) -> bytes:
    """The 24 bytes that the header's checksum covers."""
    return _FIELDS.pack(_MAGIC | big_endian, VERSION, page_size, sequence, salts, 0, 0)[:24]
