"""The generations of Litestream 0.3 in a listing.

In: its objects, in any order. Out: each generation with its snapshots and segments in order, and the times it spans.
A generation is one unbroken run of 0.3 on one database; its WAL indexes count up from 0, and what one lacks no other
one can give.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from litestreamd.v3.names import SegmentName, SnapshotName, V3Name


class StoredV3(Protocol):
    """An object of a listing: its name, its size in bytes, its creation time in ns since 1970."""

    @property
    def name(self) -> V3Name: ...
    @property
    def size(self) -> int: ...
    @property
    def created_ns(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A listed snapshot, its name known to be one."""

    stored: StoredV3
    index: int

    @property
    def created_ns(self) -> int:
        """As listed."""
        return self.stored.created_ns


@dataclass(frozen=True, slots=True)
class Segment:
    """A listed part of WAL `index`, from byte `offset` on."""

    stored: StoredV3
    index: int
    offset: int

    @property
    def created_ns(self) -> int:
        """As listed."""
        return self.stored.created_ns


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation, with at least one object. Snapshots ascend by index, segments by index and offset."""

    name: str
    snapshots: tuple[Snapshot, ...]
    segments: tuple[Segment, ...]

    @property
    def first_ns(self) -> int:
        """The time of its oldest object."""
        return min(part.created_ns for part in self.parts)

    @property
    def last_ns(self) -> int:
        """The time of its newest object: how fresh it is."""
        return max(part.created_ns for part in self.parts)

    @property
    def parts(self) -> tuple[Snapshot | Segment, ...]:
        """Everything in it."""
        return (*self.snapshots, *self.segments)

    @property
    def size(self) -> int:
        """Bytes of all its objects, as stored."""
        return sum(part.stored.size for part in self.parts)


def generations(objects: Iterable[StoredV3]) -> list[Generation]:
    """The generations of a listing, the least fresh one first."""
    snapshots: dict[str, list[Snapshot]] = {}
    segments: dict[str, list[Segment]] = {}
    for stored in objects:
        match stored.name:
            case SnapshotName(generation, index):
                snapshots.setdefault(generation, []).append(Snapshot(stored, index))
            case SegmentName(generation, index, offset):
                segments.setdefault(generation, []).append(Segment(stored, index, offset))
    found = [
        Generation(
            name,
            tuple(sorted(snapshots.get(name, []), key=lambda each: each.index)),
            tuple(sorted(segments.get(name, []), key=lambda each: (each.index, each.offset))),
        )
        for name in snapshots.keys() | segments.keys()
    ]
    return sorted(found, key=lambda each: (each.last_ns, each.name))
