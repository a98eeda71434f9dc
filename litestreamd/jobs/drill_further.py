"""The newest state of a replica from the copy of the last drill: only what has come since is fetched.

In: a replica, the kept copy. Out: what a full restore would have given, as proven; None when there is any doubt, and
then a full restore has the word. It stays a proof of what is on the replica now:

* the file gives the database checksum that the newest object has recorded, recomputed over all its pages;
* every object of the newest state's plan is read to its end. Only where the store itself vouches for its objects, and
  reading them costs (S3), one that was proven before, with size and time as they were, is not fetched again: the weekly
  `verify -all` does that;
* SQLite checks the file from beginning to end.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from litestreamd.basics.checksum import lock_page, page_checksum, rolling
from litestreamd.basics.errors import DamagedData, LitestreamdError, NotAvailable, ObjectMissing
from litestreamd.database.integrity import check_integrity
from litestreamd.database.kept_copy import Kept, KeptCopy, Seen
from litestreamd.database.page_differences import RestoredPages
from litestreamd.jobs.drill_changes import Changes
from litestreamd.jobs.expected import Expected
from litestreamd.jobs.restore_sink import Progress
from litestreamd.jobs.restore_source import open_object
from litestreamd.jobs.verify import Checks, Damage, Verified, judge
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.restore import Latest, RestorePlan, Stored, plan_restore
from litestreamd.replica.port import Replica, Times

PORTION = 1 << 20


@dataclass(frozen=True, slots=True)
class Followed:
    """size: bytes of the database. fetched: objects that were read for it."""

    size: int
    fetched: int
    proven: bool = True


def verify_further(replica: Replica, kept: KeptCopy, output: Path, checks: Checks) -> Verified | None:
    """`output`: where the file goes. Raises the errors of the port."""
    found = kept.take(replica.description, output)
    if found is None:
        return None
    expected = Expected(checks.manifest)
    objects = tuple(replica.list())
    with suppress(NotAvailable, DamagedData, ObjectMissing):
        plan = plan_restore(objects, Latest())
        read = _follow(replica, plan, found, output)
        if read is None:
            return None
        unproven = [step for step in plan.steps if step.name not in read and not _vouched(replica, found, step)]
        size = output.stat().st_size
        filled = Followed(size, len(read | {step.name for step in unproven}))
        verified = judge(replica, expected, objects, plan, filled, unproven, checks)
        return verified if verified.damage else _checked(verified, output, checks.progress)
    return None


def kept_of(verified: Verified, txid: int, page_size: int) -> Kept:
    """What to remember of a drill that went well."""
    assert isinstance(verified.plan, RestorePlan)
    objects = {step.name: Seen(step.size, step.created_ms) for step in verified.plan.steps}
    return Kept(verified.replica.description, txid, page_size, objects)


def _follow(replica: Replica, plan: RestorePlan, kept: Kept, output: Path) -> set[ObjectName] | None:
    """Bring the file forward; out: the objects that were read, None when it is not the newest state then."""
    newest = open_object(replica, plan.steps[-1]).header
    if newest.proof is None or newest.page_size != kept.page_size or kept.txid > plan.max_txid:
        return None
    with RestoredPages(output, kept.page_size) as pages:
        changes = Changes(replica, pages, kept.txid)
        try:
            changes.follow(plan.max_txid)
        except LitestreamdError:
            return None
        if changes.reached != plan.max_txid or pages.count != newest.commit:
            return None
        return changes.read if rolling(_checksums(pages)) == newest.proof.after else None


def _checksums(pages: RestoredPages) -> Iterator[int]:
    together, lock = max(1, PORTION // pages.page_size), lock_page(pages.page_size)
    for first in range(1, pages.count + 1, together):
        portion = pages.portion(first, min(together, pages.count + 1 - first))
        for at in range(len(portion) // pages.page_size):
            if first + at != lock:
                yield page_checksum(first + at, portion[at * pages.page_size : (at + 1) * pages.page_size])


def _vouched(replica: Replica, kept: Kept, step: Stored) -> bool:
    """A store of objects has checked what it was given, and tells when an object was made anew."""
    if replica.times is not Times.STORE_UNASKED:
        return False
    return kept.objects.get(step.name) == Seen(step.size, step.created_ms)


def _checked(verified: Verified, output: Path, progress: Progress | None) -> Verified:
    """As after a restore."""
    alive = None if progress is None else lambda: progress(0, 0, "SQLite checks it")
    try:
        check_integrity(output, quick=False, alive=alive)
    except DamagedData as error:
        return Verified(
            verified.replica, verified.findings, verified.plan, None, verified.read, (Damage("", str(error), ()),)
        )
    return verified
