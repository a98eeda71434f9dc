"""The -shm header: what it says, and every state in which it must not be believed."""

from pathlib import Path
from struct import pack

import pytest

from litestreamd.wal.checksum import stored
from litestreamd.wal.frames import parse_frames
from litestreamd.wal.header import WalHeader, parse_header
from litestreamd.wal.index import UNUSED_MARK, IndexHeader, Unreadable, parse_index
from tests.support.wal_writer import WalWriter, sums

WAL_FILES = Path(__file__).parents[1] / "vectors" / "wal-files"


def still(data: bytes, byte_order: str = "little") -> IndexHeader | Unreadable:
    """The reading of a header that nobody touches."""
    return parse_index(data[:48], data[:136], data[:48], byte_order)


def with_checksum(copy: bytes) -> bytes:
    """Two equal copies with the right checksum over what the first 40 bytes of `copy` hold."""
    copy = copy[:40] + pack("<II", *sums(copy[:40], big_endian=False))
    return copy + copy + bytes(40)


def written(page_size: int = 4096, byte_order: str = "little") -> bytes:
    wal = WalWriter(page_size, salt1=0x0A0B0C0D, salt2=0x01020304)
    wal.append(1, b"a" * page_size)
    wal.append(2, b"b" * page_size, commit=2)
    return wal.index(change=0xFFFFFFFE, backfilled=1, byte_order=byte_order)


@pytest.mark.parametrize("byte_order", ["little", "big"])
@pytest.mark.parametrize("page_size", [512, 4096, 32768, 65536])
def test_every_field_is_read(page_size: int, byte_order: str) -> None:
    data = written(page_size, byte_order)
    header = still(data, byte_order)
    assert isinstance(header, IndexHeader)
    assert (header.change, header.page_size, header.max_frame, header.page_count) == (0xFFFFFFFE, page_size, 2, 2)
    assert header.salts == bytes.fromhex("0a0b0c0d01020304")
    assert header.backfilled == 1
    assert header.read_marks == (0, 2, UNUSED_MARK, UNUSED_MARK, UNUSED_MARK)
    assert header.big_endian_checksum is False


def test_the_other_machines_byte_order_is_not_misread() -> None:
    assert still(written(byte_order="big"), "little") is Unreadable.BAD_CHECKSUM


@pytest.mark.parametrize("path", sorted(WAL_FILES.glob("*.db-shm")), ids=lambda path: path.name)
def test_files_that_sqlite_left(path: Path) -> None:
    header = still(path.read_bytes())
    wal = path.with_name(path.name.replace("-shm", "-wal")).read_bytes()
    wal_header = parse_header(wal)
    assert isinstance(header, IndexHeader)
    assert isinstance(wal_header, WalHeader)
    assert (header.page_size, header.salts) == (wal_header.page_size, wal_header.salts)
    last = list(parse_frames(wal[32:], header.page_size))[header.max_frame - 1]
    assert last[1:] == (header.page_count, header.salts, stored(header.frame_checksum))


def test_sqlite_left_such_files() -> None:
    assert len(list(WAL_FILES.glob("*.db-shm"))) == 4


def test_an_index_rebuilt_over_an_empty_wal_has_no_page_size_yet() -> None:
    """SQLite's recovery zeroes the header when the WAL holds no frame."""
    data = with_checksum(pack("<IIIB", 3007000, 0, 0, 1) + bytes(35))
    header = still(data)
    assert isinstance(header, IndexHeader)
    assert (header.page_size, header.max_frame, header.salts) == (0, 0, bytes(8))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (bytes(136), Unreadable.UNINITIALISED),
        (with_checksum(pack("<IIIBBHI", 3007000, 0, 1, 1, 0, 0, 3) + bytes(24)), Unreadable.BAD_PAGE_SIZE),
        (with_checksum(pack("<IIIBBHI", 3007000, 0, 1, 1, 0, 5, 0) + bytes(24)), Unreadable.BAD_PAGE_SIZE),
        (with_checksum(pack("<IIIBBHI", 3007001, 0, 1, 1, 0, 512, 0) + bytes(24)), Unreadable.BAD_VERSION),
    ],
)
def test_what_cannot_be_taken_says_why(data: bytes, reason: Unreadable) -> None:
    assert still(data) is reason


@pytest.mark.parametrize(("first", "full", "again"), [(47, 136, 48), (48, 135, 48), (48, 136, 47), (0, 0, 0)])
def test_short_reads(first: int, full: int, again: int) -> None:
    data = written()
    assert parse_index(data[:first], data[:full], data[:again], "little") is Unreadable.SHORT


def test_longer_reads_are_cut_to_size() -> None:
    data = written()
    assert parse_index(data, data + bytes(100), data, "little") == still(data)


@pytest.mark.parametrize("changed", ["first", "copy 0", "copy 1", "again"])
def test_a_header_that_moves_while_it_is_read_is_changing(changed: str) -> None:
    """Two states, both whole: any mixture of them is refused."""
    wal = WalWriter()
    wal.append(1, bytes(512), commit=1)
    old = wal.index(change=1)
    wal.append(1, bytes(512), commit=1)
    new = wal.index(change=2)
    full = {"copy 0": new[:48] + old[48:], "copy 1": old[:48] + new[48:96] + old[96:]}.get(changed, old)
    first = new[:48] if changed == "first" else old[:48]
    again = new[:48] if changed == "again" else old[:48]
    assert parse_index(first, full, again, "little") is Unreadable.CHANGING


def test_no_flipped_bit_passes_in_one_copy_or_in_both() -> None:
    data = bytearray(written())
    for bit in range(48 * 8):
        data[bit // 8] ^= 1 << bit % 8
        assert still(bytes(data)) is Unreadable.CHANGING
        data[48 + bit // 8] ^= 1 << bit % 8
        assert still(bytes(data)) in (Unreadable.BAD_CHECKSUM, Unreadable.UNINITIALISED)
        data[bit // 8] ^= 1 << bit % 8
        data[48 + bit // 8] ^= 1 << bit % 8
    assert isinstance(still(bytes(data)), IndexHeader)
