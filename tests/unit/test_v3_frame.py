"""The LZ4 frame of a 0.3 object, in any portions, and the replay of a WAL that comes in parts."""

import random

import lz4.frame
import pytest

from litestreamd.basics.errors import DamagedData
from litestreamd.v3.frame import PIECE, FrameReader
from litestreamd.v3.names import SegmentName, SnapshotName, parse_segment, parse_snapshot
from litestreamd.wal.replay import Replay
from tests.support import vectors
from tests.support.v3_writer import packed
from tests.support.wal_writer import WalWriter

OBJECTS = sorted(path for name in vectors.names("v3-") for path in (vectors.ROOT / name / "replica").rglob("*.lz4"))
LARGE = random.Random(3).randbytes(9 << 20)


def unpack(body: bytes, portion: int) -> tuple[bytes, int]:
    """What is in it, and the largest piece."""
    reader, pieces = FrameReader(), [b""]
    for start in range(0, len(body), portion):
        pieces += reader.feed(body[start : start + portion])
    reader.finish()
    return b"".join(pieces), max(map(len, pieces))


@pytest.mark.parametrize("portion", [1, 7, 1 << 20])
@pytest.mark.parametrize("path", OBJECTS[::5], ids=lambda path: path.name)
def test_what_the_real_program_wrote(path: object, portion: int) -> None:
    body = path.read_bytes()  # type: ignore[attr-defined]
    assert unpack(body, portion)[0] == lz4.frame.decompress(body)


@pytest.mark.parametrize("data", [b"", b"x", LARGE, bytes(50 << 20)], ids=["empty", "byte", "dense", "sparse"])
@pytest.mark.parametrize("portion", [4097, 1 << 20])
def test_pieces_are_bounded(data: bytes, portion: int) -> None:
    out, largest = unpack(packed(data), portion)
    assert out == data
    assert largest <= PIECE


@pytest.mark.parametrize("portion", [1, 100, 1 << 20])
def test_every_cut_is_seen(portion: int) -> None:
    body = packed(b"what was written" * 20)
    for cut in range(len(body)):
        with pytest.raises(DamagedData, match=r"cut short|is empty"):
            unpack(body[:cut], portion)


def test_every_flipped_byte_is_seen() -> None:
    """Or it changes nothing: a bit of the format that says nothing about the bytes."""
    data = random.Random(1).randbytes(300) + b"what was written" * 20
    body = packed(data)
    for at in range(len(body)):
        for bit in (1, 128):
            broken = body[:at] + bytes([body[at] ^ bit]) + body[at + 1 :]
            try:
                assert unpack(broken, 1 << 20)[0] == data
            except DamagedData:
                continue


@pytest.mark.parametrize("tail", [b"\0", packed(b"more")])
@pytest.mark.parametrize("portion", [1, 1 << 20])
def test_nothing_may_follow(tail: bytes, portion: int) -> None:
    with pytest.raises(DamagedData, match="after its end"):
        unpack(packed(b"data") + tail, portion)


def test_names_are_read_back() -> None:
    generation = "0123456789abcdef"
    for name in (SnapshotName(generation, 0x7FFFFFFF), SnapshotName(generation, 0)):
        assert parse_snapshot(generation, name.path.rpartition("/")[2]) == name
    for offset in (0, 0xFFFFFFFF, 0x1_0000_0000, (1 << 64) - 1):
        segment = SegmentName(generation, 3, offset)
        assert parse_segment(generation, segment.path.rpartition("/")[2]) == segment


def wal(big_endian: bool) -> WalWriter:
    writer = WalWriter(512, big_endian)
    for number in range(1, 9):
        writer.append(number % 5 + 1, bytes([number]) * 512, commit=number if number % 3 == 0 else 0)
    writer.append(1, bytes([99]) * 512, commit=4)
    return writer


@pytest.mark.parametrize("big_endian", [True, False])
@pytest.mark.parametrize("portion", [1, 31, 32, 33, 535, 536, 4000, 1 << 20])
def test_replay_gives_every_frame_once_in_order(portion: int, big_endian: bool) -> None:
    data, replay, frames = bytes(wal(big_endian).data), Replay(), []
    for start in range(0, len(data), portion):
        frames += replay.feed(data[start : start + portion])
    assert [number for number, _ in frames] == [2, 3, 4, 5, 1, 2, 3, 4, 1]
    assert [image[0] for _, image in frames] == [1, 2, 3, 4, 5, 6, 7, 8, 99]
    assert {len(image) for _, image in frames} == {512}
    assert (replay.commit, replay.offset, replay.complete, replay.page_size) == (4, len(data), True, 512)


def test_replay_is_complete_only_after_a_commit() -> None:
    data, replay = bytes(wal(False).data), Replay()
    assert (replay.complete, replay.page_size, replay.commit) == (False, 0, 0)
    complete = []
    for start in (0, *range(32, len(data), 536)):
        list(replay.feed(data[start : 32 if start == 0 else start + 536]))
        complete.append(replay.complete)
    assert complete == [True, False, False, True, False, False, True, False, False, True]
    list(replay.feed(b"x"))
    assert not replay.complete


def test_replay_refuses_every_flipped_byte_of_a_frame() -> None:
    data = bytes(wal(True).data)
    for at in range(32, len(data), 37):
        broken = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
        replay = Replay()
        with pytest.raises(DamagedData, match=f"at byte {32 + (at - 32) // 536 * 536} of the WAL"):
            list(replay.feed(broken))
