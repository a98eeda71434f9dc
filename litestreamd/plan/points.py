"""The restore points of a replica: every TXID whose state can be brought back.

In: a listing. Out: points, ascending, and those around a wish. Promised: exactly the TXIDs that plan.restore reaches.

A TXID t can be reached when some object ends there that begins no later than just after a TXID that can be reached: 0
(nothing yet) is one, and the end of each full image. Of those below t the highest decides, so one pass is enough.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from litestreamd.ltx.names import SNAPSHOT_LEVEL
from litestreamd.plan.restore import Stored
from litestreamd.plan.retention import expired, next_expiry_ms
from litestreamd.plan.rules import Rules


@dataclass(frozen=True, slots=True)
class Point:
    """A restore point: its TXID, its time (ms since 1970; restore by time takes what is strictly before a time, so
    `created_ms` + 1 restores it), the level and size in bytes of the object that ends there."""

    txid: int
    created_ms: int
    level: int
    size: int


@dataclass(frozen=True, slots=True)
class Around:
    """The point a wish resolves to (the nearest that is not later), and its neighbours; None where there is none."""

    before: Point | None
    chosen: Point | None
    after: Point | None


@dataclass(frozen=True, slots=True)
class Loss:
    """What retention takes next, and when (ms since 1970): these points can not be restored any more then."""

    at_ms: int
    points: tuple[Point, ...]


def restore_points(objects: Sequence[Stored]) -> list[Point]:
    """All points, ascending."""
    found: list[Point] = []
    reached = 0
    ordered = sorted(objects, key=lambda stored: (stored.name.max_txid, stored.created_ms, stored.name.level))
    for stored in ordered:
        name = stored.name
        if found and found[-1].txid == name.max_txid:
            continue
        if name.level == SNAPSHOT_LEVEL or name.min_txid <= reached + 1:
            found.append(Point(name.max_txid, stored.created_ms, name.level, stored.size))
            reached = name.max_txid
    return found


def around_txid(points: Sequence[Point], txid: int) -> Around:
    """What a TXID resolves to."""
    return _around(points, bisect_right(points, txid, key=lambda point: point.txid))


def around_time(points: Sequence[Point], ms: float) -> Around:
    """What a time resolves to: the newest point from strictly before it."""
    return _around(points, bisect_left(points, ms, key=lambda point: point.created_ms))


def next_loss(objects: Sequence[Stored], rules: Rules, now_ms: int) -> Loss | None:
    """Which points the next run of retention takes; None when it takes none."""
    at_ms = next_expiry_ms(objects, rules, now_ms)
    if at_ms is None:
        return None
    at_ms = max(at_ms, now_ms)
    gone = {stored.name for stored in expired(objects, rules, at_ms)}
    left = {point.txid for point in restore_points([stored for stored in objects if stored.name not in gone])}
    return Loss(at_ms, tuple(point for point in restore_points(objects) if point.txid not in left))


def _around(points: Sequence[Point], after: int) -> Around:
    def at(index: int) -> Point | None:
        return points[index] if 0 <= index < len(points) else None

    return Around(at(after - 2), at(after - 1), at(after))
