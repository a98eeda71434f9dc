"""The spool's quota: what has to leave although a replica lacks it, and what that replica is owed then.

In: the quota, the spool, how far every replica is. Out: up to which TXID entries may go. Promise: when that is told,
what they changed is written down durably for every replica that lacks them, or it gets a full image.
"""

from itertools import takewhile
from pathlib import Path

from litestreamd.database.disk import free_bytes
from litestreamd.database.ledger import Head
from litestreamd.database.spool import Spool
from litestreamd.jobs.events import Observer, SpoolFull
from litestreamd.jobs.history import History
from litestreamd.plan.spool_quota import Quota, leaving

ALWAYS_ROOM = 1 << 20
"""The spool may have this much whatever the quota: less would not hold the files of a moment."""


class Room:
    """One per database; used by the capture's thread."""

    def __init__(self, database: str, folder: Path, spool: Spool, quota: Quota, observe: Observer) -> None:
        self._database = database
        self._folder = folder
        self._spool = spool
        self._quota = quota
        self._observe = observe

    def make(self, histories: list[History], head: Head) -> int:
        """Up to which TXID entries have to go because the spool is full; 0: none."""
        stored = self._spool.bytes()
        if stored <= ALWAYS_ROOM:
            return 0
        room = max(ALWAYS_ROOM, self._quota.room(free_bytes(self._folder), stored))
        entries = [(entry.txid, entry.stored) for entry in self._spool.entries()]
        reach = {history.line.replica.name: _reach(history, head) for history in histories}
        covered = {history.line.replica.name: history.line.debts.covered(reach[history.line.replica.name])
                   for history in histories}  # fmt: skip
        out = leaving(entries, covered, room)
        for history in histories:
            line = history.line
            after = out.owed.get(line.replica.name)
            if after is None:
                continue
            ledgers = takewhile(lambda ledger: ledger.head.txid <= out.through, self._spool.ledgers(after))
            if not line.debts.owe(reach[line.replica.name], ledgers):
                line.require_image("what it lacks has left the spool", line.cursor)
            gone = sum(after < txid <= out.through for txid, _ in entries)
            self._observe(SpoolFull(self._database, line.replica.name, room, gone, out.through))
        return out.through


def _reach(history: History, head: Head) -> int:
    """How far a replica is, or will be with the full image that is on its way, or that it needs anyway."""
    line, image = history.line, history.images.image
    if line.needs_image is not None:
        return image.head.txid if image is not None else head.txid
    if line.cursor:
        return line.cursor
    remembered = line.remembered()
    return remembered.head.txid if remembered is not None else head.txid
