"""Merging: the newest image wins, headers are folded as Litestream's compaction does, contradictions are told."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from litestreamd.basics.checksum import FLAG
from litestreamd.ltx.decoder import Event, Pages
from litestreamd.ltx.errors import ChecksumMismatch, Malformed
from litestreamd.ltx.header import Header, Proof
from litestreamd.ltx.merge import merge, merged_header, page_stream
from litestreamd.ltx.trailer import Trailer

FIRST = Header(
    page_size=512,
    commit=9,
    min_txid=4,
    max_txid=6,
    timestamp_ms=100,
    wal_offset=32,
    wal_size=536,
    salt1=1,
    salt2=2,
    node_id=3,
    proof=Proof(FLAG | 1, FLAG | 2),
)
SECOND = replace(FIRST, min_txid=7, max_txid=7, commit=7, timestamp_ms=90, proof=Proof(FLAG | 2, FLAG | 3))


def test_the_newest_image_wins() -> None:
    old, middle, new = [(1, b"a"), (2, b"a"), (9, b"a")], [(2, b"b"), (3, b"b")], [(3, b"c"), (4, b"c")]
    assert list(merge([old, middle, new], 9)) == [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"c"), (9, b"a")]
    assert list(merge([old, middle, new], 3)) == [(1, b"a"), (2, b"b"), (3, b"c")]
    assert list(merge([], 3)) == []


def test_inputs_are_read_to_their_end_though_their_pages_are_dropped() -> None:
    def failing() -> Iterator[tuple[int, bytes]]:
        yield 1, b"a"
        yield 9, b"a"
        raise ChecksumMismatch("only known at the end")

    with pytest.raises(ChecksumMismatch):
        list(merge([failing(), [(1, b"b")]], 1))


def test_inputs_are_read_side_by_side() -> None:
    drawn = []

    def counted(name: str) -> Iterator[tuple[int, bytes]]:
        for number in range(1, 101):
            drawn.append((name, number))
            yield number, b""

    pages = merge([counted("a"), counted("b")], 100)
    assert next(pages) == (1, b"")
    assert len(drawn) <= 4


def test_pages_of_events() -> None:
    events: list[Event] = [FIRST, Pages([(1, b"a"), (2, b"b")]), Pages([]), Pages([(3, b"c")]), Trailer(0, FLAG)]
    assert list(page_stream(events)) == [(1, b"a"), (2, b"b"), (3, b"c")]


def test_a_merged_header() -> None:
    assert merged_header([FIRST, SECOND]) == Header(
        page_size=512, commit=7, min_txid=4, max_txid=7, timestamp_ms=90, proof=Proof(FLAG | 1, FLAG | 3)
    )
    assert merged_header([FIRST]) == replace(FIRST, wal_offset=0, wal_size=0, salt1=0, salt2=0, node_id=0)


@pytest.mark.parametrize(
    "headers",
    [
        [FIRST, replace(SECOND, min_txid=8, max_txid=8)],
        [FIRST, replace(SECOND, min_txid=6, max_txid=6)],
        [SECOND, FIRST],
        [FIRST, FIRST],
        [FIRST, replace(SECOND, page_size=1024)],
    ],
)
def test_files_that_do_not_follow_each_other(headers: list[Header]) -> None:
    with pytest.raises(Malformed):
        merged_header(headers)


def test_an_unproven_input_makes_an_unproven_output() -> None:
    assert merged_header([replace(FIRST, proof=None), SECOND]).proof is None
    assert merged_header([FIRST, replace(SECOND, proof=None)]).proof is None
    assert merged_header([replace(FIRST, proof=None)]).proof is None


def test_an_overlap_is_allowed_but_not_proven() -> None:
    overlapping = replace(SECOND, min_txid=5, proof=Proof(FLAG | 77, FLAG | 3))
    merged = merged_header([FIRST, overlapping])
    assert (merged.min_txid, merged.max_txid, merged.proof) == (4, 7, None)


def test_a_contradiction_is_told_even_beside_unproven_files() -> None:
    third = replace(SECOND, min_txid=8, max_txid=8, proof=Proof(FLAG | 9, FLAG | 4))
    for headers in ([FIRST, SECOND, third], [replace(FIRST, proof=None), SECOND, third]):
        with pytest.raises(ChecksumMismatch):
            merged_header(headers)
