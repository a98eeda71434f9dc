"""Damaged objects of one replica: remembered, gone round, replaced by a new full image, then deleted.

In: an object that does not prove itself. Out: why an image is needed; after it, the object deleted and the restore
points named that went with it. Promise: nothing is overwritten, and nothing deleted before the image is there; nothing
is called damaged that a second look finds whole.
"""

from litestreamd.basics.errors import ObjectMissing, StoreError
from litestreamd.basics.txid import format_txid
from litestreamd.jobs.events import Healed, ObjectDamaged
from litestreamd.jobs.owned_root import OwnedRoot
from litestreamd.jobs.restore_source import DamagedObject, ObjectReader
from litestreamd.jobs.surroundings import Surroundings
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.points import restore_points
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
        if stored is None:
            return
        self._look_again(stored, error)
        if not self._damaged:
            self._points_before = _points(self._owned)
        self._damaged[name] = stored
        self._owned.forget([name])
        self._around.observe(ObjectDamaged(self._around.database, self._owned.replica.name, str(name), str(error)))

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
        lost = sorted(self._points_before - _points(self._owned))
        for stored in doomed:
            told = Healed(self._around.database, self._owned.replica.name, str(stored.name), _named(lost))
            self._around.observe(told)
        self._damaged.clear()


def _points(owned: OwnedRoot) -> set[int]:
    return {point.txid for point in restore_points(owned.objects)}


def _named(lost: list[int]) -> str:
    if not lost:
        return "no restore point is lost"
    if len(lost) == 1:
        return f"the restore point {format_txid(lost[0])} is lost"
    return f"{len(lost)} restore points from {format_txid(lost[0])} to {format_txid(lost[-1])} are lost"
