"""A restored database brought forward with what arrives on its replica.

In: the restored file and its TXID, a replica, how far to follow. Out: the file as of a later TXID, and which pages were
touched on the way. Promised: every object that is believed was read to its end and proves itself; one that retention
takes away meanwhile is looked for again. Each object is read once, however often it is asked.
"""

from litestreamd.basics.errors import DamagedData, LitestreamdError, ObjectMissing
from litestreamd.basics.txid import format_txid
from litestreamd.database.page_differences import RestoredPages
from litestreamd.database.page_set import PageSet
from litestreamd.jobs.restore import TRIES
from litestreamd.jobs.restore_source import ObjectReader
from litestreamd.ltx.decoder import Pages, read_pages
from litestreamd.ltx.header import Header
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.following import following
from litestreamd.plan.restore import Stored
from litestreamd.replica.port import Replica


class Superseded(LitestreamdError):
    """The restored state is too old to be compared: the replica goes on from a newer full image, or with pages of
    another size. A newer state has to be restored."""


class Touched:
    """Pages that were written, or cut off, on the way from one TXID to another. count: of pages at the beginning."""

    def __init__(self, count: int) -> None:
        self.pages = PageSet()
        self.low = count

    def __contains__(self, pgno: int) -> bool:
        return pgno in self.pages or pgno > self.low


class Changes:
    """Brings `restored` forward; it is as of TXID `reached`, at first the one it was restored at. `read`: the objects
    that were proven on the way."""

    def __init__(self, replica: Replica, restored: RestoredPages, reached: int) -> None:
        self.reached = reached
        self.read: set[ObjectName] = set()
        self._replica = replica
        self._restored = restored

    def follow(self, until: int) -> Touched:
        """Take in what happened up to this TXID, which the replica is known to have.

        Raises Superseded, DamagedData (also for objects that are not there), and the errors of the port.
        """
        touched = Touched(self._restored.count)
        for left in reversed(range(TRIES)):
            try:
                if self.reached < until:
                    for stored in following(tuple(self._replica.list()), self.reached, until):
                        self._take_in(stored, touched)
                break
            except ObjectMissing:
                if not left:
                    raise
        if self.reached < until:
            self._explain_hole(until)
        return touched

    def _take_in(self, stored: Stored, touched: Touched) -> None:
        reader, count = ObjectReader(self._replica, stored), 0
        with reader.naming_damage():
            for event in read_pages(reader.chunks()):
                if isinstance(event, Header):
                    count = event.commit
                    if event.page_size != self._restored.page_size:
                        raise Superseded(f"from {stored.name} on pages have {event.page_size} bytes")
                elif isinstance(event, Pages):
                    self._restored.write(zip(event.numbers, event.images, strict=True))
                    for pgno in event.numbers:
                        touched.pages.add(pgno)
        self._restored.resize(count)
        touched.low = min(touched.low, count)
        self.reached = stored.name.max_txid
        self.read.add(stored.name)

    def _explain_hole(self, until: int) -> None:
        first = format_txid(self.reached + 1)
        if any(stored.name.max_txid > self.reached for stored in self._replica.list()):
            raise Superseded(f"the changes from TXID {first} on are not on the replica any more")
        raise DamagedData(
            f"{self._replica.description}: TXIDs {first} to {format_txid(until)} were there, and are gone"
        )
