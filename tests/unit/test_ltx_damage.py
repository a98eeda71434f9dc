"""Files cut at every byte and with every single bit flipped: an LtxError, or exactly the same content.

The one part of a file that the format does not cover is the compressed bytes: the file checksum is over the pages
they expand to. A flipped bit there may go unnoticed only when the pages come out unchanged.
"""

from collections.abc import Callable, Sequence

import pytest

from litestreamd.ltx.errors import LtxError, Truncated
from tests.support import vectors
from tests.support.ltx_reading import Content, decode
from tests.support.ltx_writer import Frame, block_frame, old_frame, raw_file, raw_header

SMALL = 1000
FILES = {str(path.relative_to(vectors.ROOT)): path for path in vectors.ltx_files() if path.stat().st_size <= SMALL}
PAGES = [(1, bytes(512)), (3, bytes(range(256)) * 2), (9, b"ninety-nine " * 42 + b"........")]
PLAIN = raw_header()
SNAPSHOT = raw_header(min_txid=1, commit=1)
PROVEN = raw_header(reserved=b"\x80" + bytes(7) + b"\x80" + bytes(7) + b"LSD1")


def flipped(data: bytes, bit: int) -> bytes:
    damaged = bytearray(data)
    damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def compressed_bytes(frames: Sequence[Frame]) -> set[int]:
    """File offsets of the compressed bytes: all of a frame but its header."""
    covered: set[int] = set()
    position = len(raw_header())
    for frame in frames:
        start = position + len(frame.head)
        position = start + len(frame.body)
        covered.update(range(start, position))
    return covered


def unnoticed(data: bytes, sound: Content) -> set[int]:
    """Offsets of bytes in which a flipped bit raises nothing; fails when the content then differs."""
    offsets = set()
    for bit in range(8 * len(data)):
        try:
            content = decode(flipped(data, bit))
        except LtxError:
            continue
        assert content == sound, f"bit {bit % 8} of byte {bit // 8}"
        offsets.add(bit // 8)
    return offsets


@pytest.mark.parametrize("name", FILES)
def test_cut_real_files(name: str) -> None:
    data = FILES[name].read_bytes()
    for size in range(len(data)):
        with pytest.raises(Truncated):
            decode(data[:size])


@pytest.mark.parametrize("name", ["v5-basic-4096", "v5-vacuum-512", "v5-old-encoding-4096"])
def test_flipped_bits_of_real_files(name: str) -> None:
    path = min((path for path in FILES.values() if name in path.parts), key=lambda path: path.stat().st_size)
    data = path.read_bytes()
    unnoticed(data, decode(data))


@pytest.mark.parametrize("make", [block_frame, old_frame])
@pytest.mark.parametrize("header", [PLAIN, PROVEN, SNAPSHOT], ids=["plain", "proven", "snapshot"])
def test_only_compressed_bytes_are_not_covered(make: Callable[[int, bytes], Frame], header: bytes) -> None:
    frames = [make(*page) for page in PAGES[: 1 if header is SNAPSHOT else None]]
    data = raw_file(header, frames)
    assert unnoticed(data, decode(data)) <= compressed_bytes(frames)
    for size in range(len(data)):
        with pytest.raises(Truncated):
            decode(data[:size])
