"""What a replica may let go, and what it must keep.

In: a complete listing, rules, the time. Out: objects to delete; when there will be some; the TXIDs that stay reachable.
Promised, whatever part of the deletions is done: the newest state; within the window every point that an object above
level 0 ends at (and, for `l0_retention_s`, every single one), and the state at the window's beginning; the snapshots
that `keep` names. Litestream can go on afterwards: the newest object of each level stays, and a level-0 file goes only
when something else holds what it holds, or when nothing in the window needs it.

The window is cut at snapshots: the newest one that is older than the window is its *base*. For each object this says
from when on it may go; what the way to a promised point leads over stays as long as the point.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from math import ceil, inf

from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.plan.chains import Link, chains
from litestreamd.plan.restore import Stored
from litestreamd.plan.rules import Keep, Rules

_DAY_MS = 86_400_000
_DAY_ZERO = date(1970, 1, 1).toordinal()


def expired(objects: Sequence[Stored], rules: Rules, now_ms: int) -> tuple[Stored, ...]:
    """What is to be deleted now, in this order: level 0 from the oldest on, then the levels above from the newest on
    (what is left still has what it continues), then snapshots."""
    if not rules.enabled:
        return ()
    ends = _Terms(objects, rules, now_ms).of_objects()
    return tuple(sorted((stored for stored, end in ends if end <= now_ms), key=_turn))


def next_expiry_ms(objects: Sequence[Stored], rules: Rules, now_ms: int) -> int | None:
    """When something of what is there now may be deleted (`now_ms`: something may); None: never."""
    if not rules.enabled:
        return None
    first = min((end for _, end in _Terms(objects, rules, now_ms).of_objects()), default=inf)
    return None if first == inf else max(now_ms, ceil(first))


def expiry_times(objects: Sequence[Stored], rules: Rules, now_ms: int) -> list[int]:
    """All times, ascending, at which something of what is there now may be deleted; `now_ms` if it is over."""
    if not rules.enabled:
        return []
    ends = {max(now_ms, ceil(end)) for _, end in _Terms(objects, rules, now_ms).of_objects() if end != inf}
    return sorted(ends)


def promised(objects: Sequence[Stored], rules: Rules, now_ms: int) -> frozenset[int]:
    """The TXIDs that stay reachable through every deletion that is due now."""
    terms = _Terms(objects, rules, now_ms)
    if not rules.enabled:
        return frozenset(link.txid for link in terms.links)
    return terms.promised()


def _turn(stored: Stored) -> tuple[int, int, int]:
    name = stored.name
    if name.level == 0:
        return (0, name.min_txid, name.max_txid)
    return (2, name.max_txid, 0) if name.level == SNAPSHOT_LEVEL else (1, -name.max_txid, name.level)


@dataclass(frozen=True, slots=True)
class _Bases:
    """Snapshots ascending by TXID, and from when on each may be the base of the window."""

    txids: list[int]
    terms: list[int]

    def reaching(self, txid: int) -> float:
        """When the base will have this TXID."""
        return self._term(bisect_left(self.txids, txid))

    def beyond(self, txid: int) -> float:
        """When the base will be newer than this TXID."""
        return self._term(bisect_right(self.txids, txid))

    def _term(self, at: int) -> float:
        return self.terms[at] if at < len(self.terms) else inf


class _Terms:
    """From when on each point is no longer promised, and each object no longer needed: ms since 1970, or infinite."""

    def __init__(self, objects: Sequence[Stored], rules: Rules, now_ms: int) -> None:
        self.links = chains(objects)
        self._head = max((link.txid for link in self.links), default=0)
        self._objects = objects
        self._now_ms = now_ms
        self._single_ms = round(rules.l0_retention_s * 1000)
        self._check_ms = max(1, round(rules.l0_check_s * 1000))
        self._reach_ms = max(round(rules.snapshot_retention_s * 1000), self._single_ms)
        self._times = _times(objects, now_ms)
        self._bases = self._found_bases()
        self._covers = _Covers(objects)
        self._kept = kept_snapshots(objects, rules.keep)
        self._ways = self._ends_of_ways()

    def of_objects(self) -> list[tuple[Stored, float]]:
        """Each object with the moment from which on it may go."""
        newest: dict[int, Stored] = {}
        for stored in self._objects:
            if stored.name.level not in newest or stored.name.max_txid > newest[stored.name.level].name.max_txid:
                newest[stored.name.level] = stored
        last = {stored.name for stored in newest.values()}
        return [(stored, inf if stored.name in last else self._of(stored)) for stored in self._objects]

    def promised(self) -> frozenset[int]:
        """TXIDs whose term is not over, and those of the snapshots that stay."""
        points = {link.txid for link in self.links if not link.late and self._of_point(link) > self._now_ms}
        for stored, end in self.of_objects():
            if stored.name.level == SNAPSHOT_LEVEL and end > self._now_ms:
                points.add(stored.name.max_txid)
        return frozenset(points)

    def _of(self, stored: Stored) -> float:
        name = stored.name
        needed = self._ways.get(name, -inf)
        if name.level == SNAPSHOT_LEVEL:
            return inf if name in self._kept else max(needed, self._bases.beyond(name.max_txid))
        if name.level:
            return max(needed, self._bases.reaching(name.max_txid))
        if not self._single_ms:
            return inf
        end = max(needed, self._times[name.max_txid] + self._single_ms)
        if not self._covers.hold(name):
            end = max(end, self._bases.reaching(name.max_txid))
        return end if end == inf else ceil(end / self._check_ms) * self._check_ms

    def _of_point(self, link: Link) -> float:
        """When this point is no longer promised."""
        txid = link.txid
        if txid == self._head:
            return inf
        single = txid in self._covers.singles
        end: float = self._times[txid] + self._single_ms if single and self._single_ms else -inf
        if txid in self._covers.coarse or not single or not self._single_ms:
            at = min(bisect_right(self._bases.txids, txid), bisect_right(self._base_times, self._times[txid]))
            end = max(end, self._bases.terms[at] if at < len(self._bases.terms) else inf)
        return end

    def _ends_of_ways(self) -> dict[ObjectName, float]:
        """Until when each object is on the way to a promised point."""
        ends: dict[int, float] = {id(link): -inf if link.late else self._of_point(link) for link in self.links}
        found: dict[ObjectName, float] = {}
        for link in sorted(self.links, key=lambda link: (link.txid, link.late), reverse=True):
            end = ends[id(link)]
            found[link.stored.name] = max(found.get(link.stored.name, -inf), end)
            if link.before is not None:
                ends[id(link.before)] = max(ends[id(link.before)], end)
        return found

    def _found_bases(self) -> _Bases:
        snapshots = sorted(
            (stored for stored in self._objects if stored.name.level == SNAPSHOT_LEVEL),
            key=lambda stored: stored.name.max_txid,
        )
        txids = [stored.name.max_txid for stored in snapshots]
        times = [max(self._times[stored.name.max_txid], stored.created_ms) for stored in snapshots]
        self._base_times = list(accumulate(times, max))
        return _Bases(txids, [time + self._reach_ms for time in self._base_times])


class _Covers:
    """What is held above level 0. `singles`: TXIDs that a level-0 file ends at; `coarse`: those promised for the whole
    window, because something above level 0 ends there or nothing else holds them."""

    def __init__(self, objects: Iterable[Stored]) -> None:
        above = sorted(
            (stored.name for stored in objects if 0 < stored.name.level < SNAPSHOT_LEVEL),
            key=lambda name: name.min_txid,
        )
        self._lows = [name.min_txid for name in above]
        self._highs = list(accumulate((name.max_txid for name in above), max))
        self._images = {stored.name.max_txid for stored in objects if stored.name.level == SNAPSHOT_LEVEL}
        self.singles = {stored.name.max_txid for stored in objects if stored.name.level == 0}
        self.coarse = {stored.name.max_txid for stored in objects if stored.name.level or not self.hold(stored.name)}

    def hold(self, name: ObjectName) -> bool:
        """Whether one object above level 0 holds all of this range."""
        at = bisect_right(self._lows, name.min_txid)
        return name.max_txid in self._images or (at > 0 and self._highs[at - 1] >= name.max_txid)


def _times(objects: Iterable[Stored], now_ms: int) -> dict[int, int]:
    """When the replica got as far as each TXID: never going back; a date in the future counts only while nothing
    later has one of the past."""
    first: dict[int, int] = {}
    for stored in objects:
        txid = stored.name.max_txid
        first[txid] = min(first.get(txid, stored.created_ms), stored.created_ms)
    later: float = inf
    for txid in sorted(first, reverse=True):
        if first[txid] > now_ms and later < first[txid]:
            first[txid] = int(later)
        later = min(later, first[txid])
    txids = sorted(first)
    return dict(zip(txids, accumulate((first[txid] for txid in txids), max), strict=True))


def kept_snapshots(objects: Iterable[Stored], keep: Keep) -> frozenset[ObjectName]:
    """The snapshots that `keep` names: the newest of each of the last so many periods that have one (UTC)."""
    snapshots = [stored for stored in objects if stored.name.level == SNAPSHOT_LEVEL]
    snapshots.sort(key=lambda stored: (stored.created_ms, stored.name.max_txid), reverse=True)
    kept: set[ObjectName] = set()
    for count, period in zip((keep.hourly, keep.daily, keep.weekly, keep.monthly), _PERIODS, strict=True):
        seen: dict[int, ObjectName] = {}
        for stored in snapshots:
            seen.setdefault(period(stored.created_ms), stored.name)
        kept.update(list(seen.values())[:count])
    return frozenset(kept)


def _hour(ms: int) -> int:
    return ms // 3_600_000


def _day(ms: int) -> int:
    return ms // _DAY_MS


def _week(ms: int) -> int:
    # 1970 began on a Thursday, ISO weeks begin on Mondays.
    return (ms // _DAY_MS + 3) // 7


def _month(ms: int) -> int:
    day = date.fromordinal(min(max(ms // _DAY_MS + _DAY_ZERO, 1), date.max.toordinal()))
    return day.year * 12 + day.month


_PERIODS = (_hour, _day, _week, _month)
