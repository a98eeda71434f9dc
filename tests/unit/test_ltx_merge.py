"""Merging: the newest image wins, headers are folded as Litestream's compaction does, contradictions are told."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from litestreamd.basics.checksum import FLAG
from litestreamd.ltx.decoder import Pages
from litestreamd.ltx.errors import ChecksumMismatch, Malformed
from litestreamd.ltx.header import Header, Proof
from litestreamd.ltx.merge import merge, merged_header

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


Page = tuple[int, bytes]


def batches(pages: list[Page], most: int = 2) -> list[Pages]:
    """The pages of a file, its blocks named after their images."""
    parts = [pages[start : start + most] for start in range(0, len(pages), most)]
    return [Pages([n for n, _ in part], [i for _, i in part], [b"block of " + i for _, i in part]) for part in parts]


def merged(inputs: list[list[Page]], commit: int, ahead: int = 4) -> list[Page]:
    """All pages of a merge, each with its own block."""
    out: list[Page] = []
    for pages in merge([batches(pages) for pages in inputs], commit, ahead, 3):
        assert list(pages.blocks) == [b"block of " + image for image in pages.images]
        assert 1 <= len(pages.numbers) <= 3
        out += pages.pages
    return out


@pytest.mark.parametrize("ahead", [1, 2, 4, 256])
def test_the_newest_image_wins(ahead: int) -> None:
    old, middle, new = [(1, b"a"), (2, b"a"), (9, b"a")], [(2, b"b"), (3, b"b")], [(3, b"c"), (4, b"c")]
    assert merged([old, middle, new], 9, ahead) == [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"c"), (9, b"a")]
    assert merged([old, middle, new], 3, ahead) == [(1, b"a"), (2, b"b"), (3, b"c")]
    assert merged([old, [], middle], 9, ahead) == [(1, b"a"), (2, b"b"), (3, b"b"), (9, b"a")]
    assert merged([], 3) == merged([[], []], 3) == []


def test_many_pages_of_many_inputs() -> None:
    chance = random.Random(3)
    inputs = [[(n, b"%d %d" % (n, age)) for n in range(1, 3000) if chance.random() < 0.3] for age in range(7)]
    expected: dict[int, bytes] = {}
    for pages in inputs:
        expected.update(pages)
    assert merged(inputs, 2500) == [(n, i) for n, i in sorted(expected.items()) if n <= 2500]


def test_inputs_are_read_to_their_end_though_their_pages_are_dropped() -> None:
    def failing() -> Iterator[Pages]:
        yield from batches([(1, b"a"), (9, b"a")])
        raise ChecksumMismatch("only known at the end")

    with pytest.raises(ChecksumMismatch):
        list(merge([failing(), batches([(1, b"b")])], 1))


def test_nothing_is_told_that_a_later_page_could_change() -> None:
    """Whatever comes out first is complete though other inputs go on."""
    told = []
    for pages in merge([batches([(n, b"a") for n in range(1, 99)]), batches([(98, b"b")])], 98, 4):
        told += pages.pages
    assert told == [*((n, b"a") for n in range(1, 98)), (98, b"b")]


def test_inputs_are_read_side_by_side() -> None:
    drawn = []

    def counted(name: str) -> Iterator[Pages]:
        for number in range(1, 101):
            drawn.append((name, number))
            yield from batches([(number, b"")])

    pages = merge([counted("a"), counted("b")], 100, 4)
    assert next(pages).numbers[0] == 1
    assert len(drawn) <= 8


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
