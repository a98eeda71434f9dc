"""One replica of one database: from the spool to its store, in order, each TXID once.

In: spool entries, the decision of `jobs.admit` that the root is ours to continue. Out: level-0 objects on the replica;
a cursor that says how far it is. Full images, merged backlogs and the levels above are `jobs.history`'s.
Promise: what is not known to be durable on the replica stays behind the cursor. An object that exists already with the
same bytes is our own retry; with other bytes it is a second writer, and nothing more is written.
"""

import math
import time
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import LitestreamdError
from litestreamd.basics.txid import MAX_TXID
from litestreamd.database.debts import Debts
from litestreamd.database.departed import Departed
from litestreamd.database.manifest import Manifest
from litestreamd.database.reported_damage import ReportedDamage
from litestreamd.database.spool import Spool, SpoolEntry
from litestreamd.jobs.cursor import Cursor, load_cursor, save_cursor
from litestreamd.jobs.events import Healed, ObjectDamaged, Observer, Problem, Pushed, Recovered
from litestreamd.jobs.object_times import dated_history
from litestreamd.jobs.owned_root import OwnedRoot
from litestreamd.jobs.pace import Backoff, Next
from litestreamd.jobs.unreadable import read_own_root
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.continuation import Head as RootHead
from litestreamd.replica.port import Created, Replica, StoredObject
from litestreamd.replica.root import Root
from litestreamd.replica.writers import Writer

RETRY_FIRST_S, RETRY_LONGEST_S, REFUSED_RETRY_S = 1.0, 20.0, 60.0
"""What passes is tried often, for every second counts when a store is back; what somebody has to mend first, seldom."""

BACKLOG = 64
"""So many files are not worth a request each any more: they go up merged."""


class Stage(Enum):
    """How far the acquaintance with the root has come."""

    LOOKING = "the root has to be listed"
    ARRIVED = "the root is listed; whether it may be continued is not decided"
    ADMITTED = "the root is ours to write"


class Line:
    """Made once per replica; `run` is called by one thread at a time.

    `admit`, `require_image` and `cursor` are the capture's side of it: it decides, this ships. `needs_image`: why what
    is on the replica cannot be continued page by page beyond TXID `through`. `was_ours`: admitted once already, so that
    a later conflict is not answered by taking over again and again. `deadline`: the monotonic time from which on
    nothing is gone on with, because the process wants to end. `news` tells the capture, `moved` the history; `wake`
    makes this task run.
    """

    def __init__(
        self, database: str, replica: Replica, spool: Spool, folder: Path, observe: Observer, news: Callable[[], None]
    ) -> None:
        self.replica = replica
        self._manifest = Manifest(folder, replica.name, replica.description)
        self.owned = OwnedRoot(replica, self._manifest)
        self.stage = Stage.LOOKING
        self.root: Root | None = None
        self.error: LitestreamdError | None = None
        self.needs_image: str | None = None
        self.was_ours = False
        self.deadline = math.inf
        self.cursor = 0
        self.through = MAX_TXID
        self.backlog = False
        self.merges_backlog = False
        self.debts = Debts(folder, replica.name)
        self.departed = Departed(folder, replica.name)
        self.reported = ReportedDamage(folder, replica.name)
        self.writer: Writer | None = None
        self.moved: Callable[[], None] = lambda: None
        self.wake: Callable[[], None] = lambda: None
        self._wish = 0
        self._database = database
        self._spool = spool
        self._path = folder / f"{replica.name}.json"
        self._observe = observe
        self._news = news
        self._backoff = Backoff(RETRY_FIRST_S, RETRY_LONGEST_S)
        self._saved: Cursor | None = None
        self._refused: LitestreamdError | None = None

    def __str__(self) -> str:
        return f"{self._database} to {self.replica.name}"

    def remembered(self) -> Cursor | None:
        """What the state directory says we left on this root. Raises DamagedData."""
        return load_cursor(self._path, self.replica.description)

    def admit(self, cursor: int, writer: Writer, image_reason: str | None, through: int) -> None:
        """The root is ours from `cursor` on; with a reason, only after a full image (see `require_image`)."""
        assert self.root is not None
        highest = self.root.writers.highest
        self.owned.hold(self.root.objects, writer, highest.number if highest is not None else 0)
        self.cursor, self.writer, self.needs_image, self.through = cursor, writer, image_reason, through
        self.backlog = False
        self.stage, self.was_ours = Stage.ADMITTED, True

    def require_image(self, reason: str, through: int) -> None:
        """What is on the replica cannot be continued page by page beyond TXID `through`; an image that is on its way
        already is too old."""
        self._wish += 1
        self.needs_image, self.through = reason, through

    @property
    def wish(self) -> int:
        """Changes when an image on its way becomes too old."""
        return self._wish

    def image_arrived(self, txid: int, wish: int) -> None:
        """A full image of the state at `txid`, asked for when `wish` was the wish, is on the replica."""
        following = self._spool.get(self.cursor + 1) is not None or self.cursor >= txid
        if self.through < txid or not following:
            # Level-0 files between would be applied to what is there from before, which they do not fit.
            self.cursor = max(self.cursor, txid - 1)
        if self.cursor < txid and self._spool.get(txid) is None:
            self.cursor = txid
        if wish == self._wish:
            self.needs_image, self.through = None, MAX_TXID
        self.debts.paid()
        self._news()
        self.wake()

    @property
    def checksum(self) -> int | None:
        """The rolling database checksum of what the replica has, if it is known."""
        if (entry := self._spool.get(self.cursor)) is not None:
            return entry.checksum
        newest = self.root.newest if self.root else None
        if newest is not None and newest.stored.name.max_txid == self.cursor and newest.header.proof is not None:
            return newest.header.proof.after
        return None

    @property
    def reached(self) -> int:
        """Up to which TXID the replica has everything: a merged file may have brought one more than the cursor says,
        whose level-0 file is to follow."""
        return self.cursor + 1 if self.cursor and self.owned.merged_through == self.cursor + 1 else self.cursor

    def came_too_late(self, first: int) -> bool:
        """Whether the level-0 file that has to be on an empty root before an image has left the spool: what goes there
        instead begins later, and would leave a hole behind the image."""
        there = self.owned.get(ObjectName(0, first, first)) is not None
        return self.through >= first and not there and self._spool.get(first) is None

    @property
    def gap(self) -> bool:
        """Whether the next file that it lacks is not in the spool any more; then no later one may go either."""
        if self.needs_image is not None or self.cursor == 0:
            return False
        waiting = self._spool.entries(after=self.cursor)
        return bool(waiting) and waiting[0].txid > self.cursor + 1

    def ready_for(self, first: int) -> bool:
        """Whether the level-0 files up to `first` are there, or have to come after an image."""
        waiting = [entry for entry in self._spool.entries(after=self.cursor) if entry.txid <= first]
        return not waiting or not self._may_go(waiting[0])

    def jumped(self, txid: int) -> None:
        """Everything up to a TXID is on the replica, in merged files."""
        self.cursor = txid
        self._news()
        self.wake()

    def look_again(self) -> None:
        """Nothing came of the listing: the next decision needs a new one."""
        self.stage, self.root = Stage.LOOKING, None

    def refuse(self, error: LitestreamdError) -> None:
        """The root is not ours, or could not be read: nothing is written; it is listed again later."""
        self.stage, self.root, self._refused = Stage.LOOKING, None, error

    def complete(self, txid: int) -> bool:
        """Whether everything up to a TXID is on the replica."""
        return self.stage is Stage.ADMITTED and self.needs_image is None and self.cursor >= txid

    def run(self, woken: bool) -> Next:  # noqa: ARG002  a task's shape
        """Do what can be done now. Never raises an error of the tree: it is told, and tried again."""
        try:
            self._advance()
        except LitestreamdError as error:
            self.error = error
            seconds = self._backoff.failed()
            seconds = seconds if error.retry else REFUSED_RETRY_S
            if not error.retry:
                self.stage, self.root = Stage.LOOKING, None
                self.owned.let_go()
            self._observe(Problem(self._database, self.replica.name, str(error), type(error).__name__, seconds))
            self._news()
            return Next(seconds, watch=False)
        self.error = None
        if self._backoff.worked():
            self._observe(Recovered(self._database, self.replica.name))
        return Next(None)

    @property
    def saved(self) -> int:
        """The cursor that this run has written down."""
        return self._saved.head.txid if self._saved is not None else 0

    def save(self) -> None:
        """Write the cursor down, so that spool entries up to it may go."""
        if self.stage is not Stage.ADMITTED or self.owned.epoch is None:
            return
        entry_head = self._head_at(self.cursor)
        if entry_head is None:
            return
        cursor = Cursor(self.replica.description, entry_head, self.owned.epoch)
        if cursor != self._saved:
            save_cursor(self._path, cursor)
            self._saved = cursor
        self.departed.forget(self.cursor)

    def close(self) -> None:
        """After the last push: remember where we are, and tell others that we stopped cleanly. Errors of the port;
        ConflictError when what we wrote is not on the replica any more, or not the newest there."""
        self.save()
        if self.error is None:
            self.owned.close()

    def _advance(self) -> None:
        if self._refused is not None:
            refused, self._refused = self._refused, None
            raise refused
        if self.stage is Stage.LOOKING:
            self.root = dated_history(self.replica, read_own_root(self.replica, self._manifest, self._dropped))
            self.stage = Stage.ARRIVED
            self._news()
        if self.stage is Stage.ADMITTED:
            if self.owned.epoch is None:
                self.owned.claim()
            self._ship_all()
            if self.needs_image is not None or self.backlog or self.gap:
                self.moved()

    def _dropped(self, stored: StoredObject, why: str) -> None:
        name, told = self.replica.name, str(stored.name)
        self._observe(ObjectDamaged(self._database, name, told, why))
        self._observe(Healed(self._database, name, told, "what it held is sent again"))

    def _ship_all(self) -> None:
        """Send what may go now, in order."""
        if self.needs_image is None and self._spool.get(self.cursor + 1) is None:
            self.cursor = self.reached
        waiting = self._spool.entries(after=self.cursor)
        self.backlog = self.merges_backlog and self.needs_image is None and len(waiting) > BACKLOG
        for entry in waiting:
            if self._spool.get(entry.txid) is None:
                break  # it has left the spool just now: see `gap`
            if self.backlog or not self._may_go(entry) or time.monotonic() > self.deadline:
                break
            self._ship(entry)

    def _may_go(self, entry: SpoolEntry) -> bool:
        """Before an image has come: on an empty root everything, for a snapshot alone makes Litestream start again at
        TXID 1. Elsewhere nothing that leaves a hole, or does not fit the pages before it: until the image is complete
        the newest state could not be restored."""
        if self.cursor == 0:
            return True
        return self.cursor + 1 == entry.txid and (self.needs_image is None or entry.txid <= self.through)

    def _ship(self, entry: SpoolEntry) -> None:
        name = ObjectName(0, entry.txid, entry.txid)
        passing("push.before-create")
        start = time.monotonic()
        if self.owned.create(name, lambda: self._spool.ltx(entry), entry.timestamp_ms, entry.size) is Created.EXISTS:
            self.owned.accept_same_bytes(name, lambda: self._spool.ltx(entry))
        passing("push.created")
        self.cursor = entry.txid
        seconds = time.monotonic() - start
        self._observe(Pushed(self._database, self.replica.name, 0, entry.txid, entry.txid, entry.size, seconds))
        self._news()
        self.moved()

    def _head_at(self, txid: int) -> RootHead | None:
        """TXID and file checksum of the level-0 file at the cursor."""
        if (entry := self._spool.get(txid)) is not None:
            return RootHead(txid, entry.file_checksum)
        for known in (self._saved, self.remembered()):
            if known is not None and known.head.txid == txid:
                return known.head
        newest = self.root.newest if self.root else None
        if newest is not None and newest.stored.name.max_txid == txid:
            return RootHead(txid, newest.file_checksum)
        return None
