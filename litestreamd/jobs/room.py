"""The spool's quota: what has to leave although a replica lacks it, and what that replica is owed then.

In: the quota, the spool, how far every replica is. Out: up to which TXID entries may go. Promise: when that is told,
what they changed is written down durably for every replica that lacks them, or it gets a full image.
"""

from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

from litestreamd.basics.errors import DamagedData
from litestreamd.database.disk import free_bytes
from litestreamd.database.ledger import Head
from litestreamd.database.spool import Spool
from litestreamd.jobs.events import Observer, SpoolFull
from litestreamd.jobs.history import History
from litestreamd.jobs.ship import Line
from litestreamd.plan.spool_quota import Quota, leaving

ALWAYS_ROOM = 1 << 20
"""The spool may have this much whatever the quota: less would not hold the files of a moment."""

KEPT_FOR_MERGES = 64 << 20
"""The most that entries take which every replica has already; on small disks a quarter of the quota."""


class Room:
    """One per database; used by the capture's thread. `kept` tells what old pages take, which share the quota."""

    def __init__(
        self, database: str, folder: Path, spool: Spool, quota: Quota, kept: Callable[[], int], observe: Observer
    ) -> None:
        self._database = database
        self._folder = folder
        self._spool = spool
        self._quota = quota
        self._kept = kept
        self._observe = observe
        self._away: dict[Line, tuple[int | None, int]] = {}

    @property
    def full(self) -> bool:
        """Whether something has to go."""
        stored = self._spool.bytes()
        return stored > ALWAYS_ROOM and stored > self.size

    @property
    def crowded(self) -> bool:
        """Whether what is kept only for convenience has to go."""
        stored = self._spool.bytes()
        return stored > ALWAYS_ROOM and stored > min(KEPT_FOR_MERGES, self.size // 4)

    @property
    def size(self) -> int:
        """Bytes that the spool may take."""
        free = free_bytes(self._folder)
        return max(ALWAYS_ROOM, self._quota.spool_room(free, self._spool.bytes(), self._kept()))

    def make(self, histories: list[History], head: Head) -> int:
        """Up to which TXID entries have to go because the spool is full; 0: none."""
        if not self.full:
            return 0
        room = self.size
        entries = [(entry.txid, entry.stored) for entry in self._spool.entries()]
        reach = {history.line.replica.name: _reach(history, head) for history in histories}
        covered = {history.line.replica.name: history.line.debts.covered(reach[history.line.replica.name])
                   for history in histories}  # fmt: skip
        out = leaving(entries, covered, room)
        for history in histories:
            line = history.line
            after = out.owed.get(line.replica.name)
            self._note_departed(line, out.through, head)
            if after is None:
                continue
            ledgers = takewhile(lambda ledger: ledger.head.txid <= out.through, self._spool.ledgers(after))
            if not line.debts.owe(reach[line.replica.name], ledgers):
                line.require_image("what it lacks has left the spool", line.cursor)
            gone = sum(after < txid <= out.through for txid, _ in entries)
            self._observe(SpoolFull(self._database, line.replica.name, room, gone, out.through))
        return out.through

    def _note_departed(self, line: Line, through: int, head: Head) -> None:
        """It may have got more than its cursor says, up to what there was when it went away: that has to be known as
        ours when it is back."""
        cursor, most = self._away.get(line, (None, 0))
        if cursor != line.cursor:
            most = head.txid
            self._away[line] = line.cursor, most
        through = min(through, most)
        # From the cursor itself on: it may not be written down yet, and never be when the replica goes away just now.
        leaving = self._spool.entries(after=line.cursor - 1)
        line.departed.add((entry.txid, entry.checksum) for entry in leaving if entry.txid <= through)


def _reach(history: History, head: Head) -> int:
    """How far a replica is, or will be with the full image that is on its way, or that it needs anyway."""
    line, image = history.line, history.images.image
    if line.needs_image is not None:
        return max(line.cursor, image.head.txid if image is not None else head.txid)
    if line.cursor:
        return line.reached
    try:
        remembered = line.remembered()
    except DamagedData:
        return head.txid  # its admission says what is wrong; the others must not suffer for it
    return remembered.head.txid if remembered is not None else head.txid
