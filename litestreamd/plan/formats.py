"""A root that holds both formats: is the wished-for state in the LTX objects, or in those of Litestream 0.3?

In: both listings and a target. Out: the choice, and the ages that decided it, as a sentence. Promised: what Litestream
0.5.17 decides (tests/interop). Without a time 0.3 counts only if its newest object is strictly newer than the newest
LTX object. With a time: if it has a snapshot from then or before, and LTX has none that is as new (only snapshots
are compared). A TXID means LTX.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from litestreamd.basics.clock import format_time
from litestreamd.ltx.names import SNAPSHOT_LEVEL
from litestreamd.plan.generations import StoredV3
from litestreamd.plan.restore import AtTxid, Before, Latest, Stored, Target
from litestreamd.v3.names import SnapshotName

_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class FormatChoice:
    """`v3`: restore from Litestream 0.3's objects. `why`: for the operator; it names both times."""

    v3: bool
    why: str


def choose_format(ltx: Sequence[Stored], v3: Sequence[StoredV3], target: Target) -> FormatChoice:
    """Decide; both listings hold at least one object."""
    match target:
        case AtTxid():
            return FormatChoice(False, "a TXID is asked for, which only LTX has")
        case Latest():
            newest_v3 = max(stored.created_ns for stored in v3)
            newest_ltx = max(stored.created_ms for stored in ltx)
            return _compared("newest object", newest_v3, newest_ltx)
        case Before():
            return _at_time(ltx, v3, target)


def _at_time(ltx: Sequence[Stored], v3: Sequence[StoredV3], target: Before) -> FormatChoice:
    old = [each.created_ns for each in v3 if isinstance(each.name, SnapshotName) and each.created_ns <= target.ns]
    if not old:
        return FormatChoice(False, "Litestream 0.3 has no snapshot from that time or before")
    full = [each for each in ltx if each.name.level == SNAPSHOT_LEVEL and each.created_ms < target.ms]
    if not full:
        return FormatChoice(
            True, f"its last snapshot is of {format_time(max(old) // _NS)}, LTX has none before that time"
        )
    return _compared("last snapshot before that time", max(old), max(full, key=lambda each: each.name).created_ms)


def _compared(what: str, v3_ns: int, ltx_ms: int) -> FormatChoice:
    times = f"{format_time(v3_ns // _NS)} (Litestream 0.3) and {format_time(ltx_ms)} (LTX)"
    return FormatChoice(v3_ns > ltx_ms * _NS, f"the {what} is of {times}")
