"""Which objects of a replica make up a wished-for state.

In: a complete listing and a target. Out: a plan that can be printed, oldest object first, or NotAvailable.
Promised: the same choice as Litestream 0.5.17 makes (LTX compaction levels; tests/interop compares): the last
snapshot (level 9) that the target allows, then again and again the object that continues it furthest.

An object may continue a state at TXID n when it begins at n + 1 or before and ends after n. Of several the one
that ends last is taken, then the one that begins first, then the higher level, then the older one. Time is
the store's creation time, and only objects created strictly before the wished-for time count.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from litestreamd.basics.clock import format_time
from litestreamd.basics.errors import NotAvailable
from litestreamd.basics.txid import format_txid
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName

_TRIES = 8


class Stored(Protocol):
    """An object of a listing: its name, its size in bytes, its creation time in ms since 1970."""

    @property
    def name(self) -> ObjectName: ...
    @property
    def size(self) -> int: ...
    @property
    def created_ms(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest state."""


@dataclass(frozen=True, slots=True)
class AtTxid:
    """Exactly the state after this TXID."""

    txid: int


@dataclass(frozen=True, slots=True)
class Before:
    """The newest state made of objects created strictly before this time (ms since 1970, fraction allowed).

    exact_ns: the same moment to the nanosecond, where it was given so: Litestream 0.3 compares that finely.
    """

    ms: float
    exact_ns: int | None = None

    @property
    def ns(self) -> int:
        """Nanoseconds since 1970, as exact as it was given."""
        return round(self.ms * 1_000_000) if self.exact_ns is None else self.exact_ns


Target = Latest | AtTxid | Before


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What to apply, oldest first (at least one), and the TXIDs it covers from first to last."""

    steps: tuple[Stored, ...]

    @property
    def min_txid(self) -> int:
        """Where the first step begins: 1, or the replica lies about what it holds."""
        return self.steps[0].name.min_txid

    @property
    def max_txid(self) -> int:
        """The TXID whose state the plan gives."""
        return self.steps[-1].name.max_txid

    @property
    def size(self) -> int:
        """Bytes of all objects."""
        return sum(step.size for step in self.steps)


def plan_restore(objects: Sequence[Stored], target: Target) -> RestorePlan:
    """Choose the objects for `target`. Raises NotAvailable with a sentence that names what there is instead."""
    steps = tuple(_chain(objects, target))
    reached = steps[-1].name.max_txid if steps else 0
    if isinstance(target, Latest):
        _refuse_gap(objects, reached)
    if not steps or (isinstance(target, AtTxid) and reached < target.txid):
        raise NotAvailable(_what_there_is(objects, target))
    return RestorePlan(steps)


def _chain(objects: Iterable[Stored], target: Target) -> Iterator[Stored]:
    """The snapshot and then each next step, as far as it goes."""
    usable = [stored for stored in objects if _allows(target, stored)]
    reached = 0
    snapshots = [stored for stored in usable if stored.name.level == SNAPSHOT_LEVEL]
    if snapshots:
        newest = max(snapshots, key=lambda stored: stored.name)
        reached = newest.name.max_txid
        yield newest
    later = [stored for stored in usable if stored.name.level < SNAPSHOT_LEVEL]
    later.sort(key=lambda stored: stored.name.min_txid, reverse=True)
    # What begins early enough, best first. `reached` only grows, so nothing that was taken out is needed again.
    ready: list[tuple[_Preference, int, Stored]] = []
    while True:
        while later and later[-1].name.min_txid <= reached + 1:
            stored = later.pop()
            heapq.heappush(ready, (_preference(stored), len(later), stored))
        if not ready or ready[0][2].name.max_txid <= reached:
            return
        _, _, best = heapq.heappop(ready)
        reached = best.name.max_txid
        yield best


def _allows(target: Target, stored: Stored) -> bool:
    match target:
        case AtTxid(txid):
            return stored.name.max_txid <= txid
        case Before(ms=ms):
            return stored.created_ms < ms
        case Latest():
            return True


_Preference = tuple[int, int, int, int]


def _preference(stored: Stored) -> _Preference:
    name = stored.name
    return (-name.max_txid, name.min_txid, -name.level, stored.created_ms)


def _refuse_gap(objects: Iterable[Stored], reached: int) -> None:
    """The newest state was asked for: data after a hole must not be passed over in silence."""
    beyond = [stored.name for stored in objects if stored.name.level < SNAPSHOT_LEVEL]
    beyond = [name for name in beyond if name.min_txid > reached + 1]
    if not beyond:
        return
    first = min(beyond, key=lambda name: name.min_txid)
    missing = f"TXIDs {format_txid(reached + 1)} to {format_txid(first.min_txid - 1)} are missing before {first}"
    if reached:
        raise NotAvailable(f"{missing}; the last state that can be restored is -txid {format_txid(reached)}")
    raise NotAvailable(f"{missing}; without them nothing can be restored")


def _what_there_is(objects: Sequence[Stored], target: Target) -> str:
    if not objects:
        return "no backup: the replica is empty"
    complete = [stored for stored in objects if stored.name.min_txid == 1]
    if not complete:
        oldest = format_txid(min(stored.name.min_txid for stored in objects))
        return f"nothing can be restored: the objects begin at TXID {oldest}, those before it are missing"
    match target:
        case Before(ms=ms):
            first = min(stored.created_ms for stored in complete)
            return (
                f"there is nothing from before {format_time(int(ms))}; the earliest state was stored at "
                f"{format_time(first)}, which -timestamp {format_time(first + 1)} restores"
            )
        case AtTxid(txid):
            return f"TXID {format_txid(txid)} cannot be restored exactly; {_neighbours(objects, txid)}"
        case Latest():
            return "nothing can be restored"


def _neighbours(objects: Sequence[Stored], txid: int) -> str:
    """The nearest TXIDs on either side that can be restored."""
    found = [_reached(objects, txid)]
    above = sorted({stored.name.max_txid for stored in objects if stored.name.max_txid > txid})
    # Usually the very next one works; a replica with many holes is not searched to its end.
    found += [candidate for candidate in above[:_TRIES] if _reached(objects, candidate) == candidate][:1]
    choices = ", ".join(f"-txid {format_txid(number)}" for number in found if number)
    return f"the nearest that can: {choices}" if choices else "no TXID near it can"


def _reached(objects: Sequence[Stored], txid: int) -> int:
    return max((step.name.max_txid for step in _chain(objects, AtTxid(txid))), default=0)
