"""The window of a replica: from its oldest to its newest restore point.

In: a complete listing, or what is known already and an object that came. Out: two points, or None where there is none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from litestreamd.plan.points import Point, restore_points
from litestreamd.plan.restore import Stored


@dataclass(frozen=True, slots=True)
class Window:
    """The points at both ends; they are one where there is only one."""

    oldest: Point
    newest: Point


def window_of(objects: Sequence[Stored]) -> Window | None:
    """Of a listing."""
    points = restore_points(objects)
    return Window(points[0], points[-1]) if points else None


def extended(known: Window, stored: Stored) -> Window | None:
    """After an object of level 0 that continues the newest point, which is what comes every second; None for every
    other object: then only the listing tells."""
    name = stored.name
    if name.level or name.min_txid != known.newest.txid + 1:
        return None
    since = max(known.newest.created_ms, stored.created_ms)
    return replace(known, newest=Point(name.max_txid, since, name.level, stored.size))
