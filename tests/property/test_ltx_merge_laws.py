"""Laws of merging LTX files: it equals applying them one by one, and may be done in any grouping."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from litestreamd.basics.checksum import FLAG
from litestreamd.ltx.header import Header, Proof
from litestreamd.ltx.merge import merged_header
from tests.support.ltx_reading import merged_pages

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
