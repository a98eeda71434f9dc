"""What a wished-for time means on a replica: the restore point it gives, and the points on either side.

In: a listing, the plan for a time. Out: a `Resolution` that can be printed. Promised: every argument in it restores
exactly the point it stands beside, as long as the listing stays as it is.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from litestreamd.basics.clock import format_time
from litestreamd.basics.errors import NotAvailable
from litestreamd.basics.txid import format_txid
from litestreamd.plan.points import restore_points
from litestreamd.plan.restore import Before, RestorePlan, Stored, plan_restore


@dataclass(frozen=True, slots=True)
class Named:
    """A restore point: its TXID, its time (ms since 1970), and the option that restores it."""

    txid: int
    created_ms: int
    argument: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """The point that a time gives. exact: no other time names it better (it is the point's own, plus 1 ms at most).
    before, after: the points next to it; None at an end of the history."""

    point: Named
    exact: bool
    before: Named | None
    after: Named | None


def resolve(objects: Sequence[Stored], plan: RestorePlan, target: Before) -> Resolution:
    """Describe what `plan`, made of these objects for this time, gives."""
    txid = plan.max_txid
    points = [(point.txid, point.created_ms) for point in restore_points(objects)]
    below, above = bisect_left(points, (txid,)), bisect_left(points, (txid + 1,))
    # The same state may have been stored again later, as a snapshot: it is the point of its first time all the same.
    created_ms = points[below][1] if below < above else plan.steps[-1].created_ms
    return Resolution(
        _named(objects, txid, created_ms),
        created_ms < target.ms <= created_ms + 1,
        _named(objects, *points[below - 1]) if below else None,
        _named(objects, *points[above]) if above < len(points) else None,
    )


def _named(objects: Sequence[Stored], txid: int, created_ms: int) -> Named:
    return Named(txid, created_ms, _argument(objects, txid, created_ms))


def _argument(objects: Sequence[Stored], txid: int, created_ms: int) -> str:
    """The time right after the point, because "before" is strict; where clocks went back, the TXID."""
    try:
        by_time = plan_restore(objects, Before(created_ms + 1)).max_txid
    except NotAvailable:
        by_time = 0
    return f"-timestamp {format_time(created_ms + 1)}" if by_time == txid else f"-txid {format_txid(txid)}"
