"""One replica of one database: from the spool to its store, in order, each TXID once.

In: spool entries, a full image when one is needed, the decision of `jobs.admit` that the root is ours to continue.
Out: objects on the replica; a cursor that says how far it is.
Promise: what is not known to be durable on the replica stays behind the cursor. An object that exists already with the
same bytes is our own retry; with other bytes it is a second writer, and nothing more is written.
"""

import math
import time
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path

from litestreamd.basics.checksum import digest
from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import ConflictError, EnvironmentFault, LitestreamdError
from litestreamd.basics.txid import MAX_TXID
from litestreamd.database.spool import Spool, SpoolEntry
from litestreamd.jobs.cursor import Cursor, load_cursor, save_cursor
from litestreamd.jobs.events import ImageStarted, Observer, Problem, Pushed, Recovered
from litestreamd.jobs.image import PreparedImage
from litestreamd.jobs.pace import Backoff, Next
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.continuation import Head as RootHead
from litestreamd.replica.port import Created, Replica
from litestreamd.replica.root import Root, read_newest, read_root
from litestreamd.replica.writers import Writer, check_still_highest, close_epoch, open_epoch

EPOCH_CHECK_S = 150.0
"""Half of Litestream's level-0 retention: after this long without a look others may have written and deleted, so that
"create only" alone does not tell; and a root that was emptied or exchanged under us takes every new file."""

RETRY_FIRST_S, RETRY_LONGEST_S, REFUSED_RETRY_S = 1.0, 60.0, 60.0


class Stage(Enum):
    """How far the acquaintance with the root has come."""

    LOOKING = "the root has to be listed"
    ARRIVED = "the root is listed; whether it may be continued is not decided"
    ADMITTED = "the root is ours to write"


class Line:
    """Made once per replica; `run` is called by one thread at a time.

    `admit`, `give_image` and `cursor` are the capture's side of it: it decides and prepares, this ships. `was_ours`:
    admitted once already, so that a later conflict is not answered by taking over again and again. `deadline`: the
    monotonic time from which on nothing long is begun or gone on with, because the process wants to end.
    """

    def __init__(
        self, database: str, replica: Replica, spool: Spool, folder: Path, observe: Observer, news: Callable[[], None]
    ) -> None:
        self.replica = replica
        self.stage = Stage.LOOKING
        self.root: Root | None = None
        self.error: LitestreamdError | None = None
        self.needs_image: str | None = None
        self.awaits_image = False
        self.was_ours = False
        self.deadline = math.inf
        self.cursor = 0
        self._wish = 0
        self._through = MAX_TXID
        self.writer: Writer | None = None
        self._database = database
        self._spool = spool
        self._path = folder / f"{replica.name}.json"
        self._observe = observe
        self._news = news
        self._image: PreparedImage | None = None
        self._image_wish = 0
        self._epoch: int | None = None
        self._backoff = Backoff(RETRY_FIRST_S, RETRY_LONGEST_S)
        self._epoch_seen_at = 0.0
        self._saved: Cursor | None = None
        self._refused: LitestreamdError | None = None

    def remembered(self) -> Cursor | None:
        """What the state directory says we left on this root. Raises DamagedData."""
        return load_cursor(self._path, self.replica.description)

    def admit(self, cursor: int, writer: Writer, image_reason: str | None, through: int) -> None:
        """The root is ours from `cursor` on; with a reason, only after a full image (see `require_image`)."""
        self.cursor, self.writer, self.needs_image, self._through = cursor, writer, image_reason, through
        self.stage, self.was_ours = Stage.ADMITTED, True

    def require_image(self, reason: str, through: int) -> None:
        """What is on the replica cannot be continued page by page beyond TXID `through`; an image that is on its way
        already is too old."""
        self._wish += 1
        self.needs_image, self._through = reason, through

    def look_again(self) -> None:
        """Nothing came of the listing: the next decision needs a new one."""
        self.stage, self.root = Stage.LOOKING, None

    def refuse(self, error: LitestreamdError) -> None:
        """The root is not ours, or could not be read: nothing is written; it is listed again later."""
        self.stage, self.root, self._refused = Stage.LOOKING, None, error

    def give_image(self, image: PreparedImage) -> None:
        """The image that is awaited."""
        self._image, self._image_wish, self.awaits_image = image, self._wish, False
        self._observe(ImageStarted(self._database, self.replica.name, image.image.count, self.needs_image or ""))

    def withdraw_image(self) -> None:
        """The database is let go: nothing more is read for an image. Another one is asked for."""
        image = self._image
        if image is not None:
            image.close()

    def complete(self, txid: int) -> bool:
        """Whether everything up to a TXID is on the replica."""
        return self.stage is Stage.ADMITTED and self.needs_image is None and self.cursor >= txid

    def run(self, woken: bool) -> Next:  # noqa: ARG002  a task's shape
        """Do what can be done now. Never raises an error of the tree: it is told, and tried again."""
        try:
            pause = self._advance()
        except LitestreamdError as error:
            self.error = error
            seconds = self._backoff.failed() if error.retry else REFUSED_RETRY_S
            self._drop_image()
            if not error.retry:
                self.stage, self.root, self._epoch = Stage.LOOKING, None, None
            self._observe(Problem(self._database, self.replica.name, str(error), type(error).__name__, seconds))
            self._news()
            return Next(seconds, watch=False)
        self.error = None
        if self._backoff.worked():
            self._observe(Recovered(self._database, self.replica.name))
        return Next(pause)

    def save(self) -> None:
        """Write the cursor down, so that spool entries up to it may go."""
        entry_head = self._head_at(self.cursor)
        if self.stage is not Stage.ADMITTED or self._epoch is None or entry_head is None:
            return
        cursor = Cursor(self.replica.description, entry_head, self._epoch)
        if cursor != self._saved:
            save_cursor(self._path, cursor)
            self._saved = cursor

    def close(self) -> None:
        """After the last push: remember where we are, and tell others that we stopped cleanly. Errors of the port;
        ConflictError when what we wrote is not on the replica any more, or not the newest there."""
        self._drop_image()
        self.save()
        if self._epoch is not None and self.error is None:
            check_still_highest(self.replica, self._epoch)
            close_epoch(self.replica, self._epoch)

    def _advance(self) -> float | None:
        if self._refused is not None:
            refused, self._refused = self._refused, None
            raise refused
        if self.stage is Stage.LOOKING:
            self.root = read_root(self.replica)
            self.stage = Stage.ARRIVED
            self._news()
        if self.stage is Stage.ADMITTED:
            self._claim()
            if self.needs_image is None:
                self._drop_image()  # one that came when it was not wanted any more would pin its snapshot for ever
                for entry in self._spool.entries(after=self.cursor):
                    self._ship(entry)
                    if self._is_late():
                        break
            elif self._image is not None:
                self._ship_image(self._image)
                return 0
            elif not self.awaits_image:
                # Asked for only now: it pins a snapshot, which a replica that is away must not do for long.
                self.awaits_image = True
                self._news()
        return None

    def _claim(self) -> None:
        """Open our writer epoch once; look at it again from time to time, when there is something to write."""
        assert self.writer is not None
        if self._epoch is None:
            self._epoch = open_epoch(self.replica, self.writer)
            passing("join.epoch-opened")
        elif self._behind() and time.monotonic() - self._epoch_seen_at > EPOCH_CHECK_S:
            check_still_highest(self.replica, self._epoch)
        else:
            return
        self._epoch_seen_at = time.monotonic()

    def _is_late(self) -> bool:
        return time.monotonic() > self.deadline

    def _behind(self) -> bool:
        return self.needs_image is not None or bool(self._spool.entries(after=self.cursor))

    def _drop_image(self) -> None:
        self.awaits_image = False
        if self._image is not None:
            self._image.close()
            self._image = None

    def _ship(self, entry: SpoolEntry) -> None:
        name = ObjectName(0, entry.txid, entry.txid)
        passing("push.before-create")
        start = time.monotonic()
        if self._create(name, lambda: self._spool.ltx(entry.txid), entry.timestamp_ms) is Created.EXISTS:
            self._accept_same_bytes(name, entry)
        passing("push.created")
        self.cursor = entry.txid
        self._told_push(name, entry.size, start)
        self._news()

    def _ship_before(self, image: PreparedImage) -> None:
        """Level-0 files that go first. On an empty root one must: a snapshot alone makes Litestream start again at
        TXID 1. Elsewhere none that leaves a hole, or does not fit the pages before it: until the image is complete
        the newest state could not be restored."""
        empty = self.cursor == 0
        for entry in self._spool.entries(after=self.cursor):
            if (empty and entry.txid <= image.first) or self.cursor + 1 == entry.txid <= self._through:
                self._ship(entry)

    def _ship_image(self, image: PreparedImage) -> None:
        """The full image, with its level-0 files before or (by the next turn) after it."""
        start, sent = time.monotonic(), 0

        def body() -> Iterator[bytes]:
            nonlocal sent
            for chunk in image.body():
                if sent and self._is_late():
                    raise EnvironmentFault("The image was broken off: the time for the final sync is over.")
                sent += len(chunk)
                yield chunk

        self._ship_before(image)
        passing("image.head-created")
        if self._create(image.name, body, image.head.timestamp_ms) is Created.EXISTS:
            self._accept_same_state(image)
        passing("image.created")
        if self._through < image.head.txid:
            # Level-0 files between would be applied to what is there from before, which they do not fit.
            self.cursor = max(self.cursor, image.head.txid - 1)
        if self._image_wish == self._wish:
            self.needs_image = None
        self._drop_image()
        self._told_push(image.name, sent, start)
        self._news()

    def _create(self, name: ObjectName, body: Callable[[], Iterator[bytes]], timestamp_ms: int) -> Created:
        assert self._epoch is not None
        try:
            created = self.replica.create(name, body(), timestamp_ms)
        except LitestreamdError:
            # Whoever took over may be the reason: do not come back without having looked.
            self._epoch_seen_at = float("-inf")
            raise
        if created is Created.EXISTS:
            check_still_highest(self.replica, self._epoch)
        return created

    def _accept_same_bytes(self, name: ObjectName, entry: SpoolEntry) -> None:
        if digest(self.replica.open(name)) != digest(self._spool.ltx(entry.txid)):
            raise ConflictError(self._second_writer(name))

    def _accept_same_state(self, image: PreparedImage) -> None:
        stored = next((found for found in self.replica.list(image.name.level) if found.name == image.name), None)
        if stored is not None:
            theirs, ours = read_newest(self.replica, stored).header, image.header()
            if (theirs.commit, theirs.proof) == (ours.commit, ours.proof):
                return
        raise ConflictError(self._second_writer(image.name))

    def _second_writer(self, name: ObjectName) -> str:
        return (
            f"{self.replica.description}: {name} exists with other contents than ours: a second writer is at work on"
            " this replica. Nothing more is written to it; stop one of the two, or give each a path of its own."
        )

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

    def _told_push(self, name: ObjectName, size: int, start: float) -> None:
        seconds = time.monotonic() - start
        self._observe(
            Pushed(self._database, self.replica.name, name.level, name.min_txid, name.max_txid, size, seconds)
        )
