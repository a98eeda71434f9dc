"""Compaction: one object of several, its blocks copied, every damage told with the culprit's name."""

from collections.abc import Iterator, Sequence

import lz4.block

from litestreamd.jobs.compact import Compaction, Input
from litestreamd.ltx.header import Header, Proof
from litestreamd.ltx.names import ObjectName
from tests.support.ltx_writer import Frame, block_frame, raw_file

Content = dict[int, bytes]
SIZE = 512


def page(text: str) -> bytes:
    return (text * SIZE).encode()[:SIZE]


def hard(number: int, image: bytes) -> Frame:
    """A frame that our own compressor would not write."""
    return block_frame(number, image, body=lz4.block.compress(image, mode="high_compression", store_size=False))


def chunks(data: bytes, size: int = 100) -> Iterator[bytes]:
    yield from (data[start : start + size] for start in range(0, len(data), size))


def given(data: bytes, low: int, high: int | None = None, level: int = 0) -> Input:
    return Input(ObjectName(level, low, high or low), len(data), lambda: chunks(data), "file:///r")


def merged(inputs: Sequence[Input]) -> bytes:
    return b"".join(Compaction(inputs).body())


def header(low: int, high: int, commit: int, proof: Proof | None = None) -> Header:
    return Header(SIZE, commit, low, high, 1000 + high, wal_offset=32, wal_size=536, salt1=1, salt2=2, proof=proof)


FIRST = {number: page(f"{number} first ") for number in range(1, 10)}
SECOND = {2: page("2 second "), 9: page("9 second "), 10: page("10 second "), 11: page("11 second ")}
THIRD = {2: page("2 third "), 5: page("5 third ")}
RESULT = {**FIRST, **SECOND, **THIRD}
"""The third file ends with 10 pages."""
del RESULT[11]


def file(head: Header, pages: Content, make=hard) -> bytes:
    return raw_file(head.encode(), [make(*each) for each in pages.items()])


ONE, TWO, THREE = (
    file(header(1, 1, 9), FIRST),
    file(header(2, 2, 11), SECOND),
    file(header(3, 3, 10), THIRD),
)
CHAIN = [given(ONE, 1), given(TWO, 2), given(THREE, 3)]


def test_three_become_one_with_their_blocks_as_they_are() -> None:
    compaction = Compaction(CHAIN)
    assert compaction.header == Header(SIZE, 10, 1, 3, 1003)
    assert b"".join(compaction.body()) == raw_file(
        compaction.header.encode(), [hard(*p) for p in sorted(RESULT.items())]
    )
