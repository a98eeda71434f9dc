"""Which objects tell what happened after a TXID.

In: a complete listing, the TXID, how far. Out: the objects, oldest first. Promised: as little as can be of what
happened before is in them: what is told of a change after the TXID shall not be one from before it. Full images are
left out: they tell nothing of changes.
"""

from collections.abc import Sequence

from litestreamd.ltx.names import SNAPSHOT_LEVEL
from litestreamd.plan.restore import Stored


def following(objects: Sequence[Stored], after: int, until: int) -> tuple[Stored, ...]:
    """As far as there is no hole; the last one ends at `until` or later when there is none."""
    merged = [stored for stored in objects if stored.name.level < SNAPSHOT_LEVEL]
    chosen, reached = [], after
    while reached < until:
        usable = [stored for stored in merged if stored.name.min_txid <= reached + 1 <= stored.name.max_txid]
        if not usable:
            break
        best = max(usable, key=lambda stored: (stored.name.min_txid, -stored.name.max_txid, -stored.name.level))
        chosen.append(best)
        reached = best.name.max_txid
    return tuple(chosen)
