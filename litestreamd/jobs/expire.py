"""Deletions on one replica.

In: what plan.retention lets go. Out: fewer objects. Promise: nothing is deleted before what takes its place is known to
be good: made by us (it exists only if it proved itself), or, when Litestream made it, read once to its end.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import DamagedData
from litestreamd.jobs.events import Expired
from litestreamd.jobs.owned_root import OwnedRoot
from litestreamd.jobs.surroundings import Surroundings
from litestreamd.ltx.decoder import read_pages
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.plan.restore import Stored
from litestreamd.replica.root import read_newest

TOGETHER = 500
"""Objects deleted at once; between two portions the writer epoch may be looked at again."""


class Expiry:
    """One per replica; remembers which objects are known to be good."""

    def __init__(self, owned: OwnedRoot, around: Surroundings) -> None:
        self._owned = owned
        self._around = around
        self._good: set[ObjectName] = set()

    def delete(self, doomed: Sequence[Stored]) -> bool:
        """Delete in this order; False: nothing may be deleted now. Raises UnfitReplacement, ConflictError, errors of
        the port."""
        if self._around.stop.is_set:
            return False
        for stored in _replacements(doomed, self._owned.objects):
            self._prove(stored)
        for first in range(0, len(doomed), TOGETHER):
            self._owned.delete(doomed[first : first + TOGETHER])
            passing("expire.deleted")
        size = sum(stored.size for stored in doomed)
        single = all(stored.name.level == 0 for stored in doomed)
        told = Expired(self._around.database, self._owned.replica.name, len(doomed), size, single)
        self._around.observe(told)
        return True

    def _prove(self, stored: Stored) -> None:
        name, replica, listed = stored.name, self._owned.replica, self._owned.get(stored.name)
        if name in self._good:
            return
        try:
            if self._owned.made_here(name):
                self._look_at(stored)
            elif listed is None or read_newest(replica, listed).header.proof is None:
                deque(read_pages(replica.open(name)), maxlen=0)
        except DamagedData as error:
            raise UnfitReplacement(
                f"{self._owned.replica.description}: {name} is damaged: {error}; what it replaces is kept", name
            ) from error
        self._good.add(name)

    def _look_at(self, stored: Stored) -> None:
        """One of ours proved itself on its way; whether it is still there, and whole, costs one question."""
        found = self._owned.replica.find(stored.name)
        if found is None or found.size != stored.size:
            raise DamagedData(f"it has {found.size if found else 0} bytes instead of {stored.size}")


class UnfitReplacement(DamagedData):
    """An object that should take the place of others is damaged; `name` says which."""

    def __init__(self, sentence: str, name: ObjectName) -> None:
        super().__init__(sentence)
        self.name = name


def _replacements(doomed: Sequence[Stored], objects: Iterable[Stored]) -> Iterator[Stored]:
    """What stands for the doomed objects afterwards: the snapshots and merged objects left that reach into them."""
    gone = {stored.name for stored in doomed}
    ranges = sorted((stored.name.min_txid, stored.name.max_txid) for stored in doomed)
    highest = max(last for _, last in ranges)
    left = [stored for stored in objects if stored.name.level and stored.name not in gone]
    bases = [stored for stored in left if stored.name.level == SNAPSHOT_LEVEL and stored.name.max_txid >= ranges[0][0]]
    if bases:
        # Restores of anything later begin with the lowest of them.
        yield min(bases, key=lambda stored: stored.name)
    for stored in left:
        name = stored.name
        if name.level == SNAPSHOT_LEVEL or name.min_txid > highest:
            continue
        if any(first <= name.max_txid and last >= name.min_txid for first, last in ranges):
            yield stored
