"""Merges, by law: sound whatever the listing went through, and due exactly when they are said to be."""

from hypothesis import given, settings
from hypothesis import strategies as st

from litestreamd.plan.compaction import FUTURE, due_merges, next_merge_ms
from litestreamd.plan.rules import Rules
from tests.support.grown_history import KINDS, Deed, Grown, all_rules, deeds

lives = settings(max_examples=150, deadline=None)
life = st.tuples(all_rules, st.booleans(), deeds(KINDS))


def check_merges(grown: Grown, deed: str) -> None:
    before = dict(grown.listed)
    ends = {level: max((n.max_txid for n in before if n.level == level), default=0) for level in range(9)}
    for merge in due_merges(grown.objects, grown.rules, grown.now_ms):
        assert merge.sources[0].name.min_txid > ends[merge.level], "overlaps its level"
        ends[merge.level] = merge.name.max_txid
        interval_ms = round(grown.rules.levels_s[merge.level - 1] * 1000)
        newest_ms = max(stored.created_ms for stored in merge.sources)
        waiting = [stored for stored in grown.objects if stored.name.level == merge.level - 1]
        over = newest_ms // interval_ms < grown.now_ms // interval_ms
        assert over or len(waiting) >= FUTURE, "its window is not over"
        grown.merge(merge)
    grown.listed = before
    due = next_merge_ms(grown.objects, grown.rules, grown.now_ms)
    assert bool(due_merges(grown.objects, grown.rules, grown.now_ms)) == (due is not None and due <= grown.now_ms)
    if due is not None:
        assert due_merges(grown.objects, grown.rules, due)
    else:
        assert not due_merges(grown.objects, grown.rules, grown.now_ms + 10**12)


@lives
@given(life)
def test_merges_are_sound_at_any_time(story: tuple[Rules, bool, list[Deed]]) -> None:
    rules, litestream, steps = story
    grown = Grown(rules, check=check_merges)
    grown.born(litestream)
    for deed in steps:
        grown.do(deed)
