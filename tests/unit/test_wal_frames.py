"""Where frames lie and what their headers say."""

import struct

import pytest

from litestreamd.wal.frames import FRAME_HEADER_SIZE, frame_offset, frame_size, parse_frames
from tests.support.wal_writer import WalWriter


def test_the_first_frame_follows_the_header() -> None:
    assert FRAME_HEADER_SIZE == 24
    assert frame_size(4096) == 4120
    assert frame_offset(1, 4096) == 32
    assert frame_offset(2, 4096) == 32 + 4120
    assert frame_offset(1_000_000, 65536) == 32 + 999_999 * 65560


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_header_fields(page_size: int) -> None:
    wal = WalWriter(page_size, salt1=0xDEADBEEF, salt2=0x00C0FFEE)
    wal.append(7, b"\xff" * page_size)
    wal.append(0xFFFFFFFF, bytes(page_size), commit=0x80000000)
    first, second = parse_frames(wal.data[32:], page_size)
    assert first == (7, 0, bytes.fromhex("deadbeef00c0ffee"), bytes(wal.data[48:56]))
    assert second[:2] == (0xFFFFFFFF, 0x80000000)


def test_no_bytes_are_no_frames() -> None:
    assert list(parse_frames(b"", 512)) == []


def test_part_of_a_frame_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(struct.error):
        list(parse_frames(bytes(537), 512))
