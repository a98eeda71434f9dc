"""Damaged objects of one replica: remembered, gone round, replaced by a new full image, then deleted.

In: an object that does not prove itself. Out: why an image is needed; after it, the object deleted and the restore
points named that went with it. Promise: nothing is overwritten, and nothing deleted before the image is there; nothing
is called damaged that a second look finds whole.
"""

from collections.abc import Sequence
from contextlib import suppress

from litestreamd.basics.errors import NotAvailable, ObjectMissing, StoreError
from litestreamd.basics.txid import format_txid
from litestreamd.jobs.events import Healed, ObjectDamaged
from litestreamd.jobs.expected import gone_sentence
from litestreamd.jobs.owned_root import OwnedRoot
from litestreamd.jobs.restore_source import DamagedObject, ObjectReader
from litestreamd.jobs.surroundings import Surroundings
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.findings import Kind, findings
from litestreamd.plan.points import restore_points
from litestreamd.plan.restore import Latest, plan_restore
from litestreamd.replica.port import StoredObject


class Healing:
    """One per replica."""

    def __init__(self, owned: OwnedRoot, around: Surroundings) -> None:
        self._owned = owned
        self._around = around
        self._damaged: dict[ObjectName, StoredObject] = {}
        self._suspected: set[ObjectName] = set()
        self._points_before: set[int] = set()

    @property
    def reason(self) -> str | None:
        """Why a new full image is needed."""
        if not self._damaged:
            return None
        return f"{next(iter(self._damaged))} is damaged"

    def found(self, name: ObjectName, error: Exception) -> None:
        """From now on nothing counts on this object. Raises StoreError when it is whole after all."""
        stored = self._owned.get(name)
        if stored is not None:
            self._look_again(stored, error)
            self._heal(stored, error)

    def reported(self, name: ObjectName) -> None:
        """A verification complains of this object: look, and believe what is seen. Errors of the port."""
        stored = self._owned.get(name)
        if stored is None:
            return
        try:
            ObjectReader(self._owned.replica, stored).prove()
            self._owned.compare(stored)
        except (DamagedObject, ObjectMissing) as error:
            self._suspected.discard(name)
            self._heal(stored, error)

    def lost(self, gone: Sequence[StoredObject]) -> None:
        """These were there when we last wrote. What follows from that was decided when the root was listed; here it is
        said, with the restore points that went."""
        before = {point.txid for point in restore_points([*self._owned.objects, *gone])}
        for stored in gone:
            self._tell_damage(stored, gone_sentence(self._owned.replica, stored.name))
        self._tell_healed(gone, before)

    def _heal(self, stored: StoredObject, error: Exception) -> None:
        """From now on nothing counts on this object; one that is gone and that nothing needs is only named."""
        if isinstance(error, ObjectMissing) and not self._damaged and self._is_dispensable(stored):
            before = _points(self._owned)
            self._owned.delete([stored])
            self._tell_damage(stored, str(error))
            self._tell_healed([stored], before)
            return
        name = stored.name
        if not self._damaged:
            self._points_before = _points(self._owned)
        self._damaged[name] = stored
        self._owned.forget([name])
        self._tell_damage(stored, str(error))

    def _is_dispensable(self, stored: StoredObject) -> bool:
        """Whether the newest state can be restored without it, and nothing that is to come will miss it."""
        rest = [each for each in self._owned.objects if each.name != stored.name]
        head = max((each.name.max_txid for each in self._owned.objects), default=0)
        with suppress(NotAvailable):
            plan = plan_restore(rest, Latest())
            return plan.max_txid == head and not _holes(rest) - _holes(self._owned.objects)
        return False

    def _tell_damage(self, stored: StoredObject, error: str) -> None:
        told = ObjectDamaged(self._around.database, self._owned.replica.name, str(stored.name), error)
        self._around.observe(told)

    def _tell_healed(self, healed: Sequence[StoredObject], points_before: set[int]) -> None:
        lost = sorted(points_before - _points(self._owned))
        for stored in healed:
            told = Healed(self._around.database, self._owned.replica.name, str(stored.name), _named(lost))
            self._around.observe(told)

    def _look_again(self, stored: StoredObject, error: Exception) -> None:
        """Bytes may have changed on their way to us. What is found whole and complained of again stands in
        contradiction to others: that is damage too."""
        replica = self._owned.replica
        if stored.name in self._suspected:
            self._suspected.discard(stored.name)
            return
        try:
            ObjectReader(replica, stored).prove()
        except (DamagedObject, ObjectMissing):
            return
        self._suspected.add(stored.name)
        raise StoreError(
            f"{replica.description}: {stored.name} came with other bytes than it has; it is read again"
        ) from error

    def finish(self) -> None:
        """The image is on the replica: delete what was damaged, and say what is lost. Errors of the port."""
        doomed = list(self._damaged.values())
        self._owned.delete(doomed)
        self._tell_healed(doomed, self._points_before)
        self._damaged.clear()


def _holes(objects: Sequence[StoredObject]) -> set[str]:
    return {found.sentence for found in findings(objects) if found.kind in (Kind.HOLE, Kind.UNREACHABLE)}


def _points(owned: OwnedRoot) -> set[int]:
    return {point.txid for point in restore_points(owned.objects)}


def _named(lost: list[int]) -> str:
    if not lost:
        return "no restore point is lost"
    if len(lost) == 1:
        return f"the restore point {format_txid(lost[0])} is lost"
    return f"{len(lost)} restore points from {format_txid(lost[0])} to {format_txid(lost[-1])} are lost"
