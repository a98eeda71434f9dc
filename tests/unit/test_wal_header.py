"""The WAL header: every field, and every way in which it can fail to be one."""

from struct import pack

import pytest

from litestreamd.wal.header import HEADER_SIZE, NoHeader, WalHeader, new_header, parse_header
from tests.support.wal_writer import WalWriter, sums

SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]


def header_bytes(magic: int = 0x377F0682, version: int = 3007000, page_size: int = 4096) -> bytes:
    """A header with a right checksum over whatever fields were asked for."""
    start = pack(">IIIIII", magic, version, page_size, 7, 0xAABBCCDD, 0x11223344)
    return start + pack(">II", *sums(start, bool(magic & 1)))


@pytest.mark.parametrize("page_size", SIZES)
@pytest.mark.parametrize("big_endian", [False, True])
def test_every_field_is_read(page_size: int, big_endian: bool) -> None:
    data = bytes(WalWriter(page_size, big_endian, 0x89ABCDEF, 0x01234567, 5).data)
    header = parse_header(data)
    assert isinstance(header, WalHeader)
    assert (header.big_endian, header.page_size, header.sequence) == (big_endian, page_size, 5)
    assert header.salts == bytes.fromhex("89abcdef01234567")
    assert (header.salt1, header.salt2) == (0x89ABCDEF, 0x01234567)
    assert pack(">II", *header.checksum) == data[24:]
    assert header.encode() == data
    assert new_header(big_endian, page_size, 5, header.salts) == header


def test_bytes_after_the_header_are_not_looked_at() -> None:
    data = header_bytes()
    assert parse_header(data + b"\xff" * 100) == parse_header(data)
    assert parse_header(bytearray(data)) == parse_header(memoryview(data)) == parse_header(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", NoHeader.EMPTY),
        (bytes(32), NoHeader.BAD_MAGIC),
        (header_bytes(magic=0x377F0680), NoHeader.BAD_MAGIC),
        (header_bytes(magic=0x377F0684), NoHeader.BAD_MAGIC),
        (header_bytes(version=3007001), NoHeader.BAD_VERSION),
        (header_bytes(version=0), NoHeader.BAD_VERSION),
        (header_bytes(page_size=0), NoHeader.BAD_PAGE_SIZE),
        (header_bytes(page_size=1), NoHeader.BAD_PAGE_SIZE),
        (header_bytes(page_size=256), NoHeader.BAD_PAGE_SIZE),
        (header_bytes(page_size=4095), NoHeader.BAD_PAGE_SIZE),
        (header_bytes(page_size=131072), NoHeader.BAD_PAGE_SIZE),
        (header_bytes()[:-1] + b"\x00", NoHeader.BAD_CHECKSUM),
    ],
)
def test_what_is_no_header_says_why(data: bytes, reason: NoHeader) -> None:
    assert parse_header(data) is reason


@pytest.mark.parametrize("length", range(1, HEADER_SIZE))
def test_a_cut_header_is_short(length: int) -> None:
    assert parse_header(header_bytes()[:length]) is NoHeader.SHORT


@pytest.mark.parametrize("magic", [0x377F0682, 0x377F0683])
def test_no_flipped_bit_passes(magic: int) -> None:
    data = bytearray(header_bytes(magic))
    for bit in range(8 * HEADER_SIZE):
        data[bit // 8] ^= 1 << bit % 8
        assert isinstance(parse_header(data), NoHeader)
        data[bit // 8] ^= 1 << bit % 8
    assert isinstance(parse_header(data), WalHeader)
