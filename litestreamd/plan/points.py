"""The restore points of a replica.

In: a complete listing. Out: every TXID that `plan_restore` reaches exactly, with its time; neighbours of a wish; what
the next retention run takes. Promised: no other TXID can be restored, and a restore from before a point's time + 1 ms
gives its state or a newer one.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

from litestreamd.ltx.names import SNAPSHOT_LEVEL
from litestreamd.plan.restore import Stored
from litestreamd.plan.retention import expired, expiry_times
from litestreamd.plan.rules import Rules


@dataclass(frozen=True, slots=True)
class Point:
    """A state that can be restored. created_ms: from when on the replica had it (ms since 1970). level, size (bytes):
    of the object that a restore of it ends with."""

    txid: int
    created_ms: int
    level: int
    size: int


@dataclass(frozen=True, slots=True)
class Around:
    """`chosen`: the wished-for point, or the nearest earlier one; `earlier` and `later`: its neighbours. None where
    there is none. `exact`: `chosen` is what was asked for."""

    chosen: Point | None
    earlier: Point | None
    later: Point | None
    exact: bool


@dataclass(frozen=True, slots=True)
class Loss:
    """`when_ms`: when retention will next take restore points away; `points`: those it will take, ascending."""

    when_ms: int
    points: tuple[Point, ...]


def restore_points(objects: Sequence[Stored]) -> list[Point]:
    """All points, ascending by TXID."""
    ends: dict[int, list[Stored]] = defaultdict(list)
    for stored in objects:
        ends[stored.name.max_txid].append(stored)
    found: list[Point] = []
    # From where one can go on, and since when: ascending in both, for what is newer and was there before is better.
    txids: list[int] = [0]
    times: list[float] = [-inf]
    for txid in sorted(ends):
        last: Stored | None = None
        since = inf
        for stored in ends[txid]:
            start = -inf
            if stored.name.level != SNAPSHOT_LEVEL:
                at = bisect_left(txids, stored.name.min_txid - 1)
                if at == len(txids):
                    continue
                start = times[at]
            since = min(since, max(start, stored.created_ms))
            if last is None or _preference(stored) < _preference(last):
                last = stored
        if last is None:
            continue
        found.append(Point(txid, int(since), last.name.level, last.size))
        while times and times[-1] >= since:
            txids.pop()
            times.pop()
        txids.append(txid)
        times.append(since)
    return found


def _preference(stored: Stored) -> tuple[bool, int, int, int]:
    """Of objects with the same end a restore takes the lowest."""
    name = stored.name
    return (name.level != SNAPSHOT_LEVEL, name.min_txid, -name.level, stored.created_ms)


def around_txid(points: Sequence[Point], txid: int) -> Around:
    """The point at a TXID or the nearest before it, and its neighbours; `points` ascending by TXID."""
    return _around(points, bisect_right(points, txid, key=lambda point: point.txid), lambda point: point.txid == txid)


def around_time(points: Sequence[Point], ms: float) -> Around:
    """The point that a restore from before `ms` (ms since 1970) gives, and its neighbours. `points` as they come;
    exact: it is of the last millisecond before."""
    at = max((number for number, point in enumerate(points, start=1) if point.created_ms < ms), default=0)
    return _around(points, at, lambda point: point.created_ms >= ms - 1)


def _around(points: Sequence[Point], at: int, is_exact: Callable[[Point], bool]) -> Around:
    chosen = points[at - 1] if at else None
    earlier = points[at - 2] if at > 1 else None
    later = points[at] if at < len(points) else None
    return Around(chosen, earlier, later, chosen is not None and is_exact(chosen))


def next_loss(objects: Sequence[Stored], rules: Rules, now_ms: int) -> Loss | None:
    """What becomes unreachable next when nothing is written meanwhile; None: nothing ever. Deletions that cost no
    point are passed over."""
    points = restore_points(objects)

    def lost(when_ms: int) -> tuple[Point, ...]:
        doomed = {stored.name for stored in expired(objects, rules, when_ms)}
        kept = {point.txid for point in restore_points([each for each in objects if each.name not in doomed])}
        return tuple(point for point in points if point.txid not in kept)

    # What is lost stays lost: the first such time is found by halving.
    times = expiry_times(objects, rules, now_ms)
    first = bisect_left(times, 1, key=lambda when_ms: 1 if lost(when_ms) else 0)
    return Loss(times[first], lost(times[first])) if first < len(times) else None
