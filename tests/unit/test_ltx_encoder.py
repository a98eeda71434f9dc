"""The encoder: byte for byte what the book says, in any portions, and nothing that breaks a rule."""

import io
import random

import lz4.block
import pytest

from litestreamd.basics.checksum import FLAG, Buffer, lock_page
from litestreamd.ltx.encoder import Encoder, Summary
from litestreamd.ltx.errors import Malformed, Unsupported
from litestreamd.ltx.header import Header, decode_header
from tests.support.ltx_reading import decode
from tests.support.ltx_writer import block_frame, raw_file, raw_header

Page = tuple[int, bytes]
HEADER = decode_header(raw_header())
SNAPSHOT = Header(page_size=512, commit=9, min_txid=1, max_txid=4, timestamp_ms=7)
PAGES = [(number, bytes([number]) * 512) for number in range(1, 10)]


def written(header: Header, *portions: list[Page]) -> bytes:
    out = io.BytesIO()
    encoder = Encoder(header, out.write)
    for portion in portions:
        encoder.add(portion)
    summary = encoder.finish()
    data = out.getvalue()
    assert summary == Summary(len(data), int.from_bytes(data[-8:]), sum(map(len, portions)))
    return data


def test_a_file_equals_the_book() -> None:
    book = raw_file(HEADER.encode(), [block_frame(*page) for page in PAGES])
    assert written(HEADER, PAGES) == book
    assert written(HEADER, PAGES[:1], [], PAGES[1:5], PAGES[5:]) == book


def test_a_file_without_pages() -> None:
    assert written(HEADER) == raw_file(HEADER.encode(), [])


def test_the_header_is_written_at_once() -> None:
    out = io.BytesIO()
    Encoder(HEADER, out.write)
    assert out.getvalue() == HEADER.encode()


def test_pages_of_any_buffer_type() -> None:
    buffers: list[tuple[int, Buffer]] = [
        (1, memoryview(PAGES[0][1])),
        (2, bytearray(PAGES[1][1])),
        (3, memoryview(bytearray(PAGES[2][1]))),
    ]
    out = io.BytesIO()
    encoder = Encoder(HEADER, out.write)
    encoder.add(iter(buffers))
    encoder.finish()
    assert out.getvalue() == written(HEADER, PAGES[:3])


@pytest.mark.parametrize("page_size", [1 << bit for bit in range(9, 17)])
def test_incompressible_pages(page_size: int) -> None:
    noise, count = random.Random(page_size), (1 << 20) // page_size
    header = Header(page_size=page_size, commit=count, min_txid=1, max_txid=1, timestamp_ms=0)
    pages = [(number, noise.randbytes(page_size)) for number in range(1, count + 1)]
    data = written(header, pages)
    assert len(data) > count * page_size
    assert decode(data).pages == pages


def test_finished_blocks_are_copied() -> None:
    hard = [lz4.block.compress(image, mode="high_compression", store_size=False) for _, image in PAGES]
    frames = [(number, block, image) for (number, image), block in zip(PAGES, hard, strict=True)]
    out = io.BytesIO()
    encoder = Encoder(HEADER, out.write)
    encoder.add_frames(*zip(*frames[:4], strict=True))
    encoder.add(PAGES[4:5])
    encoder.add_frames(*zip(*frames[5:], strict=True))
    encoder.finish()
    bodies = [hard[place] if place != 4 else None for place in range(9)]
    frames_by_the_book = [block_frame(n, image, body=body) for (n, image), body in zip(PAGES, bodies, strict=True)]
    assert out.getvalue() == raw_file(HEADER.encode(), frames_by_the_book)


@pytest.mark.parametrize(
    "portions",
    [
        [[PAGES[1], PAGES[0]]],
        [[PAGES[1]], [PAGES[0]]],
        [[PAGES[1]], [PAGES[1]]],
        [[PAGES[1], PAGES[1]]],
        [[(0, PAGES[0][1])]],
        [[(10, PAGES[0][1])]],
        [[(1 << 32, PAGES[0][1])]],
        [[(1, bytes(511))]],
        [[(1, bytes(512)), (2, bytes(513))]],
        [[(1, b"")]],
    ],
)
def test_pages_that_break_a_rule(portions: list[list[Page]]) -> None:
    with pytest.raises(Malformed):
        written(HEADER, *portions)


@pytest.mark.parametrize("missing", range(9))
def test_a_snapshot_lacks_no_page(missing: int) -> None:
    pages = PAGES[:missing] + PAGES[missing + 1 :]
    with pytest.raises(Malformed):
        written(SNAPSHOT, pages)
    with pytest.raises(Malformed):
        written(SNAPSHOT, PAGES[:missing], PAGES[missing + 1 :])
    written(HEADER, pages)


def test_an_oversized_or_wrong_block_is_not_copied() -> None:
    encoder = Encoder(HEADER, io.BytesIO().write)
    with pytest.raises(Malformed):
        encoder.add_frames([1], [bytes(531)], [bytes(512)])
    with pytest.raises(Malformed):
        encoder.add_frames([1], [b"\0"], [bytes(511)])


def test_own_database_checksums_are_not_written() -> None:
    with pytest.raises(Unsupported):
        Encoder(decode_header(raw_header(flags=0, pre_apply=FLAG)), io.BytesIO().write)


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_the_lock_page_is_never_stored(page_size: int) -> None:
    lock = lock_page(page_size)
    header = Header(page_size=page_size, commit=lock + 1, min_txid=2, max_txid=2, timestamp_ms=0)
    around = [(lock - 1, bytes(page_size)), (lock + 1, bytes(page_size))]
    assert decode(written(header, around)).pages == around
    with pytest.raises(Malformed):
        written(header, [around[0], (lock, bytes(page_size)), around[1]])


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_snapshot_skips_the_lock_page(beyond: int) -> None:
    page, lock = bytes(65536), lock_page(65536)
    header = Header(page_size=65536, commit=lock + beyond, min_txid=1, max_txid=1, timestamp_ms=0)
    last = [(lock + 1, page)] * beyond
    encoder = Encoder(header, lambda _: None)
    encoder.add((number, page) for number in range(1, lock))
    encoder.add(last)
    assert encoder.finish().pages == lock - 1 + beyond
    with pytest.raises(Malformed):
        encoder.add([(lock, page)])
