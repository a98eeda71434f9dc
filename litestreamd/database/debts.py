"""The debts of one replica, durable: `<name>.debt` since what it has, `<name>.debt2` since what is on its way.

In: entries that have to leave the spool; what became of a catch-up or a full image. Out: the debt that a catch-up pays.
Promise: `owe` returns when the debt is durable, so that the entries may go; a file is there whole or not at all, and
one that is damaged, or that the spool does not continue, counts as none: the replica then gets a full image.

Why two: while a catch-up to TXID b is on its way the replica has either a or b, and entries beyond b may have to go
too. Whichever it has when that is over, a debt begins there.
"""

import threading
from collections.abc import Iterable
from pathlib import Path

from litestreamd.basics.errors import DamagedData
from litestreamd.database.debt import Debt, debt_at, debt_before, decode_debt
from litestreamd.database.disk import private, state_disk, write_whole
from litestreamd.database.ledger import Head, Ledger
from litestreamd.database.spool import Spool


class Debts:
    """`folder` is the state's `replicas`. `open`, `owe`, `due` and `began` are for the capture's thread, the others for
    any. A `cursor` is the TXID up to which the replica has everything."""

    def __init__(self, folder: Path, replica: str) -> None:
        self._path, self._next_path = folder / f"{replica}.debt", folder / f"{replica}.debt2"
        self._turn = threading.Lock()
        self._here: Debt | None = None
        self._next: Debt | None = None

    def open(self) -> None:
        """Read them back after a start."""
        self._here, self._next = _load(self._path), _load(self._next_path)

    def covered(self, cursor: int) -> int:
        """Up to which TXID the spool need not keep anything for the replica."""
        with self._turn:
            # The lower one: a crash may have come between the two files, before anything left the spool.
            reached = (debt.through for debt in (self._here, self._next) if debt is not None and debt.serves(cursor))
            return min(reached, default=cursor)

    def owe(self, cursor: int, ledgers: Iterable[Ledger]) -> bool:
        """Take entries over that are about to leave the spool: oldest first, all that the replica lacks and that no
        debt covers (`covered`). Durable when it returns. False when that is impossible (they do not follow on what the
        replica has): it needs a full image. Raises EnvironmentFault; then the entries have to stay."""
        with self._turn:
            if self._here is None or not self._here.serves(cursor):
                self._promote(cursor)
            here = self._here.copy() if self._here is not None and self._here.serves(cursor) else None
            later = self._next.copy() if self._next is not None and self._next.through >= cursor else None
            for ledger in ledgers:
                if ledger.head.txid <= cursor:
                    continue
                here = here or debt_before(ledger)
                if here.txid > cursor or not here.add(ledger):
                    self._void()
                    return False
                if later is not None and not later.add(ledger):
                    later = None  # of a catch-up that a crash ended
            if later is None:
                _remove(self._next_path)
            for path, debt in ((self._path, here), (self._next_path, later)):
                if debt is not None and not debt.empty:
                    write_whole(path, debt.encode())
            self._here, self._next = here, later
            return True

    def due(self, cursor: int, checksum: int | None, spool: Spool) -> Debt | None:
        """What a catch-up pays now: the debt brought up to the spool's newest entry, to be kept by the caller.
        `checksum` is the rolling one of what the replica has (None: not known). None: nothing is owed, or it cannot be
        paid page by page. Not while a catch-up is on its way."""
        with self._turn:
            self._promote(cursor)
            if self._here is None or not self._here.serves(cursor):
                return None
            debt = self._here.copy()
        if debt.txid == cursor:
            if checksum not in (None, debt.before):
                return None
        elif checksum is None:
            return None
        else:
            debt.rebase(cursor, checksum)
        return debt if all(map(debt.add, spool.ledgers(debt.through))) else None

    def began(self, head: Head) -> None:
        """A catch-up, or a full image, of this state is on its way."""
        with self._turn:
            _remove(self._next_path)
            self._next = debt_at(head)

    def ended(self) -> None:
        """The catch-up came to nothing."""
        with self._turn:
            _remove(self._next_path)
            self._next = None

    def paid(self) -> None:
        """The catch-up has arrived, and the cursor says so already. The debt from before it goes, unless entries beyond
        have left the spool meanwhile: then the next `due` chooses by the cursor."""
        with self._turn:
            here, later = self._here, self._next
            if here is not None and later is not None and here.through < later.txid:
                _remove(self._path)
                self._here = None
            if later is not None and later.empty:
                self._next = None

    def void(self) -> None:
        """The replica gets a full image: nothing else is owed."""
        with self._turn:
            self._void()

    def _promote(self, cursor: int) -> None:
        """The second debt becomes the first, if it is that of a replica at `cursor`."""
        if self._next is None or not self._next.serves(cursor):
            return
        with state_disk(self._path, "replaced"):
            self._next_path.replace(self._path)
        self._here, self._next = self._next, None

    def _void(self) -> None:
        self._here = self._next = None
        _remove(self._path)
        _remove(self._next_path)


def _remove(path: Path) -> None:
    """Without fsync: a debt that comes back begins before what the replica has, and serves no more."""
    with state_disk(path, "removed"):
        path.unlink(missing_ok=True)


def _load(path: Path) -> Debt | None:
    with state_disk(path, "read"):
        try:
            with open(path, "rb", opener=private) as file:
                data = file.read()
        except FileNotFoundError:
            return None
    try:
        return decode_debt(data)
    except DamagedData:
        return None
