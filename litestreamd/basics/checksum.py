"""CRC-64/GO-ISO, the page checksum and the rolling database checksum of LTX.

Sources: "file checksum" and "database checksum" of the LTX format (library v0.5.2): reflected polynomial
0xD800000000000000, initial and final value all ones, check value b90956c775a41001.
The work is done by fastcrc (or anycrc); without either a byte table in Python stands in, so that
a missing wheel makes backups slow and never impossible.
"""

import hashlib
from collections.abc import Callable, Iterable
from functools import cache
from struct import Struct

Buffer = bytes | bytearray | memoryview

FLAG = 1 << 63
"""Bit 63, set in every LTX checksum so that zero can mean "none"."""

_pgno = Struct(">I").pack


@cache
def _table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0xD800000000000000 if value & 1 else 0)
        table.append(value)
    return tuple(table)


def crc64_in_python(data: Buffer, initial: int | None = None) -> int:
    """CRC-64/GO-ISO without a C library (7 MB/s): the stand-in, and the law the fast ones are held to."""
    table = _table()
    value = (initial or 0) ^ 0xFFFFFFFFFFFFFFFF
    for byte in bytes(data):
        value = table[(value ^ byte) & 0xFF] ^ (value >> 8)
    return value ^ 0xFFFFFFFFFFFFFFFF


def _fastest() -> tuple[str | None, Callable[[Buffer, int], int]]:
    try:
        from fastcrc import crc64
    except ImportError:
        pass
    else:
        return "fastcrc", crc64.go_iso
    try:
        from anycrc import Model
    except ImportError:
        return None, crc64_in_python
    model = Model("CRC64-GO-ISO")
    return "anycrc", lambda data, initial: int(model.calc(data, initial))


CRC64_LIBRARY: str | None
"""What computes it; None: the stand-in in Python."""
crc64: Callable[[Buffer, int], int]
"""crc64(data, initial) -> CRC of what `initial` stands for followed by `data`; start with 0."""
CRC64_LIBRARY, crc64 = _fastest()


def page_checksum(pgno: int, page: Buffer) -> int:
    """Checksum of one page: bit 63 | CRC(4-byte big-endian page number, page bytes)."""
    return FLAG | crc64(page, crc64(_pgno(pgno), 0))


def rolling(checksums: Iterable[int]) -> int:
    """The database checksum of the given page checksums (lock page left out); an empty database is bit 63."""
    value = 0
    for checksum in checksums:
        value ^= checksum
    return FLAG | value


def lock_page(page_size: int) -> int:
    """Number of the page at 1 GiB, which SQLite never allocates (SQLite file format, section 1.4)."""
    return 0x40000000 // page_size + 1


def digest(chunks: Iterable[bytes]) -> bytes:
    """A digest that equals only for equal bytes, however they are cut (SHA-256)."""
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.digest()
