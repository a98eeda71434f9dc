"""What is odd about a listing.

In: a complete listing. Out: findings, each with a sentence for the operator. Promised: what Litestream 0.5 and we write
and delete in the ordinary way gives none.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from litestreamd.basics.txid import format_txid
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.plan.points import restore_points
from litestreamd.plan.restore import Stored


class Kind(Enum):
    """What it is."""

    HOLE = "hole"
    """TXIDs between the oldest and the newest that no restore can pass."""
    OVERLAP = "overlap"
    """Two objects of a level share some TXIDs, and neither has them all."""
    DUPLICATE = "duplicate"
    """All TXIDs of an object are in another one of its level, too."""
    UNREACHABLE = "unreachable"
    """Objects beyond a hole that no snapshot helps over."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`first` and `last`: the TXIDs it is about. `names`: the objects, ascending."""

    kind: Kind
    sentence: str
    first: int
    last: int
    names: tuple[ObjectName, ...]


def findings(objects: Sequence[Stored]) -> list[Finding]:
    """All of them: holes and what they cost first, ascending by TXID."""
    names = sorted(stored.name for stored in objects)
    return [*_holes(names, objects), *_shared(names)]


def _holes(names: Sequence[ObjectName], objects: Sequence[Stored]) -> Iterator[Finding]:
    """A TXID that no object above the oldest start has is a hole; what comes before the next snapshot's TXID and needs
    it is unreachable."""
    reachable = [point.txid for point in restore_points(objects)]
    images = sorted(name.max_txid for name in names if name.level == SNAPSHOT_LEVEL)
    runs = _runs(name for name in names if name.level < SNAPSHOT_LEVEL)
    points = set(reachable)
    start = images[0] if images else 0
    end = start
    for first, last, members in runs:
        lost = tuple(name for name in members if name.max_txid > start and name.max_txid not in points)
        if first > end + 1 and not (images and not lost and end < start):
            yield _hole(end + 1, first - 1, members[0], images)
        if lost:
            yield _unreachable(lost)
        end = max(end, last)


def _runs(names: Iterable[ObjectName]) -> Iterator[tuple[int, int, list[ObjectName]]]:
    """Objects whose TXIDs follow each other, whatever their levels: first and last TXID, and the objects."""
    members: list[ObjectName] = []
    first = last = 0
    for name in sorted(names, key=lambda name: (name.min_txid, name.level)):
        if members and name.min_txid > last + 1:
            yield first, last, members
            members = []
        first, last = (first, max(last, name.max_txid)) if members else (name.min_txid, name.max_txid)
        members.append(name)
    if members:
        yield first, last, members


def _hole(first: int, last: int, beyond: ObjectName, images: Sequence[int]) -> Finding:
    helps = any(image >= last for image in images)
    cost = "a snapshot leads over them" if helps else "no snapshot leads over them"
    sentence = f"{_span(first, last)} missing before {beyond}; {cost}"
    return Finding(Kind.HOLE, sentence, first, last, (beyond,))


def _unreachable(lost: tuple[ObjectName, ...]) -> Finding:
    first, last = min(name.min_txid for name in lost), max(name.max_txid for name in lost)
    what = f"{lost[0]} leads" if len(lost) == 1 else f"{len(lost)} objects from {lost[0]} to {lost[-1]} lead"
    sentence = f"{what} to no restore point: nothing they continue is there"
    return Finding(Kind.UNREACHABLE, sentence, first, last, lost)


def _shared(names: Sequence[ObjectName]) -> Iterator[Finding]:
    """TXIDs that a level has twice."""
    levels: dict[int, list[ObjectName]] = defaultdict(list)
    for name in names:
        if name.level < SNAPSHOT_LEVEL:
            levels[name.level].append(name)
    for level in sorted(levels):
        widest: ObjectName | None = None
        for name in sorted(levels[level], key=lambda name: (name.min_txid, -name.max_txid)):
            if widest is not None and name.max_txid <= widest.max_txid:
                yield _twice(Kind.DUPLICATE, "is contained in", name, widest, name.max_txid)
                continue
            if widest is not None and name.min_txid <= widest.max_txid:
                yield _twice(Kind.OVERLAP, "overlaps", name, widest, widest.max_txid)
            widest = name


def _twice(kind: Kind, word: str, name: ObjectName, other: ObjectName, last: int) -> Finding:
    sentence = f"{name} {word} {other}: {_span(name.min_txid, last)} there twice; restoring is not harmed"
    return Finding(kind, sentence, name.min_txid, last, tuple(sorted((other, name))))


def _span(first: int, last: int) -> str:
    if first == last:
        return f"TXID {format_txid(first)} is"
    return f"TXIDs {format_txid(first)} to {format_txid(last)} are"
