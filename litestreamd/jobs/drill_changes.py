"""What the objects of a replica say has changed after a TXID.

In: a replica, the TXID of a restored state, how far to follow. Out: the pages that are in later objects, and how small
the database was meanwhile. Promised: every object that is believed was read to its end and proves itself; one that
retention takes away meanwhile is looked for again. Each object is read once, however often it is asked.
"""

from litestreamd.basics.errors import DamagedData, LitestreamdError, ObjectMissing
from litestreamd.basics.txid import format_txid
from litestreamd.database.page_set import PageSet
from litestreamd.jobs.restore import TRIES
from litestreamd.jobs.restore_source import ObjectReader, open_object
from litestreamd.plan.following import following
from litestreamd.plan.restore import Stored
from litestreamd.replica.port import Replica


class Superseded(LitestreamdError):
    """The restored state is too old to be compared: the replica goes on from a newer full image, or with pages of
    another size. A newer state has to be restored."""


class Changes:
    """After TXID `after`, as far as `reached`."""

    def __init__(self, replica: Replica, after: int, page_size: int, commit: int) -> None:
        self.reached = after
        self._replica = replica
        self._page_size = page_size
        self._pages = PageSet()
        self._low = commit

    def explain(self, pgno: int) -> bool:
        """Whether a page may be another one than in the restored state: it was written, or cut off, since."""
        return pgno in self._pages or pgno > self._low

    def follow(self, until: int) -> None:
        """Take in what happened up to this TXID, which the replica is known to have.

        Raises Superseded, DamagedData (also for objects that are not there), and the errors of the port.
        """
        for left in reversed(range(TRIES)):
            try:
                for stored in following(tuple(self._replica.list()), self.reached, until):
                    self._take_in(stored)
                break
            except ObjectMissing:
                if not left:
                    raise
        if self.reached < until:
            self._explain_hole(until)

    def _take_in(self, stored: Stored) -> None:
        header = ObjectReader(self._replica, stored).prove()
        if header.page_size != self._page_size:
            raise Superseded(f"from {stored.name} on pages have {header.page_size} bytes")
        for window in open_object(self._replica, stored).index():
            for pgno in window.numbers:
                self._pages.add(pgno)
        self._low = min(self._low, header.commit)
        self.reached = stored.name.max_txid

    def _explain_hole(self, until: int) -> None:
        first = format_txid(self.reached + 1)
        if any(stored.name.max_txid > self.reached for stored in self._replica.list()):
            raise Superseded(f"the changes from TXID {first} on are not on the replica any more")
        raise DamagedData(
            f"{self._replica.description}: TXIDs {first} to {format_txid(until)} were there, and are gone"
        )
