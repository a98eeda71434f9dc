"""The page index: written in its shortest form, read back strictly, found from the end of a file."""

import tracemalloc
from hashlib import sha256

import pytest

from litestreamd.ltx.errors import LtxError, Malformed, Truncated
from litestreamd.ltx.header import decode_header
from litestreamd.ltx.index import (
    TAIL_SIZE,
    IndexLog,
    IndexProof,
    PageIndex,
    index_windows,
    locate_index,
    parse_index,
)
from litestreamd.ltx.varint import decode_column, encode_column, encode_varint, split_varints
from tests.support.ltx_writer import Frame, block_frame, index_of, raw_file, raw_header, varint

EDGES = sorted({max(0, (1 << bit) + step) for bit in range(0, 64, 7) for step in (-1, 0, 1)})
HEADER = decode_header(raw_header(commit=9))
FRAMES = [block_frame(number, bytes([number]) * 512) for number in (2, 3, 5, 9)]
OFFSET = 100 + sum(len(frame.head) + len(frame.body) for frame in FRAMES) + 6


def parsed(entries: bytes, offset: int = OFFSET) -> PageIndex:
    return parse_index(entries, offset, HEADER)


def entry(number: int, offset: int, length: int) -> bytes:
    return varint(number) + varint(offset) + varint(length)


@pytest.mark.parametrize("value", EDGES)
def test_a_varint(value: int) -> None:
    assert encode_varint(value) == varint(value)


@pytest.mark.parametrize("start", [0, 1, 127, 16383, 16384, (1 << 21) - 3, (1 << 28) - 3, (1 << 32) - 600])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_column(start: int, step: int) -> None:
    values = list(range(start, start + 500 * step, step))
    assert list(encode_column(values, values[0], values[-1])) == [varint(value) for value in values]
    assert decode_column([varint(value) for value in values]) == values


def test_a_wide_column_takes_no_table_of_what_lies_between() -> None:
    values = [1 << 14, (1 << 32) - 1]
    encode_varint(values[0])  # makes the tables that all columns share
    tracemalloc.start()
    assert list(encode_column(values, values[0], values[-1])) == [varint(value) for value in values]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


def test_splitting_leaves_an_unfinished_number_out() -> None:
    assert split_varints(varint(5) + varint(300) + b"\x80") == [varint(5), varint(300)]
    assert split_varints(memoryview(varint(300))) == [varint(300)]


def test_the_log_equals_the_book() -> None:
    log = IndexLog()
    lengths = [len(frame.head) + len(frame.body) for frame in FRAMES]
    log.extend([2], lengths[:1])
    log.extend([3, 5, 9], lengths[1:])
    book = index_of(FRAMES)
    assert log.encode() == book + len(book).to_bytes(8)
    assert (log.pages, log.offset) == (4, OFFSET - 6)


def test_an_index_is_found_and_read() -> None:
    data = raw_file(raw_header(), FRAMES)
    offset, length = locate_index(data[-TAIL_SIZE:], len(data))
    assert (offset, length) == locate_index(data[-100:], len(data)) == (OFFSET, len(index_of(FRAMES)))
    index = parsed(data[offset : offset + length], offset)
    assert list(index.numbers) == [2, 3, 5, 9]
    for frame, start, size in zip(FRAMES, index.offsets, index.lengths, strict=True):
        assert data[start : start + size] == frame.head + frame.body


def test_a_file_without_pages() -> None:
    index = parse_index(b"\0", 106, HEADER)
    assert not index.numbers


def test_a_long_index_is_read_in_windows() -> None:
    header = decode_header(raw_header(page_size=4096, commit=1 << 20))
    frames = [Frame(number, bytes(10), bytes(17 + number % 3000), b"") for number in range(3, 200_000, 7)]
    size = sum(len(frame.head) + len(frame.body) for frame in frames)
    index = parse_index(index_of(frames), 100 + size + 6, header)
    assert list(index.numbers) == [frame.number for frame in frames]
    assert index.offsets[-1] + index.lengths[-1] == 100 + size


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 21, 22, 1000, 70_000])
def test_an_index_may_come_in_any_pieces(size: int) -> None:
    header = decode_header(raw_header(page_size=4096, commit=1 << 20))
    frames = [Frame(number, bytes(10), bytes(17 + number % 3000), b"") for number in range(3, 20_000, 7)]
    end = sum(len(frame.head) + len(frame.body) for frame in frames) + 106
    data = index_of(frames)
    windows = list(index_windows((data[at : at + size] for at in range(0, len(data), size)), end, header))
    assert [number for window in windows for number in window.numbers] == [frame.number for frame in frames]
    assert size > 1000 or len(windows) > 1
    for cut in (data[:-1], data[:-2], data + b"\0", data[:-1] + b"\1"):
        with pytest.raises(Malformed):
            list(index_windows((cut[at : at + size] for at in range(0, len(cut), size)), end, header))


def test_what_an_index_must_be_is_known_without_holding_it() -> None:
    log, proof = IndexLog(), IndexProof()
    for each in (log, proof):
        each.extend([2, 3], [70, 80])
        each.extend([9], [1000])
    assert proof.end() == sha256(log.encode()).digest()
    assert proof.size == len(log.encode())


@pytest.mark.parametrize(
    "entries",
    [
        b"",
        b"\1",
        entry(2, 100, 20),
        entry(2, 100, 20)[:-1] + b"\0",
        entry(3, 100, 20) + entry(2, 120, 20) + b"\0",
        entry(2, 100, 20) + entry(2, 120, 20) + b"\0",
        entry(2, 100, 20) + entry(3, 121, 20) + b"\0",
        entry(2, 101, 20) + b"\0",
        entry(10, 100, 20) + b"\0",
        entry(0, 100, 20) + b"\0",
        entry(2, 100, 6) + b"\0",
        entry(2, 100, 1 << 20) + b"\0",
        entry(2, 100, 20) + varint(3) + b"\0",
        entry(2, 100, 20) + b"\x80" * 5 + b"\0",
        b"\x82\0" + entry(0, 100, 20)[1:] + b"\0",
        b"\x82\x80\x80\x80\x80\x01" + entry(0, 100, 20)[1:] + b"\0",
        index_of(FRAMES) + b"\0",
        index_of(FRAMES[:-1]),
        index_of(FRAMES)[:-1] + b"\1",
    ],
)
def test_bad_indexes(entries: bytes) -> None:
    with pytest.raises(Malformed):
        parsed(entries)


@pytest.mark.parametrize(("length", "allowed"), [(6, False), (7, True), (600, True), (601, False)])
def test_frame_lengths(length: int, allowed: bool) -> None:
    """A page of 512 bytes is at most a block of 530 in a frame of 64 more, behind 6 bytes of number and flags."""
    entries = entry(2, 100, length) + b"\0"
    if allowed:
        assert list(parsed(entries, 106 + length).lengths) == [length]
    else:
        with pytest.raises(Malformed):
            parsed(entries, 106 + length)


def test_a_snapshot_without_its_last_pages() -> None:
    snapshot = decode_header(raw_header(min_txid=1, commit=2))
    whole = [block_frame(number, bytes(512)) for number in (1, 2)]
    for frames, allowed in ((whole, True), (whole[:1], False), ([], False)):
        end = 100 + sum(len(frame.head) + len(frame.body) for frame in frames) + 6
        if allowed:
            assert list(parse_index(index_of(frames), end, snapshot).numbers) == [1, 2]
        else:
            with pytest.raises(Malformed):
                parse_index(index_of(frames), end, snapshot)


def test_an_index_elsewhere_is_refused() -> None:
    with pytest.raises(Malformed):
        parsed(index_of(FRAMES), OFFSET + 1)


def test_every_cut_is_noticed() -> None:
    entries = index_of(FRAMES)
    for size in range(len(entries)):
        with pytest.raises(LtxError):
            parsed(entries[:size])


def test_every_flipped_bit_is_noticed_but_in_a_page_number_that_stays_in_order() -> None:
    """An index alone cannot tell page 5 from page 4: reading the frame, which names its page, does."""
    entries, sound = index_of(FRAMES), parsed(index_of(FRAMES))
    for bit in range(8 * len(entries)):
        damaged = bytearray(entries)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            index = parsed(bytes(damaged))
        except LtxError:
            continue
        assert sum(a != b for a, b in zip(index.numbers, sound.numbers, strict=True)) == 1
        assert (index.offsets, index.lengths) == (sound.offsets, sound.lengths)


@pytest.mark.parametrize(
    ("length", "file_size", "error"),
    [(0, 500, Malformed), (371, 500, Malformed), ((1 << 64) - 1, 500, Malformed), (1, 130, Truncated)],
)
def test_impossible_places(length: int, file_size: int, error: type[LtxError]) -> None:
    with pytest.raises(error):
        locate_index(length.to_bytes(8) + bytes(16), file_size)


def test_a_short_tail_is_truncated() -> None:
    with pytest.raises(Truncated):
        locate_index(bytes(TAIL_SIZE - 1), 500)
