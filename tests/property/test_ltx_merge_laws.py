"""Laws of merging LTX files: it equals applying them one by one, and may be done in any grouping."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litestreamd.basics.checksum import FLAG, page_checksum, rolling
from litestreamd.jobs.compact import Compaction, Input
from litestreamd.ltx.header import Header, Proof, decode_header
from litestreamd.ltx.merge import merged_header
from litestreamd.ltx.names import ObjectName
from tests.support.ltx_reading import merged_pages
from tests.support.ltx_writer import Frame, block_frame, old_frame, raw_file

checksums = st.integers(FLAG, (1 << 64) - 1)


@st.composite
def chains(draw: st.DrawFn) -> list[tuple[int, dict[int, bytes]]]:
    """(commit, pages) of files that follow each other: what grows is covered, as the format promises."""
    chain, commit = [], 0
    for age in range(draw(st.integers(1, 6))):
        before, commit = commit, draw(st.integers(1, 12))
        changed = draw(st.sets(st.integers(1, commit))) | set(range(before + 1, commit + 1))
        chain.append((commit, {number: b"%d of %d" % (number, age) for number in sorted(changed)}))
    return chain


def fold(chain: list[tuple[int, dict[int, bytes]]]) -> tuple[int, dict[int, bytes]]:
    commit = chain[-1][0]
    return commit, dict(merged_pages([pages.items() for _, pages in chain], commit))


@given(chains())
def test_merging_equals_applying_one_by_one(chain: list[tuple[int, dict[int, bytes]]]) -> None:
    database: dict[int, bytes] = {}
    for commit, pages in chain:
        database = {number: image for number, image in {**database, **pages}.items() if number <= commit}
    commit, merged = fold(chain)
    assert merged == database
    assert list(merged) == list(range(1, commit + 1))


@given(chains(), st.data())
def test_merging_is_associative(chain: list[tuple[int, dict[int, bytes]]], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(chain) - 1))
    end = data.draw(st.integers(start + 1, len(chain)))
    assert fold([*chain[:start], fold(chain[start:end]), *chain[end:]]) == fold(chain)


@dataclass(frozen=True)
class File:
    """A file of a chain; the frames are what is in it."""

    header: Header
    frames: list[Frame]

    @property
    def input(self) -> Input:
        return as_input(raw_file(self.header.encode(), self.frames))


def as_input(data: bytes) -> Input:
    """Under its own name, in chunks that end anywhere."""

    def read() -> Iterator[bytes]:
        yield from (data[start : start + 777] for start in range(0, len(data), 777))

    header = decode_header(data)
    return Input(ObjectName(0, header.min_txid, header.max_txid), len(data), read)


def image(chance: random.Random, page_size: int) -> bytes:
    """Zeros, words or noise."""
    noise = chance.choice((0, page_size // 8, page_size))
    return chance.randbytes(noise) + chance.choice((b"\0", b"some words ")) * page_size


@st.composite
def file_chains(draw: st.DrawFn) -> list[File]:
    """Files that follow each other: databases that grow and shrink, both encodings in turn, with proofs or without."""
    page_size, first = 1 << draw(st.integers(9, 16)), draw(st.integers(1, 3))
    proven, chance = draw(st.booleans()), random.Random(draw(st.integers(0, 1 << 20)))
    makers = draw(st.sampled_from([(block_frame,), (old_frame,), (block_frame, old_frame)]))
    files: list[File] = []
    state: dict[int, bytes] = {}
    for txid, (commit, pages) in enumerate(draw(chains()), first):
        before = rolling(page_checksum(*page) for page in state.items())
        numbers = pages if files or first == 1 else draw(st.sets(st.integers(1, commit), min_size=1))
        images = {number: image(chance, page_size)[:page_size] for number in sorted(numbers)}
        state = {number: page for number, page in {**state, **images}.items() if number <= commit}
        after = rolling(page_checksum(*page) for page in state.items())
        header = Header(page_size, commit, txid, txid, txid, proof=Proof(before, after) if proven else None)
        files.append(File(header, [chance.choice(makers)(*page) for page in images.items()]))
    return files


def apply(state: dict[int, Frame], file: File) -> dict[int, Frame]:
    """What replaying a file makes of the pages."""
    newer = {**state, **{frame.number: frame for frame in file.frames}}
    return {number: frame for number, frame in newer.items() if number <= file.header.commit}


def merged(inputs: list[Input]) -> bytes:
    return b"".join(Compaction(inputs).body())


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(file_chains())
def test_a_merged_file_is_by_the_book(files: list[File]) -> None:
    """Every byte of it: blocks as they were written, the newest of each page; what had none is compressed."""
    frames: dict[int, Frame] = reduce(apply, files, {})
    expected = [f if f.head[4:6] == b"\0\1" else block_frame(f.number, f.image) for _, f in sorted(frames.items())]
    header = merged_header([file.header for file in files])
    assert (header.proof is None) == (files[0].header.proof is None)
    assert merged([file.input for file in files]) == raw_file(header.encode(), expected)


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(file_chains(), st.data())
def test_merging_files_is_associative(files: list[File], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(files) - 1))
    end = data.draw(st.integers(start + 1, len(files)))
    inputs = [file.input for file in files]
    assert merged([*inputs[:start], as_input(merged(inputs[start:end])), *inputs[end:]]) == merged(inputs)


@given(
    st.lists(st.none() | checksums, min_size=2, max_size=8),
    st.lists(st.integers(1, 5), min_size=8, max_size=8),
    st.data(),
)
def test_merging_headers_is_associative(states: list[int | None], spans: list[int], data: st.DataObject) -> None:
    chain, txid = [], 1
    for (before, after), span in zip(pairwise(states), spans, strict=False):
        proof = Proof(before, after) if before and after else None
        chain.append(Header(512, span, txid, txid + span - 1, span * 7, proof=proof))
        txid += span
    start = data.draw(st.integers(0, len(chain) - 1))
    end = data.draw(st.integers(start + 1, len(chain)))
    assert merged_header([*chain[:start], merged_header(chain[start:end]), *chain[end:]]) == merged_header(chain)
