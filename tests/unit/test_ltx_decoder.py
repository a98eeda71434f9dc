"""The decoder against files made by the book: both encodings, every rule, any portions, no bombs."""

import random

import lz4.block
import pytest

from litestreamd.basics.checksum import FLAG, lock_page, page_checksum, rolling
from litestreamd.ltx.decoder import Decoder, Pages
from litestreamd.ltx.errors import ChecksumMismatch, LtxError, Malformed, Truncated, Unsupported
from litestreamd.ltx.header import decode_header
from litestreamd.ltx.trailer import Trailer
from tests.support.ltx_reading import decode
from tests.support.ltx_writer import Frame, block_frame, index_of, old_frame, raw_file, raw_header

NOISE = random.Random(1)
PAGES = [(1, bytes(512)), (2, NOISE.randbytes(512)), (4, b"4" * 512), (7, NOISE.randbytes(512)), (9, b"nine" * 128)]
BLOCKS = [block_frame(*page) for page in PAGES]
OLD = [old_frame(*page) for page in PAGES]
MIXED = [new if number % 2 else old for (number, _), new, old in zip(PAGES, BLOCKS, OLD, strict=True)]
ENCODINGS = {"blocks": BLOCKS, "frames": OLD, "mixed": MIXED, "empty": []}


@pytest.mark.parametrize("frames", ENCODINGS.values(), ids=ENCODINGS)
@pytest.mark.parametrize("portion", [None, 1, 2, 9, 10, 99, 101, 512])
def test_files_in_any_portions(frames: list[Frame], portion: int | None) -> None:
    data = raw_file(raw_header(), frames)
    content = decode(data, portion)
    assert content.header == decode_header(data)
    assert content.pages == [(frame.number, frame.image) for frame in frames]
    assert content.trailer == Trailer(0, int.from_bytes(data[-8:]))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_caller_may_reuse_its_buffer(kind: type[bytes] | type[bytearray] | type[memoryview]) -> None:
    data, decoder = raw_file(raw_header(), BLOCKS), Decoder()
    scratch, events = bytearray(50), []
    for start in range(0, len(data), 50):
        part = data[start : start + 50]
        scratch[: len(part)] = part
        events += decoder.feed(kind(memoryview(scratch)[: len(part)]))
        scratch[:] = bytes(50)
    decoder.close()
    assert [page for event in events if isinstance(event, Pages) for page in event.pages] == PAGES


@pytest.mark.parametrize("options", [{"block_linked": True}, {"content_checksum": False}, {"store_size": True}])
@pytest.mark.parametrize("block_checksum", [False, True])
def test_lz4_frames_of_any_settings(options: dict[str, bool], block_checksum: bool) -> None:
    frames = [old_frame(number, image, block_checksum=block_checksum, **options) for number, image in PAGES]
    data = raw_file(raw_header(), frames)
    assert decode(data).pages == decode(data, 1).pages == PAGES


@pytest.mark.parametrize("mode", ["fast", "high_compression"])
def test_lz4_blocks_of_any_encoder(mode: str) -> None:
    frames = [block_frame(n, i, body=lz4.block.compress(i, mode=mode, store_size=False)) for n, i in PAGES]
    assert decode(raw_file(raw_header(), frames)).pages == PAGES


WRONG_FRAMES: dict[str, tuple[list[Frame], type[LtxError]]] = {
    "flag 2": ([block_frame(1, bytes(512), flags=3)], Unsupported),
    "flag bit 15": ([block_frame(1, bytes(512), flags=1 << 15)], Unsupported),
    "page 0": ([block_frame(0, bytes(512))], Malformed),
    "page 0, frame": ([old_frame(0, bytes(512))], Malformed),
    "descending": ([BLOCKS[1], BLOCKS[0]], Malformed),
    "twice": ([BLOCKS[1], BLOCKS[1]], Malformed),
    "twice, mixed": ([BLOCKS[1], OLD[1]], Malformed),
    "beyond commit": ([block_frame(10, bytes(512))], Malformed),
    "short page": ([block_frame(1, bytes(511))], Malformed),
    "long page": ([block_frame(1, bytes(513))], Malformed),
    "short frame": ([old_frame(1, bytes(511))], Malformed),
    "long frame": ([old_frame(1, bytes(513))], Malformed),
    "no block": ([block_frame(1, bytes(512), body=b"")], Malformed),
    "empty block": ([block_frame(1, bytes(512), body=b"\0")], Malformed),
    "bad block": ([block_frame(1, bytes(512), body=b"\xff" * 40)], Malformed),
    "bad frame": ([Frame(1, bytes(3) + b"\1" + bytes(2), b"x" * 40, bytes(512))], Malformed),
}


@pytest.mark.parametrize(("frames", "error"), WRONG_FRAMES.values(), ids=WRONG_FRAMES)
@pytest.mark.parametrize("portion", [None, 1])
def test_wrong_frames(frames: list[Frame], error: type[LtxError], portion: int | None) -> None:
    with pytest.raises(error):
        decode(raw_file(raw_header(), frames), portion)


@pytest.mark.parametrize("missing", range(9))
def test_a_snapshot_with_a_hole(missing: int) -> None:
    frames = [block_frame(number, bytes(512)) for number in range(1, 10)]
    del frames[missing]
    with pytest.raises(Malformed):
        decode(raw_file(raw_header(min_txid=1), frames))
    decode(raw_file(raw_header(min_txid=2), frames))


def test_a_stored_lock_page() -> None:
    lock = lock_page(65536)
    header = raw_header(page_size=65536, commit=lock + 1)
    frames = [block_frame(number, bytes(65536)) for number in (lock - 1, lock, lock + 1)]
    with pytest.raises(Malformed):
        decode(raw_file(header, frames))
    assert [number for number, _ in decode(raw_file(header, frames[::2])).pages] == [lock - 1, lock + 1]


@pytest.mark.parametrize(
    "index",
    [index_of(BLOCKS[:-1]), index_of(BLOCKS) + b"\0", index_of(OLD), b"\0", index_of([*BLOCKS, BLOCKS[-1]])],
)
def test_an_index_of_other_pages(index: bytes) -> None:
    """One that is far too short makes the file look cut."""
    with pytest.raises((Malformed, Truncated)):
        decode(raw_file(raw_header(), BLOCKS, index=index))


def test_a_wrong_checksum_and_bytes_after_the_end() -> None:
    data = raw_file(raw_header(), BLOCKS)
    with pytest.raises(ChecksumMismatch):
        decode(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(Malformed):
        decode(data + b"12345")
    decoder = Decoder()
    decoder.feed(data)
    decoder.feed(b"")
    for _ in range(2):
        with pytest.raises(Malformed):
            decoder.feed(b"x")
        with pytest.raises(LtxError):
            decoder.close()


def test_after_an_error_a_decoder_never_says_well_done() -> None:
    data = raw_file(raw_header(), BLOCKS)
    decoder = Decoder()
    with pytest.raises(ChecksumMismatch):
        decoder.feed(data[:-1] + b"x")
    with pytest.raises(LtxError):
        decoder.close()


def test_an_empty_file_is_truncated() -> None:
    with pytest.raises(Truncated):
        decode(b"")


FULL = [(number, bytes([number]) * 512) for number in range(1, 10)]
TOTAL = rolling(page_checksum(*page) for page in FULL)


class TestOwnDatabaseChecksums:
    """Header flags 0: LTX's own checksum fields, which Litestream never uses."""

    frames = tuple(block_frame(*page) for page in FULL)

    def test_a_snapshot_adds_up(self) -> None:
        data = raw_file(raw_header(flags=0, min_txid=1), list(self.frames), post_apply=TOTAL)
        assert decode(data).trailer.post_apply == TOTAL

    def test_a_snapshot_that_does_not(self) -> None:
        with pytest.raises(ChecksumMismatch):
            decode(raw_file(raw_header(flags=0, min_txid=1), list(self.frames), post_apply=TOTAL ^ 1))

    def test_a_delta_names_any_state(self) -> None:
        header = raw_header(flags=0, pre_apply=FLAG | 3)
        assert decode(raw_file(header, list(self.frames[2:5]), post_apply=FLAG | 5)).trailer.post_apply == FLAG | 5
        with pytest.raises(Malformed):
            decode(raw_file(header, list(self.frames[2:5]), post_apply=5))

    def test_none_is_none(self) -> None:
        with pytest.raises(Malformed):
            decode(raw_file(raw_header(), BLOCKS, post_apply=FLAG | 5))
