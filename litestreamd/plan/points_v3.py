"""The restore points that Litestream 0.3 left.

In: a complete listing. Out: every moment that `-timestamp` can be given for a state of its own, oldest first. Each
time in it restores with `plan_restore_v3` and that generation (law; tests/unit).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from litestreamd.plan.generations import Generation, StoredV3, generations


@dataclass(frozen=True, slots=True)
class PointV3:
    """A state that 0.3 kept: the WAL index it lies in, its time (`-timestamp` takes it in), the object that made it:
    its size in bytes, and whether it is a snapshot."""

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
    by_time = sorted(generation.snapshots, key=lambda each: (each.created_ns, each.index))
    times = [each.created_ns for each in by_time]
    for snapshot in by_time:
        yield PointV3(generation.name, snapshot.index, snapshot.created_ns, snapshot.stored.size, snapshot=True)
    segments = generation.segments
    # A segment counts from the moment on at which everything before it counts.
    reached = list(accumulate((segment.created_ns for segment in segments), max))
    runs = _runs(generation)
    for at, segment in enumerate(segments):
        latest = bisect_right(times, reached[at])
        last_of_its_moment = at + 1 == len(segments) or reached[at + 1] > reached[at]
        if latest == 0 or not last_of_its_moment:
            continue
        snapshot = by_time[latest - 1]
        if runs.get(segment.index, segment.index + 1) <= snapshot.index <= segment.index:
            yield PointV3(generation.name, segment.index, reached[at], segment.stored.size, snapshot=False)


def _runs(generation: Generation) -> dict[int, int]:
    """For each WAL index that is there from its first byte on: the first index of the unbroken run it belongs to."""
    runs: dict[int, int] = {}
    for segment in generation.segments:
        if segment.offset == 0:
            runs[segment.index] = runs.get(segment.index - 1, segment.index)
    return runs
