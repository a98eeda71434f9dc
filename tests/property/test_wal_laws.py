"""Laws of the WAL room: fast equals plain, portions do not matter, generated files read back as they were written."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litestreamd.wal.checksum import chain_in_python, checksum_in_python
from litestreamd.wal.commits import Scanner, Stop
from litestreamd.wal.index import IndexHeader, parse_index
from tests.support.wal_writer import WalWriter

WORD = st.integers(0, 0xFFFFFFFF)
SEED = st.tuples(WORD, WORD)
PAGE_SIZES = st.sampled_from([512, 1024, 4096])
# Each transaction: how many frames, and the database size it leaves.
TRANSACTIONS = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 12)), max_size=5)
GENERATIONS = st.lists(TRANSACTIONS, min_size=1, max_size=4)


def generated(page_size: int, big_endian: bool, generations: list[list[tuple[int, int]]], chance: int) -> WalWriter:
    """A WAL that lived through these generations; the last may end in an unfinished transaction."""
    draw = random.Random(chance)
    wal = WalWriter(page_size, big_endian, salt1=draw.getrandbits(32), salt2=draw.getrandbits(32))
    for number, transactions in enumerate(generations):
        if number:
            wal.restart(draw.getrandbits(32))
        for frames, size in transactions:
            for frame in range(frames):
                wal.append(draw.randint(1, 14), draw.randbytes(page_size), size if frame == frames - 1 else 0)
    for _ in range(draw.randint(0, 2)):
        wal.append(draw.randint(1, 14), draw.randbytes(page_size))
    return wal


@given(words=st.binary(max_size=4096), seed=SEED, big_endian=st.booleans(), tail=st.integers(0, 3))
def test_numpy_sums_as_python_does(words: bytes, seed: tuple[int, int], big_endian: bool, tail: int) -> None:
    linear = pytest.importorskip("litestreamd.wal.linear")
    data = (words * 9)[: len(words) * 9 // 8 * 8] + bytes(range(8)) * tail
    assert linear.checksum(data, big_endian, seed) == checksum_in_python(data, big_endian, seed)


@given(PAGE_SIZES, st.booleans(), GENERATIONS, st.integers(0), st.none() | st.integers(0))
def test_numpy_follows_the_chain_as_python_does(
    page_size: int, big_endian: bool, generations: list[list[tuple[int, int]]], chance: int, flip: int | None
) -> None:
    linear = pytest.importorskip("litestreamd.wal.linear")
    wal = generated(page_size, big_endian, generations, chance)
    seed = int.from_bytes(wal.data[24:28], "big"), int.from_bytes(wal.data[28:32], "big")
    frames = bytearray(wal.data[32:])
    if flip is not None and frames:
        frames[flip // 8 % len(frames)] ^= 1 << flip % 8
    plain = chain_in_python(frames, page_size, big_endian, wal.salts, seed)
    assert linear.count_valid(frames, page_size, big_endian, wal.salts, seed) == plain.valid


@given(PAGE_SIZES, st.booleans(), GENERATIONS, st.integers(0))
def test_a_generated_wal_reads_back_as_it_was_written(
    page_size: int, big_endian: bool, generations: list[list[tuple[int, int]]], chance: int
) -> None:
    wal = generated(page_size, big_endian, generations, chance)
    scanner = Scanner()
    scanner.feed(wal.data)
    found = scanner.result()
    assert (found.frames, found.commit, found.pages) == (wal.committed, wal.size, wal.expected_pages())
    assert found.end_offset == wal.end_offset()
    older_behind = len(wal.data) > 32 + wal.frames * (24 + page_size)
    assert found.stop is (Stop.OTHER_GENERATION if older_behind else Stop.END)


@given(PAGE_SIZES, st.booleans(), GENERATIONS, st.integers(0), st.lists(st.integers(0), max_size=8), st.integers(0))
def test_the_scanner_does_not_see_portions(
    page_size: int,
    big_endian: bool,
    generations: list[list[tuple[int, int]]],
    chance: int,
    places: list[int],
    length: int,
) -> None:
    data = bytes(generated(page_size, big_endian, generations, chance).data)
    data = data[: length % (len(data) + 1)]
    whole, parts = Scanner(), Scanner()
    whole.feed(data)
    cuts = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    for start, end in pairwise(cuts):
        parts.feed(data[start:end])
    assert parts.result() == whole.result()


@given(WORD, st.sampled_from([512, 4096, 65536]), st.booleans(), st.sampled_from(["little", "big"]), st.integers(0, 3))
def test_an_index_reads_back_as_it_was_written(
    change: int, page_size: int, big_endian: bool, byte_order: str, commits: int
) -> None:
    wal = WalWriter(page_size, big_endian)
    for number in range(commits):
        wal.append(1, bytes([number]) * page_size, commit=1)
    data = wal.index(change, backfilled=commits // 2, byte_order=byte_order)
    header = parse_index(data[:48], data, data[:48], byte_order)
    assert isinstance(header, IndexHeader)
    assert (header.change, header.page_size, header.max_frame) == (change, page_size, commits)
    assert (header.page_count, header.backfilled) == (min(commits, 1), commits // 2)
    assert (header.salts, header.big_endian_checksum) == (wal.salts, big_endian)
