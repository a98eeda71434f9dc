"""Which objects of Litestream 0.3 make up a wished-for state.

In: a complete listing and a target. Out: a plan (one snapshot, then WAL segments), or NotAvailable with the way out.
Promised: the same choice as Litestream 0.3.13 makes (docs/adr: which of its two readers is followed, and why):

* the generation that is freshest; with a time, of those whose objects span that time;
* its snapshot with the latest time (with a time: not later than that; with an index: the highest up to that);
* the segments from there on, up to the first that is too late or beyond the index. What follows that one is not taken,
  even if it is dated earlier: it belongs on top of what was left out.

Times are those of the store, in ns; an object of exactly the wished-for time counts (unlike in LTX replicas).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from litestreamd.basics.clock import format_time_ns
from litestreamd.basics.errors import NotAvailable
from litestreamd.plan.generations import Generation, Segment, Snapshot, StoredV3, generations
from litestreamd.v3.names import format_index


@dataclass(frozen=True, slots=True)
class TargetV3:
    """What is wanted; nothing given: the newest state.

    generation: in this one. index: up to the end of this WAL. until_ns: not later than this. Of the last two one at
    most is given, as 0.3 has it.
    """

    generation: str | None = None
    index: int | None = None
    until_ns: int | None = None


@dataclass(frozen=True, slots=True)
class PlanV3:
    """A snapshot, and the segments to put on top of it, oldest first: for each WAL index from its first byte on."""

    generation: str
    snapshot: Snapshot
    segments: tuple[Segment, ...]

    @property
    def parts(self) -> tuple[Snapshot | Segment, ...]:
        """Every object in the order of use, with what its name says."""
        return (self.snapshot, *self.segments)

    @property
    def steps(self) -> tuple[StoredV3, ...]:
        """Every object, in the order of use."""
        return tuple(part.stored for part in self.parts)

    @property
    def index(self) -> int:
        """The last WAL that is applied, or the snapshot's index when there is none."""
        return self.segments[-1].index if self.segments else self.snapshot.index

    @property
    def created_ns(self) -> int:
        """The time of the state it gives: that of its last object."""
        return self.steps[-1].created_ns

    @property
    def size(self) -> int:
        """Bytes of all objects, as stored."""
        return sum(step.size for step in self.steps)


def plan_restore_v3(objects: Sequence[StoredV3], target: TargetV3, went_on: bool = False) -> PlanV3:
    """Choose the objects for `target`. Raises NotAvailable with a sentence that names what there is instead.

    went_on: the root's history continues in the other format, so a time that no generation spans is one at which 0.3
    had been replaced already: the last state before it is meant.
    """
    generation = _generation(generations(objects), target, went_on)
    snapshot = _snapshot(generation, target)
    later = (segment for segment in generation.segments if segment.index >= snapshot.index)
    segments = tuple(takewhile(lambda segment: _allows(target, segment), later))
    _refuse_holes(generation, snapshot, segments)
    return PlanV3(generation.name, snapshot, segments)


def state_before(plan: PlanV3, step: int) -> str:
    """How to ask for the last state that does without step number `step` (from 0) of a plan, which cannot be used."""
    if step > 0:
        before, segment = plan.steps[:step], plan.segments[step - 1]
        last = before[-1].created_ns
        if max(each.created_ns for each in before) == last < segment.created_ns:
            return f"the last state before it: -generation {plan.generation} -timestamp {format_time_ns(last)}"
        if segment.offset == 0 and segment.index > plan.snapshot.index:
            index = format_index(segment.index - 1)
            return f"the last state before it: -generation {plan.generation} -index {index}"
    return "litestreamd generations lists what else there is"


def _generation(found: Sequence[Generation], target: TargetV3, went_on: bool) -> Generation:
    if not found:
        raise NotAvailable("there is no backup of Litestream 0.3")
    named = [each for each in found if target.generation in (None, each.name)]
    if not named:
        names = ", ".join(each.name for each in found)
        raise NotAvailable(f"there is no generation {target.generation} of Litestream 0.3; there are {names}")
    until = target.until_ns
    if until is None:
        return named[-1]
    spanning = [each for each in named if each.first_ns <= until <= each.last_ns]
    if spanning:
        return spanning[-1]
    started = [each for each in named if any(snapshot.created_ns <= until for snapshot in each.snapshots)]
    if went_on and started:
        return max(started, key=lambda each: max(s.created_ns for s in each.snapshots if s.created_ns <= until))
    raise NotAvailable(_no_such_time(named, until))


def _snapshot(generation: Generation, target: TargetV3) -> Snapshot:
    fitting = [each for each in generation.snapshots if _allows(target, each)]
    if not fitting:
        wanted = f" up to index {format_index(target.index)}" if target.index is not None else ""
        wanted = f" from {format_time_ns(target.until_ns)} or before" if target.until_ns is not None else wanted
        oldest = min(generation.snapshots, key=lambda each: each.created_ns, default=None)
        hint = _from_snapshot(oldest) if oldest else "restore another one with -generation"
        raise NotAvailable(f"generation {generation.name} of Litestream 0.3 has no snapshot{wanted}; {hint}")
    if target.index is not None:
        return fitting[-1]
    return max(fitting, key=lambda each: (each.created_ns, each.index))


def _allows(target: TargetV3, each: Snapshot | Segment) -> bool:
    if target.index is not None and each.index > target.index:
        return False
    return target.until_ns is None or each.created_ns <= target.until_ns


def _refuse_holes(generation: Generation, snapshot: Snapshot, segments: Sequence[Segment]) -> None:
    """Every WAL from the snapshot's to the last one has to be there, each from its first byte on. (What is missing
    later in one is seen when it is unpacked: only then its length is known.)"""
    if not segments:
        return
    starts = {segment.index for segment in segments if segment.offset == 0}
    for index in range(snapshot.index, segments[-1].index + 1):
        if index in starts:
            continue
        there = any(segment.index == index for segment in segments)
        what = "the beginning of WAL index" if there else "WAL index"
        sentence = f"generation {generation.name} of Litestream 0.3: {what} {format_index(index)} is missing"
        raise NotAvailable(f"{sentence}; {_way_out(generation, snapshot, index)}")


def _way_out(generation: Generation, snapshot: Snapshot, missing: int) -> str:
    if missing > snapshot.index:
        last = f"-generation {generation.name} -index {format_index(missing - 1)}"
        return f"the last state before it: {last}"
    earlier = [each for each in generation.snapshots if each.index < snapshot.index]
    if earlier:
        return f"an earlier state: -generation {generation.name} -index {format_index(missing - 1)}"
    return f"the snapshot alone: -generation {generation.name} -timestamp {format_time_ns(snapshot.created_ns)}"


def _from_snapshot(snapshot: Snapshot) -> str:
    return f"its oldest one is index {format_index(snapshot.index)} of {format_time_ns(snapshot.created_ns)}"


def _no_such_time(found: Sequence[Generation], until: int) -> str:
    """The times around one that no generation spans."""
    before = [each for each in found if each.last_ns < until]
    after = [each for each in found if each.first_ns > until]
    choices = []
    if before:
        last = max(each.last_ns for each in before)
        choices.append(f"the last state before it: -timestamp {format_time_ns(last)}")
    if after:
        first = min(each.first_ns for each in after)
        choices.append(f"the first one after it: -timestamp {format_time_ns(first)}")
    return f"no generation of Litestream 0.3 has anything for {format_time_ns(until)}; {', '.join(choices)}"
