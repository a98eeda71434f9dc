"""When the next full image of a database is due on a replica.

In: a listing, the rules, the time. Out: whether, and when. At wall-clock multiples of the interval, as Litestream does
it, but only for what has changed since the newest image: an idle database is left alone.

An image bears the time of the TXID it stands for, which may lie before the moment it was made. So what counts is the
oldest change that no image holds yet: it is due to be in one from the next multiple after it on.
"""

from collections.abc import Sequence

from litestreamd.ltx.names import SNAPSHOT_LEVEL
from litestreamd.plan.restore import Stored
from litestreamd.plan.rules import Rules

FUTURE = 256
"""So many objects dated in the future (a clock went back) do not wait for their time."""


def snapshot_due(objects: Sequence[Stored], rules: Rules, now_ms: int) -> bool:
    """Whether an image should be made now."""
    due = next_snapshot_ms(objects, rules, now_ms)
    return due is not None and due <= now_ms


def next_snapshot_ms(objects: Sequence[Stored], rules: Rules, now_ms: int) -> int | None:
    """When an image will be due, if nothing else comes; None: the newest image holds the newest state."""
    reached = max((stored.name.max_txid for stored in objects if stored.name.level == SNAPSHOT_LEVEL), default=0)
    beyond = [stored.created_ms for stored in objects if stored.name.max_txid > reached]
    if not beyond:
        return None
    oldest = min(beyond)
    if not reached or (oldest > now_ms and len(beyond) >= FUTURE):
        return now_ms
    interval_ms = max(1, round(rules.snapshot_interval_s * 1000))
    return (oldest // interval_ms + 1) * interval_ms
