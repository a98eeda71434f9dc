"""The listing of a replica as it grows: commits, merges, images, deletions, clocks that jump, Litestream in between.

In: rules, then one deed after another. Out: a `Grown` whose `objects` are what a store would list, with what was ever
true of it: the time and the page size of every TXID. Nothing here has contents, and no step asks plan.retention what
is safe: `reachable` is its own walk.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import strategies as st

from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.plan.compaction import Merge, closing_merges, due_merges, next_merge_ms
from litestreamd.plan.restore import Stored
from litestreamd.plan.retention import expired, next_expiry_ms
from litestreamd.plan.rules import Keep, Rules
from litestreamd.plan.snapshots import next_snapshot_ms, snapshot_due
from tests.support.layouts import START_MS, Entry

Deed = tuple[str, int, int]


def reachable(objects: Iterable[Stored]) -> set[int]:
    """Every TXID that can be restored, slowly: whatever continues something that can be restored can be, too."""
    found: set[int] = set()
    for name in sorted((stored.name for stored in objects), key=lambda each: each.max_txid):
        starts = [0, *(txid for txid in found if txid < name.max_txid)]
        if name.level == SNAPSHOT_LEVEL or any(name.min_txid <= start + 1 for start in starts):
            found.add(name.max_txid)
    return found


@dataclass
class Grown:
    """One replica's life. `times`: when each TXID was committed, by the clock of its writer; `first_of_size`: TXIDs
    with which another page size began."""

    rules: Rules
    now_ms: int = START_MS
    txid: int = 0
    listed: dict[ObjectName, Entry] = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)
    first_of_size: set[int] = field(default_factory=set)
    check: Callable[["Grown", str], None] = lambda grown, deed: None

    @property
    def objects(self) -> list[Entry]:
        """The listing, as a store gives it."""
        return sorted(self.listed.values(), key=lambda each: each.name)

    def put(self, name: ObjectName, created_ms: int) -> None:
        assert name not in self.listed, f"{name} twice"
        self.listed[name] = Entry(name, created_ms)

    def stamp(self) -> int:
        """The time of the next TXID: it only grows, whatever the clock does."""
        return max(self.now_ms, self.times.get(self.txid, 0) + 1)

    def born(self, litestream: bool) -> None:
        """The first objects, as either program leaves them."""
        self.txid, self.times[1] = 1, self.now_ms
        if litestream:
            self.put(ObjectName(0, 1, 1), self.now_ms)
            return
        self.put(ObjectName(SNAPSHOT_LEVEL, 1, 1), self.now_ms)
        self.commit()

    def commit(self) -> None:
        stamp = self.stamp()
        self.txid += 1
        self.times[self.txid] = stamp
        self.put(ObjectName(0, self.txid, self.txid), stamp)

    def image(self, created_ms: int | None = None) -> None:
        """A full image of the newest state."""
        name = ObjectName(SNAPSHOT_LEVEL, 1, self.txid)
        if name not in self.listed:
            self.put(name, self.times[self.txid] if created_ms is None else created_ms)

    def reseed(self, hole: int) -> None:
        """TXIDs that this replica never sees, then a full image."""
        self._unseen(hole)
        self.commit()
        self.image()

    def change_page_size(self) -> None:
        self.commit()
        self.first_of_size.add(self.txid)
        self.image()

    def backlog(self, count: int, apart_ms: int) -> None:
        """The replica was away for `count` commits: they come merged, grouped by windows as compaction would have."""
        for merge in closing_merges(self.objects, self.rules):
            self.merge(merge)
        window_ms = max(1, round((self.rules.levels_s or (1.0,))[0] * 1000))
        portion: list[int] = []
        for _ in range(count):
            self.now_ms += apart_ms
            stamp = self.stamp()
            self.txid += 1
            self.times[self.txid] = stamp
            if portion and self.times[portion[-1]] // window_ms != stamp // window_ms:
                self._merged_backlog(portion)
                portion = []
            portion.append(self.txid)
        self._merged_backlog(portion)
        self.put(ObjectName(0, self.txid, self.txid), self.times[self.txid])

    def merge(self, merge: Merge) -> None:
        """Carry a merge out as the format demands it, or fail."""
        names = [stored.name for stored in merge.sources]
        assert len(names) >= 1 and all(name.level == merge.level - 1 for name in names)
        assert all(stored.name in self.listed for stored in merge.sources)
        for older, newer in pairwise(names):
            assert newer.min_txid <= older.max_txid + 1 and newer.max_txid > older.max_txid, f"{older}, {newer}"
        inside = range(names[0].min_txid + 1, names[-1].max_txid + 1)
        # Once the image is gone, no listing tells where the page size changed.
        images = {name.max_txid for name in self.listed if name.level == SNAPSHOT_LEVEL}
        assert not (self.first_of_size & images).intersection(inside), f"two page sizes in {merge.name}"
        self.put(merge.name, self.listed[names[-1]].created_ms)

    def compact(self, most: int = 10_000) -> None:
        """What is due, one after another; `most` of it."""
        while most and (due := due_merges(self.objects, self.rules, self.now_ms)):
            self.merge(due[0])
            most -= 1

    def snapshot(self) -> None:
        if snapshot_due(self.objects, self.rules, self.now_ms):
            self.image()

    def expire(self, most: int = 10_000) -> None:
        """A beginning of what may go."""
        for stored in expired(self.objects, self.rules, self.now_ms)[:most]:
            del self.listed[stored.name]

    def settle(self) -> None:
        """Everything that is due now, as the daemon does it: a snapshot may close a run that then can be merged."""
        before: dict[ObjectName, object] = {}
        while before != self.listed:
            before = dict(self.listed)
            self.compact()
            self.snapshot()
            self.expire()

    def due_ms(self) -> int | None:
        """When the daemon has to look again."""
        plans = (next_merge_ms, next_snapshot_ms, next_expiry_ms)
        dues = [plan(self.objects, self.rules, self.now_ms) for plan in plans]
        return min((due for due in dues if due is not None), default=None)

    def elapse(self, ms: int, most_rounds: int = 3000) -> None:
        """Let time pass with the daemon at work and nothing written."""
        end = self.now_ms + ms
        for _ in range(most_rounds):
            self.settle()
            due = self.due_ms()
            if due is None or due > end:
                self.now_ms = end
                return
            assert due > self.now_ms, "due, and yet nothing was done"
            self.now_ms = due
        raise AssertionError("the daemon comes to no rest")

    def litestream(self) -> None:
        """One round of Litestream 0.5.17: compaction of each level, then its retention, of a snapshot of its own."""
        for level in range(1, max(2, len(self.rules.levels_s) + 1)):
            self._litestream_compacts(level)
        self._litestream_retains()

    def do(self, deed: Deed) -> None:
        """One step of a random life."""
        kind, one, two = deed
        match kind:
            case "commit":
                for _ in range(one % 12 + 1):
                    self.now_ms += two
                    self.commit()
            case "sleep":
                self.now_ms += one * two
            case "back":
                self.now_ms -= one * two
            case "compact":
                self.compact(one % 4 + 1)
            case "snapshot":
                self.snapshot()
            case "expire":
                self.expire(one + 1)
            case "settle":
                self.settle()
            case "elapse":
                self.elapse(min(one * two, 200_000))
            case "reseed":
                self.reseed(one % 5)
            case "page size":
                self.change_page_size()
            case "backlog" if self.rules.levels_s:
                self.backlog(one % 9 + 1, two)
            case "litestream":
                self.litestream()
            case "litestream image":
                self.image(self.now_ms)
        self.check(self, kind)

    def _unseen(self, count: int) -> None:
        for _ in range(count):
            stamp = self.stamp()
            self.txid += 1
            self.times[self.txid] = stamp

    def _merged_backlog(self, portion: Sequence[int]) -> None:
        self.put(ObjectName(1, portion[0], portion[-1]), self.times[portion[-1]])

    def _litestream_compacts(self, level: int) -> None:
        """FORMATS: everything above the level's highest TXID becomes one object; refused where it does not follow."""
        names = sorted(self.listed)
        reached = max((name.max_txid for name in names if name.level == level), default=0)
        sources = [name for name in names if name.level == level - 1 and name.min_txid > reached]
        if not sources:
            return
        for older, newer in pairwise(sources):
            if newer.min_txid > older.max_txid + 1 or newer.max_txid <= older.max_txid:
                return
        if self.first_of_size.intersection(range(sources[0].min_txid + 1, sources[-1].max_txid + 1)):
            return
        name = ObjectName(level, sources[0].min_txid, sources[-1].max_txid)
        self.put(name, self.listed[sources[-1]].created_ms)

    def _litestream_retains(self) -> None:
        by_level = {level: [n for n in sorted(self.listed) if n.level == level] for level in range(SNAPSHOT_LEVEL + 1)}
        start = self.now_ms - round(self.rules.snapshot_retention_s * 1000)
        gone = [name for name in by_level[SNAPSHOT_LEVEL][:-1] if self.listed[name].created_ms < start]
        floor = max((name.max_txid for name in gone), default=0)
        for level in range(1, SNAPSHOT_LEVEL):
            gone += [name for name in by_level[level][:-1] if name.max_txid < floor]
        highest = max((name.max_txid for name in by_level[1]), default=0)
        young = self.now_ms - round(self.rules.l0_retention_s * 1000)
        for name in by_level[0][:-1]:
            if self.listed[name].created_ms > young or not self.rules.l0_retention_s:
                break
            if name.max_txid <= highest:
                gone.append(name)
        for name in gone:
            del self.listed[name]


SECOND = 1000
KINDS = (
    "commit", "commit", "commit", "sleep", "sleep", "back", "compact", "snapshot", "expire", "settle", "settle",
    "elapse", "reseed", "page size", "backlog", "litestream", "litestream image",
)  # fmt: skip
ORDINARY = ("commit", "commit", "sleep", "settle", "settle", "elapse", "expire", "compact", "snapshot")

all_rules = st.builds(
    Rules,
    levels_s=st.sampled_from([(), (1.0,), (1.0, 4.0), (0.05, 0.2, 1.0), (2.0, 10.0, 60.0), (30.0, 300.0, 3600.0)]),
    l0_retention_s=st.sampled_from([0.0, 0.5, 3.0, 20.0, 300.0]),
    l0_check_s=st.sampled_from([0.001, 1.0, 15.0]),
    snapshot_interval_s=st.sampled_from([0.5, 7.0, 30.0, 100.0]),
    snapshot_retention_s=st.sampled_from([0.0, 5.0, 50.0, 200.0]),
    keep=st.builds(Keep, *[st.sampled_from([0, 0, 1, 2]) for _ in range(4)]),
    enabled=st.sampled_from([True] * 19 + [False]),
)


def deeds(kinds: Sequence[str] = KINDS, most: int = 25) -> st.SearchStrategy[list[Deed]]:
    """Steps of a life, for `Grown.do`."""
    sizes = st.sampled_from([1, 7, 90, 500, SECOND, 5 * SECOND, 60 * SECOND, 3600 * SECOND])
    return st.lists(st.tuples(st.sampled_from(list(kinds)), st.integers(0, 60), sizes), min_size=1, max_size=most)
