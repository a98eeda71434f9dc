"""The restore points that Litestream 0.3 left.

In: a complete listing. Out: every moment that `-timestamp` can be given for a state of its own, oldest first. Each
time in it restores with `plan_restore_v3` and that generation (law; tests/unit).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from litestreamd.plan.generations import Generation, Segment, Snapshot, StoredV3, generations


@dataclass(frozen=True, slots=True)
class PointV3:
    """A state that 0.3 kept: the WAL index it lies in, its time (`-timestamp` takes it in), and of its last object the
    size in bytes, and whether that is a snapshot which stands for itself."""

    generation: str
    index: int
    created_ns: int
    size: int
    snapshot: bool


def points_v3(objects: Iterable[StoredV3]) -> list[PointV3]:
    """All points of a listing, oldest first."""
    found = [point for generation in generations(objects) for point in _points(generation)]
    return sorted(found, key=lambda point: (point.created_ns, point.generation, point.index))


def _points(generation: Generation) -> Iterator[PointV3]:
    """The points of one generation: each snapshot serves from its own time until that of the next."""
    by_time = sorted(generation.snapshots, key=lambda each: (each.created_ns, each.index))
    ends = [*(each.created_ns for each in by_time[1:]), None]
    for snapshot, until in zip(by_time, ends, strict=False):
        if until == snapshot.created_ns:
            continue
        for created_ns, part in _states(generation, snapshot, until):
            size, alone = part.stored.size, isinstance(part, Snapshot)
            yield PointV3(generation.name, part.index, created_ns, size, alone)


def _states(generation: Generation, snapshot: Snapshot, until: int | None) -> Iterator[tuple[int, Snapshot | Segment]]:
    """Each moment before `until` at which there is another state on top of a snapshot, and its last object."""
    moment, index = snapshot.created_ns, snapshot.index - 1
    last: dict[int, Snapshot | Segment] = {moment: snapshot}
    first = bisect_left(generation.segments, snapshot.index, key=lambda each: each.index)
    for segment in generation.segments[first:]:
        # One that seems older than what lies below it counts with that.
        moment = max(moment, segment.created_ns)
        if until is not None and moment >= until:
            break
        index += segment.offset == 0
        if segment.index != index:
            # A hole: no later moment gives a state either, nor does this one.
            last.pop(moment, None)
            break
        last[moment] = segment
    return iter(last.items())
