"""Histories that grow, are merged, imaged and let go at random moments: what was promised stays, nothing piles up."""

import itertools
import random
from dataclasses import dataclass, field, replace
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from litestreamd.basics.errors import NotAvailable
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.plan.chains import chains
from litestreamd.plan.compaction import FAN_IN, Merge, closing_merges, due_merges, next_merge_ms
from litestreamd.plan.findings import Kind, findings
from litestreamd.plan.points import around_time, around_txid, next_loss, restore_points
from litestreamd.plan.restore import AtTxid, Before, Latest, plan_restore
from litestreamd.plan.retention import expired, kept_snapshots, next_expiry_ms, promised
from litestreamd.plan.rules import Keep, Rules
from litestreamd.plan.snapshots import next_snapshot_ms, snapshot_due
from tests.support.layouts import START_MS, Entry, layouts

counts = st.integers(0, 3)


@st.composite
def all_rules(draw: st.DrawFn) -> Rules:
    """Seconds instead of hours, so that a hundred steps are days; the named snapshots go by real hours and days."""
    first = draw(st.sampled_from([1.0, 3.0, 7.5]))
    factors = draw(st.lists(st.sampled_from([2, 5, 10]), max_size=2))
    levels = [first]
    for factor in factors:
        levels.append(levels[-1] * factor)
    return Rules(
        levels_s=tuple(levels) if draw(st.integers(0, 9)) else (),
        l0_retention_s=draw(st.sampled_from([0.0, 2.0, 10.0, 300.0])),
        l0_check_s=draw(st.sampled_from([0.5, 3.0])),
        snapshot_interval_s=draw(st.sampled_from([20.0, 100.0, 5000.0])),
        snapshot_retention_s=draw(st.sampled_from([5.0, 60.0, 400.0])),
        keep=draw(st.builds(Keep, counts, counts, counts, counts)),
        enabled=draw(st.integers(0, 9)) > 0,
    )


@dataclass
class Root:
    """A listing that the decisions are carried out on. `steady`: the clock never went back, nothing is dated late."""

    rules: Rules
    now: int = START_MS
    last_ms: int = 0
    head: int = 0
    objects: dict[ObjectName, Entry] = field(default_factory=dict)
    ever: set[ObjectName] = field(default_factory=set)
    steady: bool = True

    def listing(self) -> list[Entry]:
        return list(self.objects.values())

    def put(self, level: int, low: int, high: int, created_ms: int) -> None:
        name = ObjectName(level, low, high)
        assert name not in self.objects, f"{name} exists"
        assert level == 0 or name not in self.ever, f"{name} is made twice"
        if 0 < level < SNAPSHOT_LEVEL:
            assert all(
                other.level != level or other.max_txid < low or other.min_txid > high for other in self.objects
            ), f"{name} overlaps"
        self.ever.add(name)
        self.objects[name] = Entry(name, created_ms)

    def commit(self) -> None:
        """As litestreamd does: header times strictly increase."""
        self.last_ms = max(self.now, self.last_ms + 1)
        self.head += 1
        self.put(0, self.head, self.head, self.last_ms)

    def start(self, like_litestream: bool) -> None:
        if not like_litestream:
            self.head = 1
        self.commit()
        self.put(SNAPSHOT_LEVEL, 1, 1, self.last_ms + (700 if like_litestream else 0))

    def late_snapshot(self, later_ms: int) -> None:
        """As Litestream does: dated when it is taken."""
        name = ObjectName(SNAPSHOT_LEVEL, 1, self.head)
        if name not in self.objects:
            self.put(SNAPSHOT_LEVEL, 1, self.head, self.last_ms + later_ms)

    def reseed(self) -> None:
        """The replica had to be left behind: an image leads over the hole."""
        self.head += 3
        self.commit()
        self.put(SNAPSHOT_LEVEL, 1, self.head, self.last_ms)

    def backlog(self, count: int) -> None:
        """Away for a while: level 1 is closed, then one merged object, then its newest file."""
        if not self.rules.levels_s:
            return
        for merge in closing_merges(self.listing(), self.rules):
            self.merge(merge)
        first = self.head + 1
        self.head += count
        self.last_ms = max(self.now, self.last_ms + 1)
        self.put(1, first, self.head, self.last_ms)
        self.put(0, self.head, self.head, self.last_ms)

    def merge(self, merge: Merge) -> None:
        sources = [each.name for each in merge.sources]
        assert 1 <= len(sources) <= FAN_IN
        assert all(name.level == merge.level - 1 and name in self.objects for name in sources)
        assert all(a.max_txid + 1 == b.min_txid for a, b in itertools.pairwise(sources))
        self.put(merge.name.level, merge.name.min_txid, merge.name.max_txid, merge.sources[-1].created_ms)

    def work(self, checked: bool = True) -> bool:
        """Everything that is due, in the order of jobs/history; whether something was."""
        worked = False
        while merges := due_merges(self.listing(), self.rules, self.now):
            self.merge(merges[0])
            worked = True
        if snapshot_due(self.listing(), self.rules, self.now):
            self.put(SNAPSHOT_LEVEL, 1, self.head, self.last_ms)
            worked = True
        doomed = expired(self.listing(), self.rules, self.now)
        if doomed and checked:
            self.check_deletions(doomed)
        for each in doomed:
            del self.objects[each.name]
        return worked or bool(doomed)

    def check_deletions(self, doomed: tuple[Entry, ...]) -> None:
        """After each prefix: whatever the rules promise (as the words say it, not as the code decides it)."""
        before = self.listing()
        points = {point.txid: point.created_ms for point in restore_points(before)}
        expected = in_words(before, self.rules, self.now)
        told = promised(before, self.rules, self.now)
        assert expected <= told, f"not promised: {sorted(expected - told)}"
        assert told <= set(points)
        newest = plan_restore(before, Latest()).max_txid
        reach = max(self.rules.snapshot_retention_s, self.rules.l0_retention_s) * 1000
        left = list(before)
        cuts = {1, len(doomed) // 2, len(doomed)} if len(doomed) > 6 else set(range(len(doomed) + 1))
        for count, each in enumerate(doomed, start=1):
            left.remove(each)
            if count not in cuts:
                continue
            assert plan_restore(left, Latest()).max_txid == newest
            reachable = {point.txid for point in restore_points(left)}
            assert told <= reachable, f"{each.name} was needed for {sorted(told - reachable)}"
            for txid in told:
                assert plan_restore(left, AtTxid(txid)).max_txid == txid
                if points[txid] >= self.now - reach:
                    assert plan_restore(left, Before(points[txid] + 1)).max_txid >= txid
            check_continuation(before, left)

    def next_due(self) -> int | None:
        dues = [
            plan(self.listing(), self.rules, self.now) for plan in (next_merge_ms, next_snapshot_ms, next_expiry_ms)
        ]
        return min((due for due in dues if due is not None), default=None)


def in_words(objects: list[Entry], rules: Rules, now: int) -> set[int]:
    """What has to stay reachable: the newest state; points of the window that something above level 0 ends at; single
    ones for their time; the state at the beginning of the window; named snapshots."""
    points = restore_points(objects)
    if not points:
        return set()
    begin = now - rules.snapshot_retention_s * 1000
    above = {each.name.max_txid for each in objects if each.name.level}
    single = {each.name.max_txid for each in objects if each.name.level == 0}
    found = {points[-1].txid}
    found |= {point.txid for point in points if point.txid in above and point.created_ms > begin}
    young = now - rules.l0_retention_s * 1000 if rules.l0_retention_s else begin
    found |= {point.txid for point in points if point.txid in single and point.created_ms > young}
    return found | {name.max_txid for name in kept_snapshots(objects, rules.keep)}


def check_continuation(before: list[Entry], left: list[Entry]) -> None:
    """Litestream may go on: the newest level-0 file is there, and each level-0 file that went is held elsewhere, or
    older than a snapshot that stays."""
    for level in range(SNAPSHOT_LEVEL + 1):
        names = [each.name for each in before if each.name.level == level]
        if names:
            newest = max(names, key=lambda name: name.max_txid)
            assert newest in {each.name for each in left}
    names = {each.name for each in left}
    above = [name for name in names if name.level]
    for each in before:
        name = each.name
        if name.level == 0 and name not in names:
            assert any(other.min_txid <= name.min_txid and other.max_txid >= name.max_txid for other in above), (
                f"{name} is held by nothing"
            )


def grow(root: Root, chance: random.Random, steps: int, weird: bool) -> None:
    root.start(like_litestream=chance.random() < 0.4)
    for _ in range(steps):
        draw = chance.random()
        if draw < 0.62:
            for _ in range(chance.choice((1, 1, 2, 5))):
                root.now += chance.choice((0, 1, 200, 1000, 1500, 4000))
                root.commit()
        elif draw < 0.75:
            root.now += chance.choice((3000, 20_000, 90_000, 500_000))
        elif draw < 0.80:
            root.backlog(chance.randrange(1, 5))
        elif draw < 0.83:
            root.reseed()
        elif draw < 0.88 and weird:
            root.late_snapshot(chance.choice((0, 1, 900, 5000)))
        elif draw < 0.90 and weird:
            root.now -= chance.choice((10, 2500, 60_000))
        if chance.random() < 0.5:
            root.work()


@settings(max_examples=150, deadline=None)
@given(all_rules(), st.integers(0, 1 << 32), st.integers(1, 60), st.booleans())
def test_what_is_promised_stays(rules: Rules, seed: int, steps: int, weird: bool) -> None:
    root = Root(rules)
    grow(root, random.Random(seed), steps, weird)
    root.work()
    assert plan_restore(root.listing(), Latest()).max_txid == root.head


@settings(max_examples=150, deadline=None)
@given(all_rules(), st.integers(0, 1 << 32), st.integers(1, 40), st.booleans())
def test_what_is_said_to_be_due_is_due_and_it_ends(rules: Rules, seed: int, steps: int, weird: bool) -> None:
    root = Root(rules)
    grow(root, random.Random(seed), steps, weird)
    rounds = 0
    while (due := root.next_due()) is not None:
        assert due >= root.now
        root.now = due
        decided = (
            bool(due_merges(root.listing(), rules, due)),
            snapshot_due(root.listing(), rules, due),
            bool(expired(root.listing(), rules, due)),
        )
        told = [plan(root.listing(), rules, due) for plan in (next_merge_ms, next_snapshot_ms, next_expiry_ms)]
        assert decided == tuple(each == due for each in told), (decided, told, due)
        assert root.work(checked=False)
        rounds += 1
        assert rounds < 2000, "it never comes to rest"
    root.now += 10**12
    assert not root.work(), "idle for ever, and still something to do"


@settings(max_examples=30, deadline=None)
@given(all_rules(), st.integers(0, 1 << 32))
def test_the_number_of_objects_is_bounded(rules: Rules, seed: int) -> None:
    """A busy database, looked after in time: per level one object a window (and one for each FAN_IN sources) as far
    back as the oldest base can be, level 0 for its retention, snapshots one each interval, and the named ones."""
    rules = replace(rules, enabled=True, levels_s=rules.levels_s or (2.0,), l0_retention_s=rules.l0_retention_s or 5.0)
    chance = random.Random(seed)
    root = Root(rules)
    root.start(like_litestream=False)
    each_s = chance.choice((0.3, 1.0, 4.0))
    for _ in range(600):
        root.now += round(each_s * 1000)
        root.commit()
        root.work(checked=False)
        assert len(root.objects) <= most_objects(rules, each_s)


def most_objects(rules: Rules, commit_s: float) -> float:
    reach = max(rules.snapshot_retention_s, rules.l0_retention_s) + 2 * rules.snapshot_interval_s
    singles = (rules.l0_retention_s + rules.l0_check_s + 2 * rules.levels_s[0]) / commit_s + 3
    merged = sum(ceil(reach / interval) + ceil(reach / commit_s / FAN_IN) + 3 for interval in rules.levels_s)
    keep = rules.keep
    return (
        singles + merged + reach / rules.snapshot_interval_s + 3 + keep.hourly + keep.daily + keep.weekly + keep.monthly
    )


@given(layouts())
def test_restore_points_are_what_can_be_restored(objects: list[Entry]) -> None:
    points = restore_points(objects)
    reachable = {}
    for txid in range(1, 16):
        try:
            reachable[txid] = plan_restore(objects, AtTxid(txid)).steps[-1]
        except NotAvailable:
            continue
    assert [point.txid for point in points] == sorted(reachable)
    for point in points:
        last = reachable[point.txid]
        assert (point.level, point.size) == (last.name.level, last.size)
        assert reached(objects, point.created_ms + 1) >= point.txid
        earlier = [each for each in objects if each.created_ms < point.created_ms]
        assert point.txid not in {each.txid for each in restore_points(earlier)}, "it was there before"


def reached(objects: list[Entry], ms: float) -> int:
    try:
        return plan_restore(objects, Before(ms)).max_txid
    except NotAvailable:
        return 0


@given(layouts(), st.integers(0, 30))
def test_around_a_time_is_what_a_restore_gives(objects: list[Entry], half: int) -> None:
    points, ms = restore_points(objects), START_MS + half / 2
    around = around_time(points, ms)
    assert (around.chosen.txid if around.chosen else 0) == reached(objects, ms)
    for txid in range(16):
        near = around_txid(points, txid)
        assert near.exact == any(point.txid == txid for point in points)
        assert near.chosen == max((p for p in points if p.txid <= txid), key=lambda p: p.txid, default=None)
        assert near.later == min((p for p in points if p.txid > txid), key=lambda p: p.txid, default=None)


@given(layouts(), all_rules(), st.integers(0, 1000), st.integers(0, 20))
def test_any_listing_is_digested(objects: list[Entry], rules: Rules, seconds: int, back: int) -> None:
    """As odd as it can be: no promised TXID is lost, no level gets overlaps that it did not have, and it ends."""
    root = Root(rules, START_MS + seconds * 1000 - back * 500)
    root.objects = {each.name: each for each in objects}
    links = chains(objects)
    assert {link.txid for link in links} == {point.txid for point in restore_points(objects)}
    for link in links:
        assert link.before is None or link.stored.name.min_txid - 1 <= link.before.txid < link.txid
        assert link.before is not None or link.stored.name.min_txid == 1 or link.stored.name.level == SNAPSHOT_LEVEL
    for _ in range(60):
        while merges := due_merges(root.listing(), rules, root.now):
            root.merge(merges[0])
        told = promised(root.listing(), rules, root.now)
        for each in expired(root.listing(), rules, root.now):
            del root.objects[each.name]
            assert told <= {point.txid for point in restore_points(root.listing())}
        dues = [plan(root.listing(), rules, root.now) for plan in (next_merge_ms, next_expiry_ms)]
        due = min((due for due in dues if due is not None), default=None)
        if due is None:
            return
        assert due > root.now
        root.now = due
    raise AssertionError("it never comes to rest")


@settings(max_examples=60, deadline=None)
@given(all_rules(), st.integers(0, 1 << 32), st.integers(1, 40))
def test_the_next_loss_comes_true(rules: Rules, seed: int, steps: int) -> None:
    root = Root(rules)
    grow(root, random.Random(seed), steps, weird=False)
    loss = next_loss(root.listing(), rules, root.now)
    if loss is None:
        return
    gone = {each.name for each in expired(root.listing(), rules, loss.when_ms)}
    left = {point.txid for point in restore_points([each for each in root.listing() if each.name not in gone])}
    assert {point.txid for point in loss.points} & left == set()
    if loss.when_ms == root.now:
        return  # it is due already, perhaps for long
    gone = {each.name for each in expired(root.listing(), rules, loss.when_ms - 1)}
    left = {point.txid for point in restore_points([each for each in root.listing() if each.name not in gone])}
    assert {point.txid for point in restore_points(root.listing())} == left


@settings(max_examples=60, deadline=None)
@given(all_rules(), st.integers(0, 1 << 32), st.integers(1, 40))
def test_an_ordinary_history_is_not_odd(rules: Rules, seed: int, steps: int) -> None:
    """Apart from the holes that a reseeding leaves, nothing is found."""
    root = Root(rules)
    grow(root, random.Random(seed), steps, weird=True)
    for finding in findings(root.listing()):
        assert finding.kind is Kind.HOLE, finding.sentence
