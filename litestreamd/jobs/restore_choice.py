"""Which replica a database comes back from, and by which plan.

In: the replicas of one database and a target. Out: candidates, freshest first. Promised: "no backup yet" is said
only after a complete listing of every replica showed no object of any kind; one that cannot be listed is passed
over while another one can serve. A root that holds LTX and Litestream 0.3 is decided by plan/formats, and told.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from litestreamd.basics.errors import LitestreamdError, NotAvailable, RightsError, StoreError
from litestreamd.jobs.events import Observer
from litestreamd.jobs.object_times import dated
from litestreamd.jobs.restore_events import FormatChosen, HeaderTimesUsed, ReplicaPassedOver
from litestreamd.plan.formats import choose_format
from litestreamd.plan.restore import AtTxid, Before, RestorePlan, Target, plan_restore
from litestreamd.plan.restore_v3 import PlanV3, TargetV3, plan_restore_v3
from litestreamd.replica.port import Replica, StoredObject, StoredV3
from litestreamd.replica.writers import read_writers

Wish = Target | TargetV3
"""What is wanted. A TargetV3 names something that only Litestream 0.3 has (a generation, a WAL index)."""

_NS = 1_000_000


class NoBackup(NotAvailable):
    """Every replica was listed completely, and none holds anything."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A replica that can give the target, its listing, and the plan. `epoch` is its highest writer epoch, read
    before the listing: whoever opens a later one is not mistaken for the one that wrote what was listed."""

    replica: Replica
    epoch: int
    objects: tuple[StoredObject, ...]
    plan: RestorePlan

    @property
    def mode(self) -> int | None:
        """The permission bits that the replica keeps of the database, from the newest object of the plan."""
        return next(each.mode for each in self.objects if each.name == self.plan.steps[-1].name)

    @property
    def created_ns(self) -> int:
        """The time of the state."""
        return self.plan.steps[-1].created_ms * _NS


@dataclass(frozen=True, slots=True)
class CandidateV3:
    """A replica that can give the target from what Litestream 0.3 left there."""

    replica: Replica
    objects: tuple[StoredV3, ...]
    plan: PlanV3

    @property
    def mode(self) -> int | None:
        """As for a Candidate."""
        return next(each.mode for each in self.objects if each.name == self.plan.steps[-1].name)

    @property
    def created_ns(self) -> int:
        """The time of the state."""
        return self.plan.created_ns


def choose(replicas: Sequence[Replica], target: Wish, database: str, tell: Observer) -> list[Candidate | CandidateV3]:
    """The candidates, at least one; of equally fresh ones the first in the configuration comes first.

    Raises NoBackup; else, when no replica can serve, the error of the first that cannot be reached, or NotAvailable.
    """
    found, errors = [], []
    for replica in replicas:
        try:
            found.append(candidate(replica, target, database, tell))
        except (StoreError, RightsError, NotAvailable) as error:
            errors.append(error)
            tell(ReplicaPassedOver(database, replica.name, str(error)))
    if not found:
        raise _verdict(errors)
    return found if isinstance(target, AtTxid) else _freshest_first(found)


def candidate(replica: Replica, target: Wish, database: str, tell: Observer) -> Candidate | CandidateV3:
    """List one replica and plan. Raises NoBackup, NotAvailable, and the errors of the port."""
    highest = read_writers(replica).highest
    objects, old = tuple(replica.list()), tuple(replica.list_v3())
    if isinstance(target, Before):
        found = dated(replica, objects)
        objects = found.objects
        if found.from_headers:
            tell(HeaderTimesUsed(database, replica.name))
    if not objects and not old:
        if replica.has_v3():
            raise NotAvailable(
                f"{replica.description}: there is a folder of Litestream 0.3 (generations), and nothing whole in it"
            )
        raise NoBackup(f"{replica.description}: there is no backup")
    try:
        if isinstance(target, TargetV3):
            return CandidateV3(replica, old, plan_restore_v3(old, target))
        if objects and old:
            choice = choose_format(objects, old, target)
            tell(FormatChosen(database, replica.name, choice.v3, choice.why))
            use_v3 = choice.v3
        else:
            use_v3 = not objects
        if use_v3:
            return CandidateV3(replica, old, _plan_v3(old, target, went_on=bool(objects)))
        return Candidate(replica, highest.number if highest else 0, objects, plan_restore(objects, target))
    except NotAvailable as error:
        raise NotAvailable(f"{replica.description}: {error}") from error


def _plan_v3(old: Sequence[StoredV3], target: Target, went_on: bool) -> PlanV3:
    if isinstance(target, AtTxid):
        raise NotAvailable(
            "there is only a backup of Litestream 0.3, which has no TXIDs: use -timestamp, or -generation and -index"
        )
    until_ns = target.ns if isinstance(target, Before) else None
    return plan_restore_v3(old, TargetV3(until_ns=until_ns), went_on)


def _freshest_first(found: Sequence[Candidate | CandidateV3]) -> list[Candidate | CandidateV3]:
    """LTX by TXID (one line, however clocks went), 0.3 by time. Between the two the strictly newer state counts."""
    ltx = sorted((each for each in found if isinstance(each, Candidate)), key=_txid, reverse=True)
    old = sorted((each for each in found if isinstance(each, CandidateV3)), key=_created, reverse=True)
    if ltx and old and old[0].created_ns > ltx[0].created_ns:
        return [*old, *ltx]
    return [*ltx, *old]


def _txid(each: Candidate) -> int:
    return each.plan.max_txid


def _created(each: CandidateV3) -> int:
    return each.created_ns


def _verdict(errors: Sequence[LitestreamdError]) -> LitestreamdError:
    """An unreachable replica may hold what the others lack: that comes before "not available" and "no backup"."""
    order = [error for error in errors if not isinstance(error, NotAvailable)]
    order += [error for error in errors if not isinstance(error, NoBackup)]
    return (order or list(errors))[0]
