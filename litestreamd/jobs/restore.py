"""Restore: a replica's objects become a database file, proven and in its place.

In: the replicas of a database and a request. Out: what was restored. Promised: the target is untouched until the
new file is complete, durable and proven; after any failure nothing of ours is left beside it; page images are
exactly those that were captured.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path

from litestreamd.basics.clock import format_time
from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import DamagedData, NotAvailable, ObjectMissing, RightsError, StoreError
from litestreamd.database.draft import Draft, draft_for
from litestreamd.database.install import Installed, install, refuse_existing
from litestreamd.database.integrity import check_integrity
from litestreamd.database.restored_from import save_restored_from
from litestreamd.jobs.events import Observer
from litestreamd.jobs.restore_choice import Candidate, CandidateV3, Wish, candidate, choose
from litestreamd.jobs.restore_events import (
    IntegrityUnknown,
    PointResolved,
    ReplicaPassedOver,
    RestorePlannedAgain,
    RestoreStarted,
    RestoreStartedV3,
)
from litestreamd.jobs.restore_fill import Filled, fill
from litestreamd.jobs.restore_owner import Owner, Ownership, decide
from litestreamd.jobs.restore_sink import Admit, Admitted, Counted, Progress, Sink
from litestreamd.jobs.restore_v3 import FilledV3, fill_v3
from litestreamd.plan.continuation import Head, RestoredFrom
from litestreamd.plan.resolution import resolve
from litestreamd.plan.restore import Before, RestorePlan
from litestreamd.plan.restore_v3 import PlanV3
from litestreamd.replica.port import Replica
from litestreamd.replica.root import read_newest

TRIES = 5
"""How often a replica is listed and planned from, when its objects vanish meanwhile."""


class Integrity(Enum):
    """What SQLite is asked about the finished file. AUTO: FULL unless the database checksum has proven it."""

    AUTO = "auto"
    NONE = "none"
    QUICK = "quick"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Request:
    """What to restore, and where to.

    force: replace an existing database (it is kept beside). parallelism: objects or pieces in work at once.
    state_directory: where to leave `restored-from`, None when the database is not restored to its own place.
    progress: told how far it is, from any thread.
    admit: asked with the size of the database before anything is written; may refuse by raising.
    identities: for replicas, by name, the age identities that open what Litestream 0.3 encrypted. Secrets.
    """

    target: Wish
    output: Path
    force: bool = False
    parallelism: int = 8
    integrity: Integrity = Integrity.AUTO
    ownership: Ownership = field(default_factory=Ownership)
    state_directory: Path | None = None
    progress: Progress | None = None
    admit: Admit | None = None
    identities: Mapping[str, Sequence[str]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done. proven: by the database checksum (else by every file checksum). integrity: what SQLite was
    asked. size in bytes. owner: whose the file is; label_refused: why its security label could not be given."""

    replica: Replica
    plan: RestorePlan | PlanV3
    size: int
    proven: bool
    integrity: Integrity
    installed: Installed
    owner: Owner
    label_refused: str | None = None


def restore(replicas: Sequence[Replica], request: Request, tell: Observer, now_ms: int) -> Restored:
    """Restore from the freshest replica that can; a replica that fails is told, and the next one tried.

    now_ms (since 1970) goes into the names of files that are moved aside.
    Raises UsageError and BusyError for the output, EnvironmentFault and RightsError for the local disk, and when no
    replica is left: NoBackup, NotAvailable, StoreError, RightsError or DamagedData of the freshest one.
    """
    database = str(request.output)
    refuse_existing(request.output, request.force)
    errors: list[Exception] = []
    for chosen in choose(replicas, request.target, database, tell):
        try:
            return _restore_from(chosen, request, tell, now_ms)
        except (StoreError, RightsError, DamagedData, NotAvailable) as error:
            errors.append(error)
            tell(ReplicaPassedOver(database, chosen.replica.name, str(error)))
    raise errors[0]


def _restore_from(chosen: Candidate | CandidateV3, request: Request, tell: Observer, now_ms: int) -> Restored:
    """Retention or compaction may remove an object after the listing; what replaces it is in a new one. A daemon that
    works on the replica meanwhile can do that again and again, so a few tries are made."""
    for _ in range(TRIES - 1):
        try:
            return _attempt(chosen, request, tell, now_ms)
        except ObjectMissing as error:
            tell(RestorePlannedAgain(str(request.output), chosen.replica.name, str(error)))
        chosen = candidate(chosen.replica, request.target, str(request.output), tell)
    return _attempt(chosen, request, tell, now_ms)


def _attempt(chosen: Candidate | CandidateV3, request: Request, tell: Observer, now_ms: int) -> Restored:
    replica, plan = chosen.replica, chosen.plan
    record = _record(chosen) if request.state_directory else None
    owner = decide(request.ownership, request.output, request.state_directory, chosen.mode)
    with draft_for(request.output, owner.uid, owner.gid) as draft:
        sink: Sink = Admitted(draft, request.admit) if request.admit else draft
        sink = Counted(sink, request.progress) if request.progress else sink
        filled = _fill(chosen, sink, request, tell)
        passing("restore.filled")
        refused = draft.finish(owner.mode, owner.uid, owner.gid, owner.label)
        asked = _ask_sqlite(draft, filled, request, replica, tell)
        installed = install(draft, request.force, format_time(now_ms).replace(":", ""))
    if record and request.state_directory:
        save_restored_from(request.state_directory, record, owner.uid, owner.gid)
    return Restored(replica, plan, filled.size, filled.proven, asked, installed, owner, refused)


def _fill(chosen: Candidate | CandidateV3, sink: Sink, request: Request, tell: Observer) -> Filled | FilledV3:
    """Carry out the plan, whichever format it is in."""
    database, replica = str(request.output), chosen.replica
    if isinstance(chosen, CandidateV3):
        old = chosen.plan
        tell(RestoreStartedV3(database, replica.name, old.generation, old.index, len(old.steps), old.size))
        return fill_v3(replica, old, sink, request.parallelism, request.identities.get(replica.name, ()))
    plan = chosen.plan
    tell(RestoreStarted(database, replica.name, plan.max_txid, len(plan.steps), plan.size))
    if isinstance(request.target, Before):
        tell(PointResolved(database, replica.name, resolve(chosen.objects, plan, request.target)))
    return fill(replica, plan, sink, request.parallelism)


def _record(chosen: Candidate | CandidateV3) -> RestoredFrom | None:
    """What `restored-from` will say; None for Litestream 0.3, which nobody continues, and when the root's head
    cannot be read, which need not stop a restore."""
    if isinstance(chosen, CandidateV3):
        return None
    newest = max(chosen.objects, key=lambda stored: (stored.name.max_txid, -stored.name.level))
    with suppress(DamagedData, StoreError):
        head = Head(newest.name.max_txid, read_newest(chosen.replica, newest).file_checksum)
        return RestoredFrom(chosen.replica.description, chosen.plan.max_txid, head, chosen.epoch)
    return None


def _ask_sqlite(
    draft: Draft, filled: Filled | FilledV3, request: Request, replica: Replica, tell: Observer
) -> Integrity:
    """Have SQLite judge the finished draft, if that is wanted; out: what was asked. Raises DamagedData."""
    wanted = request.integrity
    if wanted is Integrity.AUTO:
        wanted = Integrity.NONE if filled.proven else Integrity.FULL
    if wanted is Integrity.NONE:
        return wanted
    try:
        alive = partial(request.progress, 0, 0, "SQLite checks it") if request.progress else None
        unknown = check_integrity(draft.path, wanted is Integrity.QUICK, alive)
    except DamagedData as error:
        raise DamagedData(
            f"{replica.description}: every object is sound, but the database in them is not: {error} "
            f"({filled.hint}-integrity-check none restores it all the same)"
        ) from error
    if unknown:
        tell(IntegrityUnknown(str(request.output), unknown))
    return wanted
