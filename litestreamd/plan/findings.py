"""What is odd about a replica's listing.

In: a listing. Out: findings, in the order of TXIDs. Promised: nothing is found in a listing that plan.compaction and
plan.retention leave behind, unless something was lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from litestreamd.basics.txid import format_txid
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.plan.restore import Stored


class Kind(Enum):
    """What kind of oddity."""

    HOLE = "hole"
    """TXIDs that no object holds, before later ones."""
    UNREACHABLE = "unreachable"
    """Objects that no restore can use."""
    OVERLAP = "overlap"
    """Two objects of one level hold the same TXIDs; harmless."""
    DUPLICATE = "duplicate"
    """An object lies within another of its level; harmless."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One oddity: a sentence for the operator, the TXIDs it is about, the objects."""

    kind: Kind
    sentence: str
    first: int
    last: int
    names: tuple[ObjectName, ...]

    @property
    def loses_points(self) -> bool:
        """Whether moments cannot be restored because of it."""
        return self.kind in (Kind.HOLE, Kind.UNREACHABLE)


def findings(objects: Sequence[Stored]) -> list[Finding]:
    """Everything odd, by TXID."""
    names = sorted(stored.name for stored in objects)
    found = [*_holes(names), *_overlaps(names)]
    return sorted(found, key=lambda finding: (finding.first, finding.last, finding.kind.value))


def _holes(names: Sequence[ObjectName]) -> Iterator[Finding]:
    """Walk up by the end of each object: what begins beyond the reach of all before it is out of reach itself, until
    a full image takes over."""
    reached = 0
    stranded: list[ObjectName] = []
    for name in sorted(names, key=lambda each: (each.max_txid, -each.level)):
        if name.level == SNAPSHOT_LEVEL or name.min_txid <= reached + 1:
            if stranded:
                yield from _lost(reached, stranded, name)
                stranded = []
            reached = max(reached, name.max_txid)
        else:
            stranded.append(name)
    if stranded:
        yield from _lost(reached, stranded, None)


def _lost(reached: int, stranded: Sequence[ObjectName], resumed: ObjectName | None) -> Iterator[Finding]:
    """A hole after `reached`, and the objects behind it that nothing leads to."""
    first, last = min(name.min_txid for name in stranded), max(name.max_txid for name in stranded)
    on = f"; the history goes on with {resumed}" if resumed else ""
    if reached:
        yield Finding(
            Kind.HOLE, f"{_span(reached + 1, first - 1)} missing{on}", reached + 1, first - 1, (min(stranded),)
        )
    many = f"{len(stranded)} objects" if len(stranded) > 1 else f"{stranded[0]}"
    yield Finding(
        Kind.UNREACHABLE,
        f"nothing leads to {many}: {_span(first, last)} out of reach{on}",
        first,
        last,
        tuple(sorted(stranded)),
    )


def _overlaps(names: Sequence[ObjectName]) -> Iterator[Finding]:
    """Within levels 1 to 8; of level 0 each object is one TXID, and images always begin at 1."""
    widest: ObjectName | None = None
    for name in names:
        if name.level in (0, SNAPSHOT_LEVEL):
            continue
        if widest is None or widest.level != name.level or name.min_txid > widest.max_txid:
            widest = name
            continue
        inside = name.max_txid <= widest.max_txid or name.min_txid == widest.min_txid
        kind, verb = (Kind.DUPLICATE, "repeats") if inside else (Kind.OVERLAP, "overlaps")
        yield Finding(kind, f"{name} {verb} {widest}", name.min_txid, name.max_txid, (widest, name))
        widest = max(widest, name, key=lambda each: each.max_txid)


def _span(first: int, last: int) -> str:
    if first == last:
        return f"TXID {format_txid(first)} is"
    return f"TXIDs {format_txid(first)} to {format_txid(last)} are"
