"""Which objects of a replica become one of the next level, and when (LTX file format, "compaction").

In: a listing, the rules, the time. Out: merges, the lowest level first. Promised: the sources of a merge follow each
other without a hole and stand on one level; the result overlaps nothing on its own level.

Where this differs from Litestream, which merges whatever has gathered since the level's last object:

* Sources are grouped by the windows of wall time in which they were made, so that a late merge leaves as many points in
  time as a punctual one.
* A full image (from TXID 1) is never a source: no database-sized copy climbs the ladder.
* From level 2 on a single source waits for a sibling: the level below restores as well.
* Runs on both sides of a hole are merged each by itself, and a run is cut where a full image stands, because the page
  size may have changed there. So no level is ever stuck.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.plan.restore import Stored
from litestreamd.plan.rules import Rules

FAN_IN = 128
"""The most sources of one merge."""

FUTURE = 16
"""So many sources dated in the future (a clock went back) do not wait for their window to end."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Sources of level `level` - 1, oldest first, that become one object of `level`."""

    level: int
    sources: tuple[Stored, ...]

    @property
    def name(self) -> ObjectName:
        """What the result is called."""
        return ObjectName(self.level, self.sources[0].name.min_txid, self.sources[-1].name.max_txid)


def due_merges(objects: Sequence[Stored], rules: Rules, now_ms: int) -> list[Merge]:
    """What is to be merged now. Ask again after carrying out the first: it may be a source for the next level."""
    return [merge for merge in _merges(objects, rules) if _due_ms(merge, rules, now_ms) <= now_ms]


def next_merge_ms(objects: Sequence[Stored], rules: Rules, now_ms: int) -> int | None:
    """When the next merge will be due, if nothing else comes; None: never."""
    return min((_due_ms(merge, rules, now_ms) for merge in _merges(objects, rules)), default=None)


def closing_merges(objects: Sequence[Stored], rules: Rules) -> list[Merge]:
    """What brings level 1 up to the newest level-0 object, whether the windows are over or not."""
    return [merge for merge in _merges(objects, rules) if merge.level == 1]


def _due_ms(merge: Merge, rules: Rules, now_ms: int) -> int:
    """The end of the newest source's window."""
    newest = max(stored.created_ms for stored in merge.sources)
    if newest > now_ms and len(merge.sources) >= FUTURE:
        return now_ms
    interval_ms = _interval_ms(rules, merge.level)
    return (newest // interval_ms + 1) * interval_ms


def _merges(objects: Sequence[Stored], rules: Rules) -> Iterator[Merge]:
    by_level: list[list[Stored]] = [[] for _ in range(SNAPSHOT_LEVEL + 1)]
    for stored in objects:
        by_level[stored.name.level].append(stored)
    images = {stored.name.max_txid for stored in by_level[SNAPSHOT_LEVEL]}
    for level in range(1, len(rules.levels_s) + 1):
        reached = max((stored.name.max_txid for stored in by_level[level]), default=0)
        fresh = [stored for stored in by_level[level - 1] if stored.name.min_txid > max(reached, 1)]
        for run in _runs(fresh, images):
            for piece in _pieces(run, _interval_ms(rules, level), fewest=min(level, 2)):
                if len(piece) >= min(level, 2):
                    yield Merge(level, tuple(piece))


def _runs(sources: Sequence[Stored], images: set[int]) -> Iterator[list[Stored]]:
    """Stretches without a hole, cut before and after each TXID that a full image stands at."""
    run: list[Stored] = []
    for stored in sorted(sources, key=lambda each: (each.name.min_txid, -each.name.max_txid)):
        low, high = stored.name.min_txid, stored.name.max_txid
        end = run[-1].name.max_txid if run else 0
        if run and high <= end:
            continue
        if run and (low > end + 1 or (low == end + 1 and (low in images or end in images))):
            yield run
            run = []
        run.append(stored)
    if run:
        yield run


def _pieces(run: Sequence[Stored], interval_ms: int, fewest: int) -> Iterator[list[Stored]]:
    """One piece a window; never cut where two sources overlap, nor with fewer than `fewest`."""
    piece: list[Stored] = []
    for stored in run:
        if piece and _cut(piece, stored, interval_ms, fewest):
            yield piece
            piece = []
        piece.append(stored)
    yield piece


def _cut(piece: Sequence[Stored], following: Stored, interval_ms: int, fewest: int) -> bool:
    last = piece[-1]
    if following.name.min_txid != last.name.max_txid + 1 or len(piece) < fewest:
        return False
    return len(piece) >= FAN_IN or following.created_ms // interval_ms != last.created_ms // interval_ms


def _interval_ms(rules: Rules, level: int) -> int:
    return max(1, round(rules.levels_s[level - 1] * 1000))
