"""Which replica a database comes back from, and by which plan.

In: the replicas of one database and a target. Out: candidates, freshest first. Promised: "no backup yet" is said
only after a complete listing of every replica showed no object of any kind; one that cannot be listed is passed
over while another one can serve.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from litestreamd.basics.errors import LitestreamdError, NotAvailable, RightsError, StoreError
from litestreamd.jobs.events import Observer
from litestreamd.jobs.restore_events import ReplicaPassedOver
from litestreamd.plan.restore import AtTxid, RestorePlan, Target, plan_restore
from litestreamd.replica.port import Replica, StoredObject
from litestreamd.replica.writers import read_writers


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


def choose(replicas: Sequence[Replica], target: Target, database: str, tell: Observer) -> list[Candidate]:
    """The candidates, at least one; of equally fresh ones the first in the configuration comes first.

    Raises NoBackup; else, when no replica can serve, the error of the first that cannot be reached, or NotAvailable.
    """
    found, errors = [], []
    for replica in replicas:
        try:
            found.append(candidate(replica, target))
        except (StoreError, RightsError, NotAvailable) as error:
            errors.append(error)
            tell(ReplicaPassedOver(database, replica.name, str(error)))
    if not found:
        raise _verdict(errors)
    if not isinstance(target, AtTxid):
        found.sort(key=lambda each: each.plan.max_txid, reverse=True)
    return found


def candidate(replica: Replica, target: Target) -> Candidate:
    """List one replica and plan. Raises NoBackup, NotAvailable, and the errors of the port."""
    highest = read_writers(replica).highest
    objects = tuple(replica.list())
    if not objects:
        if replica.has_v3():
            raise NotAvailable(
                f"{replica.description}: there is only a backup of Litestream 0.3, which this version cannot restore; "
                "litestream 0.5 can"
            )
        raise NoBackup(f"{replica.description}: there is no backup")
    try:
        return Candidate(replica, highest.number if highest else 0, objects, plan_restore(objects, target))
    except NotAvailable as error:
        raise NotAvailable(f"{replica.description}: {error}") from error


def _verdict(errors: Sequence[LitestreamdError]) -> LitestreamdError:
    """An unreachable replica may hold what the others lack: that comes before "not available" and "no backup"."""
    order = [error for error in errors if not isinstance(error, NotAvailable)]
    order += [error for error in errors if not isinstance(error, NoBackup)]
    return (order or list(errors))[0]
