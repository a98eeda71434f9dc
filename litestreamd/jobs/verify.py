"""Proves what a replica holds: a restore of the newest state, whose pages are thrown away or, for a drill, kept.

In: a replica. Out: `Verified`: what its listing shows, what was proven, which objects are damaged and which restore
points are lost with them. Promised: what is called sound here is what a restore would accept, for it is the same
code; the replica is only read. An object that vanishes meanwhile (retention) is no damage.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from litestreamd.basics.errors import DamagedData, NotAvailable, ObjectMissing
from litestreamd.basics.txid import format_txid
from litestreamd.jobs.events import Event, Observer
from litestreamd.jobs.expected import Expected, Look, check_noted
from litestreamd.jobs.restore import TRIES, Integrity, Request, Restored, restore
from litestreamd.jobs.restore_choice import Candidate, CandidateV3, NoBackup, candidate
from litestreamd.jobs.restore_events import ReplicaPassedOver
from litestreamd.jobs.restore_fill import Filled, fill
from litestreamd.jobs.restore_owner import Ownership
from litestreamd.jobs.restore_sink import Admit, Counted, Nowhere, Progress, Sink
from litestreamd.jobs.restore_source import DamagedObject, ObjectReader
from litestreamd.jobs.restore_v3 import FilledV3, fill_v3
from litestreamd.plan.findings import Finding, findings
from litestreamd.plan.points import restore_points
from litestreamd.plan.restore import Latest, RestorePlan, Stored, plan_restore
from litestreamd.plan.restore_v3 import PlanV3
from litestreamd.replica.ahead import done_ahead, worker_pool
from litestreamd.replica.port import Replica, StoredObject


class Proven(Protocol):
    """What gave the newest state. size: bytes of the database. proven: by its checksum."""

    @property
    def size(self) -> int: ...

    @property
    def proven(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it should be. name: the object, "" when it is none in particular. lost: the TXIDs that
    cannot be restored because of it."""

    name: str
    error: str
    lost: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """The state of a replica. plan: of the newest state, None when there is none. filled: what it gave, None when it
    is not sound. read: objects that were read to their end, besides those of the plan. damage: empty when all is well.
    """

    replica: Replica
    findings: tuple[Finding, ...]
    plan: RestorePlan | PlanV3 | None
    filled: Proven | None
    read: int
    damage: tuple[Damage, ...]


@dataclass(frozen=True, slots=True)
class Checks:
    """How thoroughly. everything: every object to its end. identities: of age, for Litestream 0.3. Secrets.

    output: a file to restore to (in a folder of its own), which SQLite is then asked about; None: the pages are thrown
    away. admit: asked for room before that file is written. manifest: reads what this machine knows of the objects,
    None where it knows nothing.
    """

    everything: bool = False
    parallelism: int = 8
    progress: Progress | None = None
    identities: Sequence[str] = ()
    output: Path | None = None
    admit: Admit | None = None
    manifest: Look | None = None


def verify(replica: Replica, checks: Checks, tell: Observer) -> Verified:
    """Look at one replica. Raises NoBackup, and the errors of the port; damage is in the answer."""
    expected = Expected(checks.manifest)
    objects = tuple(replica.list())
    plan, filled, found = _newest_state(replica, objects, checks, tell)
    # A restore skips what newer objects replace; an older moment may need it.
    steps = plan.steps if filled and isinstance(plan, RestorePlan) else ()
    return judge(replica, expected, objects, plan, filled, steps, checks, found)


def judge(
    replica: Replica,
    expected: Expected,
    objects: Sequence[StoredObject],
    plan: RestorePlan | PlanV3 | None,
    filled: Proven | None,
    unproven: Sequence[Stored],
    checks: Checks,
    found: Sequence[Damage] = (),
) -> Verified:
    """Of a newest state, however it was had. expected: made before `objects` were listed. unproven: the objects of the
    plan that were not read to their end yet. found: what is already known to be wrong. Errors of the port."""
    gone = expected.missing(replica, {stored.name for stored in objects})
    were = (*objects, *(StoredObject(error.name, expected.objects[error.name].size, 0) for error in gone))
    errors: list[DamagedObject | None]
    if checks.everything:
        read, errors = len(objects), [*gone, *_prove_each(replica, objects, expected, checks, "reading every object")]
    else:
        read = 0
        errors = [*_of_the_plan(were, gone), *_prove_each(replica, unproven, expected, checks, "reading its objects")]
    known = {damage.name for damage in found}
    further = [_damage(were, error) for error in errors if error and str(error.name) not in known]
    return Verified(replica, tuple(findings(objects)), plan, filled, read, (*found, *further))


def _newest_state(
    replica: Replica, objects: Sequence[StoredObject], checks: Checks, tell: Observer
) -> tuple[RestorePlan | PlanV3 | None, Filled | FilledV3 | Restored | None, list[Damage]]:
    """Restore it; to nowhere: listed again when an object vanishes, as a restore does."""
    plan = None
    for left in reversed(range(TRIES)):
        try:
            if checks.output:
                restored = _restore(replica, checks.output, checks, tell)
                return restored.plan, restored, []
            chosen = candidate(replica, Latest(), replica.description, tell)
            plan = chosen.plan
            return plan, _fill(chosen, checks), []
        except ObjectMissing:
            if not left:
                raise
        except NoBackup:
            raise
        except DamagedObject as error:
            if plan is None:
                plan = plan_restore(objects, Latest())
            return plan, None, [_damage(objects, error)]
        except (DamagedData, NotAvailable) as error:
            return plan, None, [Damage("", str(error), ())]
    raise AssertionError("the last try returns or raises")


def _restore(replica: Replica, output: Path, checks: Checks, tell: Observer) -> Restored:
    def tell_rest(event: Event) -> None:
        # Its error is raised, and there is no next replica.
        if not isinstance(event, ReplicaPassedOver):
            tell(event)

    output.unlink(missing_ok=True)
    request = Request(
        target=Latest(),
        output=output,
        parallelism=checks.parallelism,
        integrity=Integrity.FULL,
        ownership=Ownership(mode=0o600),
        progress=checks.progress,
        admit=checks.admit,
        identities={replica.name: checks.identities},
    )
    return restore([replica], request, tell_rest, now_ms=0)


def _fill(chosen: Candidate | CandidateV3, checks: Checks) -> Filled | FilledV3:
    sink: Sink = Counted(Nowhere(), checks.progress) if checks.progress else Nowhere()
    if isinstance(chosen, CandidateV3):
        return fill_v3(chosen.replica, chosen.plan, sink, checks.parallelism, checks.identities)
    return fill(chosen.replica, chosen.plan, sink, checks.parallelism)


def _of_the_plan(were: Sequence[StoredObject], gone: Sequence[DamagedObject]) -> list[DamagedObject]:
    """Of what is gone that which the newest state was restored from, or would be: another way to it may be left."""
    if not gone:
        return []
    with suppress(NotAvailable):
        names = {step.name for step in plan_restore(were, Latest()).steps}
        return [error for error in gone if error.name in names]
    return list(gone)


def _prove_each(
    replica: Replica, objects: Sequence[Stored], expected: Expected, checks: Checks, deed: str
) -> list[DamagedObject | None]:
    found, done, total = list[DamagedObject | None](), 0, sum(stored.size for stored in objects)
    with worker_pool(checks.parallelism) as pool:
        proven = done_ahead(pool, partial(_prove, replica, expected), objects, 2 * checks.parallelism)
        for stored, error in zip(objects, proven, strict=True):
            found.append(error)
            done += stored.size
            if checks.progress:
                checks.progress(done, total, deed)
    return found


def _prove(replica: Replica, expected: Expected, stored: Stored) -> DamagedObject | None:
    """Read one object to its end, compare its name with what it holds, and all with what was put there."""
    with suppress(ObjectMissing):
        try:
            header = ObjectReader(replica, stored).prove()
            check_noted(replica, stored, expected.objects.get(stored.name))
        except DamagedObject as error:
            return error
        if (header.min_txid, header.max_txid) != (stored.name.min_txid, stored.name.max_txid):
            held = f"it holds TXIDs {format_txid(header.min_txid)} to {format_txid(header.max_txid)}"
            return DamagedObject(f"{replica.description}: {stored.name}: {held}", stored.name)
    return None


def _damage(objects: Sequence[StoredObject], error: DamagedObject) -> Damage:
    """The points that are lost without this object."""
    before = {point.txid for point in restore_points(objects)}
    after = {point.txid for point in restore_points([each for each in objects if each.name != error.name])}
    return Damage(str(error.name), str(error), tuple(sorted(before - after)))
