"""When a replica gets its next full image.

In: a complete listing, rules, the time. Out: whether one is due; when it will be. Promised: at most one each interval,
and none while nothing was committed since the last.

Due is the first multiple of the interval (wall time, UTC) after the first commit that the newest snapshot does not
have. At once: a replica without a snapshot, or with a hole between the newest one and the newest TXID.
"""

from collections.abc import Sequence

from litestreamd.ltx.names import SNAPSHOT_LEVEL
from litestreamd.plan.restore import Stored
from litestreamd.plan.rules import Rules

FUTURE = 512
"""So many objects beyond a snapshot of a time that has not come are worth a new one: the clock went back."""


def snapshot_due(objects: Sequence[Stored], rules: Rules, now_ms: int) -> bool:
    """Whether a full image is to be made now."""
    due = next_snapshot_ms(objects, rules, now_ms)
    return due is not None and due <= now_ms


def next_snapshot_ms(objects: Sequence[Stored], rules: Rules, now_ms: int) -> int | None:
    """When a full image is due (`now_ms`: one is); None while the newest one has everything, or there is nothing."""
    snapshots = [stored for stored in objects if stored.name.level == SNAPSHOT_LEVEL]
    if not snapshots:
        return now_ms if objects else None
    newest = max(snapshots, key=lambda stored: stored.name.max_txid)
    beyond = [stored for stored in objects if stored.name.max_txid > newest.name.max_txid]
    if not beyond:
        return None
    if _has_hole(beyond, newest.name.max_txid):
        return now_ms
    interval_ms = max(1, round(rules.snapshot_interval_s * 1000))
    first_ms = max(newest.created_ms, min(stored.created_ms for stored in beyond))
    due = (first_ms // interval_ms + 1) * interval_ms
    if due - now_ms > interval_ms and len(beyond) >= FUTURE:
        return now_ms
    return max(now_ms, due)


def _has_hole(beyond: Sequence[Stored], reached: int) -> bool:
    for stored in sorted(beyond, key=lambda stored: stored.name.min_txid):
        if stored.name.min_txid > reached + 1:
            return True
        reached = max(reached, stored.name.max_txid)
    return False
