"""The scanner against SQLite's own verdict, and against every way to hand it a file or to spoil one."""

import hashlib
import json
from pathlib import Path

import pytest

from litestreamd.wal.commits import Committed, Scanner, Stop
from litestreamd.wal.frames import frame_offset
from litestreamd.wal.header import NoHeader, WalHeader
from tests.support.wal_writer import WalWriter

WAL_FILES = Path(__file__).parents[1] / "vectors" / "wal-files"
CASES = {case["label"]: case for case in json.loads((WAL_FILES / "manifest.json").read_text())}
STOPS = {
    "torn": Stop.TORN,
    "bad-frame-3": Stop.BAD_CHECKSUM,
    "bad-header": Stop.NO_HEADER,
    "restarted": Stop.OTHER_GENERATION,
}


def scan(data: bytes, portion: int | None = None) -> Committed:
    scanner = Scanner()
    for start in range(0, len(data), portion or len(data) or 1):
        scanner.feed(data[start : start + (portion or len(data))])
    return scanner.result()


def checkpointed(database: bytes, wal: bytes, found: Committed) -> bytes:
    """What a TRUNCATE checkpoint makes of the database file."""
    if not isinstance(found.header, WalHeader) or not found.frames:
        return database
    size = found.header.page_size
    image = bytearray(database[: found.commit * size].ljust(found.commit * size, b"\0"))
    for pgno, frame in found.pages.items():
        page = frame_offset(frame, size) + 24
        image[(pgno - 1) * size : pgno * size] = wal[page : page + size]
    return bytes(image)


@pytest.mark.parametrize("label", CASES)
def test_sqlite_and_the_scanner_agree(label: str) -> None:
    case, wal = CASES[label], (WAL_FILES / f"{label}.db-wal").read_bytes()
    found = scan(wal)
    assert found.frames == case["committed_frames"]
    assert found.end_offset == case["committed_end_offset"]
    assert found.commit == (case["last_commit_size"] or 0)
    assert found.stop is STOPS.get(label, Stop.END)
    image = checkpointed((WAL_FILES / f"{label}.db").read_bytes(), wal, found)
    assert hashlib.sha256(image).hexdigest() == case["after_checkpoint_sha256"]


@pytest.mark.parametrize("label", CASES)
@pytest.mark.parametrize("portion", [1, 7, 1048])
def test_portions_do_not_matter(label: str, portion: int) -> None:
    wal = (WAL_FILES / f"{label}.db-wal").read_bytes()
    assert scan(wal, portion) == scan(wal)


@pytest.mark.parametrize("page_size", [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])
@pytest.mark.parametrize("big_endian", [False, True])
def test_every_page_size_and_byte_order(page_size: int, big_endian: bool) -> None:
    wal = WalWriter(page_size, big_endian)
    wal.append(1, b"1" * page_size)
    wal.append(2, b"2" * page_size, commit=2)
    wal.append(2, b"3" * page_size, commit=2)
    found = scan(bytes(wal.data))
    assert (found.frames, found.commit, found.pages) == (3, 2, {1: 1, 2: 3})
    assert found.end_offset == len(wal.data)


def small_wal() -> WalWriter:
    """Two transactions, the second of two frames, then the beginning of a third."""
    wal = WalWriter()
    wal.append(1, b"a" * 512, commit=1)
    wal.append(2, b"b" * 512)
    wal.append(1, b"c" * 512, commit=2)
    wal.append(3, b"d" * 512)
    return wal


def test_cut_at_every_offset() -> None:
    data = bytes(small_wal().data)
    for length in range(len(data) + 1):
        found = scan(data[:length])
        frames, part = divmod(max(length - 32, 0), 536)
        assert found.frames == {0: 0, 1: 1, 2: 1}.get(frames, 3)
        assert found.pages == {0: {}, 1: {1: 1}, 3: {2: 2, 1: 3}}[found.frames]
        assert found.stop is (Stop.NO_HEADER if length < 32 else Stop.TORN if part else Stop.END)


def test_every_bit_flipped() -> None:
    """A flip in frame n leaves the commits before n, whole and untouched, and names its reason."""
    data = bytearray(small_wal().data)
    before = {1: (0, {}), 2: (1, {1: 1}), 3: (1, {1: 1}), 4: (3, {2: 2, 1: 3})}
    for bit in range(len(data) * 8):
        data[bit // 8] ^= 1 << bit % 8
        found = scan(bytes(data))
        if bit < 32 * 8:
            assert (found.frames, found.pages, found.stop) == (0, {}, Stop.NO_HEADER)
            assert isinstance(found.header, NoHeader)
        else:
            frame, place = divmod(bit // 8 - 32, 536)
            assert (found.frames, found.pages) == before[frame + 1]
            flipped_to_zero = data[32 + frame * 536 :][:4] == bytes(4)
            reason = Stop.PAGE_ZERO if flipped_to_zero else Stop.BAD_CHECKSUM
            assert found.stop is (Stop.OTHER_GENERATION if 8 <= place < 16 else reason)
        data[bit // 8] ^= 1 << bit % 8


def test_nothing_and_less_than_a_header() -> None:
    assert scan(b"").header is NoHeader.EMPTY
    assert scan(b"").stop is Stop.NO_HEADER
    short = scan(bytes(small_wal().data[:31]))
    assert (short.header, short.stop) == (NoHeader.SHORT, Stop.NO_HEADER)


def test_frames_of_an_older_generation_do_not_count() -> None:
    wal = small_wal()
    wal.restart(salt2=99)
    assert (scan(bytes(wal.data)).frames, scan(bytes(wal.data)).stop) == (0, Stop.OTHER_GENERATION)
    wal.append(9, b"e" * 512, commit=9)
    found = scan(bytes(wal.data))
    assert (found.frames, found.pages, found.stop) == (1, {9: 1}, Stop.OTHER_GENERATION)


def test_pages_above_the_last_commit_are_left_out() -> None:
    wal = WalWriter()
    wal.append(9, b"a" * 512, commit=9)
    wal.append(1, b"b" * 512, commit=2)
    assert scan(bytes(wal.data)).pages == {1: 2}


def test_page_zero_has_its_own_name() -> None:
    wal = WalWriter()
    wal.append(1, bytes(512), commit=1)
    wal.append(0, bytes(512), commit=1)
    found = scan(bytes(wal.data))
    assert (found.frames, found.stop) == (1, Stop.PAGE_ZERO)


def test_done_is_said_as_soon_as_it_is_known_and_then_bytes_are_ignored() -> None:
    wal = small_wal()
    data = bytes(wal.data[: 32 + 536]) + bytes(536)
    scanner = Scanner()
    scanner.feed(data[:-1])
    assert not scanner.done
    scanner.feed(data[-1:])
    assert scanner.done
    settled = scanner.result()
    scanner.feed(bytes(wal.data[32 + 536 :]))
    assert scanner.result() == settled
    assert (settled.frames, settled.stop) == (1, Stop.OTHER_GENERATION)


def test_a_bad_header_settles_it_and_a_short_one_does_not() -> None:
    data = bytes(small_wal().data)
    scanner = Scanner()
    scanner.feed(b"\x00" + data[1:31])
    assert not scanner.done
    scanner.feed(data[31:32])
    assert scanner.done
    scanner.feed(data)
    assert (scanner.result().header, scanner.result().stop) == (NoHeader.BAD_MAGIC, Stop.NO_HEADER)


def test_a_result_is_a_value_of_its_moment() -> None:
    data = bytes(small_wal().data)
    scanner = Scanner()
    scanner.feed(data[: 32 + 536])
    early = scanner.result()
    scanner.feed(data[32 + 536 :])
    assert early.pages == {1: 1}
    assert scanner.result().pages == {2: 2, 1: 3}
