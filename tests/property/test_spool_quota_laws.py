"""A full spool loses nothing: the laws of what leaves it."""

from hypothesis import given
from hypothesis import strategies as st

from litestreamd.plan.spool_quota import leaving

SIZES = st.lists(st.integers(1, 1000), max_size=30)
ROOM = st.integers(0, 20_000)


@given(SIZES, st.integers(1, 100), st.lists(st.integers(0, 140), max_size=4), ROOM)
def test_what_leaves_is_had_or_owed_and_no_more_leaves_than_must(
    sizes: list[int], first: int, reached: list[int], room: int
) -> None:
    entries = list(enumerate(sizes, first))
    covered = {f"r{number}": txid for number, txid in enumerate(reached)}
    found = leaving(entries, covered, room)
    gone = [txid for txid, _ in entries if txid <= found.through]
    for name, txid in covered.items():
        assert all(txid >= one or found.owed[name] <= txid for one in gone)
        assert name in found.owed or all(txid >= one for one in gone)
    assert all(found.owed[name] == covered[name] for name in found.owed)
    if entries:
        assert entries[-1][0] not in gone
    stored = sum(sizes)
    left = stored - sum(sizes[: len(gone)])
    if stored <= room:
        assert not gone
    else:
        assert left * 4 <= room * 3 or len(gone) == len(entries) - 1
    if gone:
        before = left + sizes[len(gone) - 1]
        assert before * 4 > room * 3


@given(SIZES, ROOM)
def test_a_second_look_finds_nothing_more_to_do(sizes: list[int], room: int) -> None:
    entries = list(enumerate(sizes, 1))
    first = leaving(entries, {"a": 0}, room)
    rest = [entry for entry in entries if entry[0] > first.through]
    assert leaving(rest, {"a": first.through}, room).through == 0
