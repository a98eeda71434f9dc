"""Retention, by law: whatever a replica went through, what is promised stays, and in the end all is quiet."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from litestreamd.basics.clock import EPOCH
from litestreamd.basics.errors import NotAvailable
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.plan.points import restore_points
from litestreamd.plan.restore import AtTxid, Before, Latest, Stored, plan_restore
from litestreamd.plan.retention import expired, next_expiry_ms, promised
from litestreamd.plan.rules import Rules
from tests.support.grown_history import KINDS, ORDINARY, Deed, Grown, all_rules, deeds, reachable

lives = settings(max_examples=120, deadline=None)
life = st.tuples(all_rules, st.booleans(), deeds(KINDS))


def works(objects: list[Stored]) -> bool:
    try:
        plan_restore(objects, Latest())
    except NotAvailable:
        return False
    return True


def named_by_keep(grown: Grown) -> set[ObjectName]:
    """The newest image of each of the last hours, days and months that have one."""
    images = sorted((each.created_ms, each.name) for each in grown.objects if each.name.level == SNAPSHOT_LEVEL)
    found: set[ObjectName] = set()
    keep = grown.rules.keep
    for count, form in (
        (keep.hourly, "%Y%m%d%H"),
        (keep.daily, "%Y%m%d"),
        (keep.weekly, "%G%V"),
        (keep.monthly, "%Y%m"),
    ):
        newest = {(EPOCH + timedelta(milliseconds=ms)).strftime(form): name for ms, name in images}
        found.update(name for _, name in sorted(newest.items(), reverse=True)[:count])
    return found


def check_every_beginning(grown: Grown, deed: str) -> None:
    """Each beginning of the deletions leaves what is promised, and the newest state."""
    objects, rules, now = grown.objects, grown.rules, grown.now_ms
    wanted, newest = promised(objects, rules, now), works(list(objects))
    before = reachable(objects)
    assert wanted <= before
    assert max(before) in wanted
    assert {point.txid for point in restore_points(objects)} == before
    doomed = expired(objects, rules, now)
    assert len({stored.name for stored in doomed}) == len(doomed)
    left = {stored.name: stored for stored in objects}
    for stored in doomed:
        del left[stored.name]
        lost = wanted - reachable(left.values())
        assert not lost, f"{stored.name} takes {sorted(lost)}"
        assert not newest or works(list(left.values())), f"{stored.name} takes the newest state"
    points = restore_points(list(left.values()))
    rising = [point.created_ms for point in points] == sorted({point.created_ms for point in points})
    for point in points:
        assert plan_restore(list(left.values()), AtTxid(point.txid)).max_txid == point.txid
        if rising:
            by_time = plan_restore(list(left.values()), Before(point.created_ms + 1)).max_txid
            assert by_time >= point.txid
    for kept in named_by_keep(grown):
        assert kept in left, f"{kept} is named by keep"
    if any(stored.name.level == 0 for stored in objects):
        top = max(stored.name for stored in objects if stored.name.level == 0)
        assert top in left, "Litestream goes on from the newest level-0 object"


@lives
@given(life)
def test_what_is_promised_survives_every_beginning_of_the_deletions(story: tuple[Rules, bool, list[Deed]]) -> None:
    rules, litestream, steps = story
    grown = Grown(rules, check=check_every_beginning)
    grown.born(litestream)
    for deed in steps:
        grown.do(deed)


@lives
@given(life, st.integers(0, 400_000))
def test_when_the_next_deletion_is_due(story: tuple[Rules, bool, list[Deed]], later: int) -> None:
    rules, litestream, steps = story
    grown = Grown(rules)
    grown.born(litestream)
    for deed in steps:
        grown.do(deed)
    due = next_expiry_ms(grown.objects, rules, grown.now_ms)
    end_of_time = grown.now_ms + 10**12
    if due is None:
        for moment in (grown.now_ms, grown.now_ms + later, end_of_time):
            assert not expired(grown.objects, rules, moment)
    elif due <= grown.now_ms:
        assert expired(grown.objects, rules, grown.now_ms)
    else:
        assert not expired(grown.objects, rules, grown.now_ms)
        # With dates in the future it may turn out at that time that the time has not come: then it is named anew.
        assert expired(grown.objects, rules, due) or (next_expiry_ms(grown.objects, rules, due) or due + 1) > due
        single_check = round(rules.l0_check_s * 1000) + 1
        assert not expired(grown.objects, rules, max(grown.now_ms, due - single_check))


def check_every_moment(grown: Grown, deed: str) -> None:
    """Whatever was the newest change at a time inside the window: a state from at most one level-1 window before it
    can be restored."""
    rules, now = grown.rules, grown.now_ms
    start = now - round(rules.snapshot_retention_s * 1000)
    points = sorted(reachable(grown.objects))
    grain_ms = round((rules.levels_s or (0.001,))[0] * 1000)
    for txid in range(2, grown.txid + 1):
        changed = grown.times[txid]
        if changed <= start:
            continue
        earlier = [point for point in points if point <= txid]
        assert earlier, f"no state up to TXID {txid}"
        # A state is current until the change after it.
        until = changed if earlier[-1] == txid else grown.times[earlier[-1] + 1]
        assert until > changed - grain_ms, f"TXID {txid}: the state before it ended {changed - until} ms earlier"


@lives
@given(all_rules, deeds(ORDINARY))
def test_any_moment_inside_the_window_can_be_restored(rules: Rules, steps: list[Deed]) -> None:
    grown = Grown(rules, check=check_every_moment)
    grown.born(litestream=False)
    for deed in steps:
        grown.do(deed)


@lives
@given(all_rules, deeds([kind for kind in KINDS if kind not in ("reseed", "back")]), st.integers(1, 4))
def test_litestream_may_take_over_at_any_time(rules: Rules, steps: list[Deed], rounds: int) -> None:
    grown = Grown(rules)
    grown.born(litestream=False)
    for deed in steps:
        grown.do(deed)
    newest = grown.txid
    assert plan_restore(grown.objects, Latest()).max_txid == newest
    for _ in range(rounds):
        grown.litestream()
        assert plan_restore(grown.objects, Latest()).max_txid == newest
        grown.now_ms += 50_000


@lives
@given(life)
def test_after_the_last_commit_all_comes_to_rest(story: tuple[Rules, bool, list[Deed]]) -> None:
    rules, litestream, steps = story
    grown = Grown(rules)
    grown.born(litestream)
    for deed in steps:
        grown.do(deed)
    grown.now_ms = max([grown.now_ms, *(each.created_ms for each in grown.objects)])
    seconds = max(rules.snapshot_interval_s, *rules.levels_s, 0) + max(rules.snapshot_retention_s, rules.l0_retention_s)
    grown.elapse(round(1000 * (2 * seconds + 2 * rules.l0_check_s)) + 1000)
    assert grown.due_ms() is None
    if rules.levels_s and grown.txid > 1:
        merged = max(each.name.max_txid for each in grown.objects if each.name.level)
        assert merged == grown.txid, "level 0 waits for ever"
    before = grown.objects
    grown.elapse(10**12)
    assert grown.objects == before
