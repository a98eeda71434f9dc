"""The replicas of one database as seen from its capture: who is ours, who needs an image, who has what.

In: lines that listed their roots, the capture. Out: a head on the very first start, admissions, images, and how far
every replica is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from litestreamd.basics.clock import Clock
from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import ConflictError, EnvironmentFault, LitestreamdError, ObjectMissing
from litestreamd.database.capture import Capture, Taken
from litestreamd.database.live_check import RottenDatabase
from litestreamd.database.restored_from import load_restored_from
from litestreamd.jobs.admit import Admission, Proofs, admit, placed
from litestreamd.jobs.begin import adopt_root, begin, head_in_wal
from litestreamd.jobs.events import Joined, Observer, Problem
from litestreamd.jobs.history import History
from litestreamd.jobs.image import PreparedImage
from litestreamd.jobs.preparing import Preparing
from litestreamd.jobs.retention_stop import NOTE, RetentionStop
from litestreamd.jobs.room import Room
from litestreamd.jobs.ship import Line, Stage
from litestreamd.jobs.surroundings import Surroundings
from litestreamd.plan.rules import Rules
from litestreamd.plan.spool_quota import Quota
from litestreamd.replica.port import Replica
from litestreamd.replica.root import read_newest
from litestreamd.replica.writers import Writer

SETTLE_ENTRIES = 64
PRESSING_BYTES = 16 << 20
ROTTEN_S = 600.0
"""To look whether a database is sound by now costs as much as reading all of it."""


class Lines:
    """All lines of one database. Called by the capture's thread; the lines themselves run in others."""

    def __init__(
        self,
        capture: Capture,
        replicas: list[tuple[Replica, Rules]],
        state: Path,
        writer: Writer,
        take_over: bool,
        quota: Quota,
        clock: Clock,
        observe: Observer,
        signal: Callable[[object], None],
        news: Callable[[], None],
    ) -> None:
        self._capture = capture
        self._name = str(capture.live.path)
        self._folder = state
        self._writer = writer
        self._take_over = take_over
        self._clock = clock
        self._observe = observe
        self._signal = signal
        self._preparing = Preparing(capture, clock)
        self._settled_at = (0, 0)
        kept = capture.live.followers
        self._room = Room(self._name, state, capture.state.spool, quota, lambda: kept.kept_bytes, observe)
        self._stop = RetentionStop(self._name, state / NOTE, observe)
        around = Surroundings(self._name, capture.state.spool, clock, observe, news, self._stop)
        self.each: list[Line] = []
        self.histories: list[History] = []
        for replica, rules in replicas:
            line = Line(self._name, replica, capture.state.spool, state / "replicas", observe, news)
            history = History(line, rules, around)
            line.wake, line.moved = partial(signal, line), partial(signal, history)
            self.each.append(line)
            self.histories.append(history)

    def open(self) -> None:
        """Read back what the replicas are owed, once the state is open."""
        for line in self.each:
            line.debts.open()
            line.departed.open()

    def begin(self) -> bool:
        """The very first start: what the replicas hold decides. False while none of them has answered."""
        if any(line.stage is Stage.LOOKING and line.error is None for line in self.each):
            return False
        arrived = [line for line in self.each if line.stage is Stage.ARRIVED]
        if not arrived:
            return False
        try:
            beginning = begin(self._capture, arrived, self._proofs(self._take_over), self._clock.now_ms())
        except LitestreamdError:
            for line in arrived:
                line.look_again()
                self._signal(line)
            raise
        if beginning.continued is not None:
            line = beginning.continued
            self._admit(line, placed(line, self._capture.state, beginning.why, self._take_over))
            self._signal(line)
        if beginning.image is not None:
            self.admit()
            self._hand_out(beginning.image)
        return True

    @property
    def silent(self) -> bool:
        """Whether not one of them could be listed."""
        return all(line.stage is Stage.LOOKING and line.error is not None for line in self.each)

    def admit(self) -> None:
        """Decide about every line that has listed its root."""
        for line in self.each:
            if line.stage is not Stage.ARRIVED:
                continue
            try:
                in_wal = head_in_wal(line, self._capture.live)
                told = self._proofs(self._take_over and not line.was_ours)
                proofs = replace(told, sibling=self._is_sibling(line), litestream_head_in_wal=in_wal)
                self._admit(line, admit(line, self._capture.state, proofs, self._clock.now_ms()))
            except LitestreamdError as error:
                line.refuse(error)
            self._signal(line)

    def give_images(self, told: Callable[[list[Taken]], None]) -> None:
        """Prepare what histories wait for; what was captured on the way is `told`."""
        for history in self.histories:
            if history.images.awaited and history.line.stage is Stage.ADMITTED:
                self._preparing.give(history, told)
                self._signal(history)

    def withdraw_images(self) -> None:
        """Before the database is let go."""
        for history in self.histories:
            history.images.withdraw()

    def need_images(self, reason: str, through: int) -> None:
        """None of them can be continued page by page beyond a TXID."""
        for line in self.each:
            line.require_image(reason, through)

    def wake(self) -> None:
        """There is something to ship."""
        for line in self.each:
            self._signal(line)

    def behind(self, txid: int) -> tuple[tuple[str, int], ...]:
        """(replica, TXIDs it lacks) of those that do not have everything up to `txid`."""
        return tuple((line.replica.name, txid - line.cursor) for line in self.each if not line.complete(txid))

    @property
    def quota(self) -> int | None:
        """Bytes that the spool may take, as the disk is now; None when that cannot be said."""
        with suppress(EnvironmentFault):
            return self._room.size
        return None

    @property
    def pressing(self) -> bool:
        """Whether the spool holds so much that it should be settled in the midst of work; once for each new TXID, and
        for each that all replicas got, for what a replica that is away keeps there makes every look dear."""
        spool = self._capture.state.spool
        if (self._capture.head.txid, self._shipped()) == self._settled_at:
            return False
        return spool.count() > SETTLE_ENTRIES or spool.bytes() > PRESSING_BYTES or self._room.crowded

    def settle(self) -> None:
        """Let spool entries go that every replica has, once page hashes and cursors are durable beyond them."""
        state, self._settled_at = self._capture.state, (self._capture.head.txid, self._shipped())
        released, had_to_go = self._released(), self._room.make(self.histories, self._capture.head)
        through = max(released, had_to_go)
        first = next(iter(state.spool.entries()), None)
        if first is None or first.txid > through:
            # Nothing may go; but a crash should not have to bring too many entries forward.
            if self._capture.head.txid > state.settled_txid + SETTLE_ENTRIES:
                state.settle()
            return
        state.settle()
        for line in self.each:
            line.save()
        passing("settle.cursors-written")
        # A replica that went away just now has no cursor written: what it has must stay known as ours.
        released = min([released, *(line.saved for line in self.each)])
        state.spool.trim(min(max(released, had_to_go), state.settled_txid))
        passing("settle.spool-trimmed")

    def heed(self, error: LitestreamdError) -> float | None:
        """The database could not be captured: nothing is deleted of what may be all there is of it. Out: seconds until
        it is worth another look; None: as usual."""
        if not isinstance(error, RottenDatabase):
            return None
        self._stop.set(str(error))
        return ROTTEN_S

    def make_room(self) -> None:
        """Nothing could be captured: what is kept aside for images may be the room that is missing, or what every
        replica has already."""
        self._capture.live.followers.close()
        if self._capture.state.head is not None:
            with suppress(LitestreamdError):
                self.settle()

    def _released(self) -> int:
        """Up to which TXID every replica has the spool's entries; not beyond what is still to be merged, as long as
        that is little: what lies here need not be fetched back."""
        through = self._shipped()
        if self._room.crowded:
            return through
        return min([through, *(history.merged_through for history in self.histories)])

    def _shipped(self) -> int:
        """Up to which TXID every replica has the level-0 files: while its first image is on its way as well."""
        return min(line.cursor if line.stage is Stage.ADMITTED else 0 for line in self.each)

    def close(self) -> list[str]:
        """Tell the replicas that we stopped cleanly; what fails there is told. Out: the names of those that somebody
        else has emptied or written, so that nothing there can be counted on."""
        for history in self.histories:
            history.close()
        lost = []
        for line in self.each:
            try:
                line.close()
            except LitestreamdError as error:
                self._observe(Problem(self._name, line.replica.name, str(error), type(error).__name__, None))
                lost += [line.replica.name] if isinstance(error, ConflictError) else []
        return lost

    def _proofs(self, take_over: bool) -> Proofs:
        return Proofs(load_restored_from(self._folder), take_over=take_over, machine=self._writer.machine)

    def _is_sibling(self, line: Line) -> bool:
        """Whether the root's newest file is, by TXID and checksum, one of another replica that is ours: after a move to
        a new machine only the replica that was restored from proves itself."""
        assert line.root is not None
        newest = line.root.newest
        if newest is None:
            return False
        for other in self.each:
            # What it was listed with may have expired since; what it holds now counts.
            stored = other.owned.get(newest.stored.name) if other.stage is Stage.ADMITTED else None
            if stored is not None:
                with suppress(ObjectMissing):
                    return read_newest(other.replica, stored).file_checksum == newest.file_checksum
        return False

    def _admit(self, line: Line, admission: Admission) -> None:
        if admission.ahead:
            adopt_root(self._capture, line, restorable=admission.image is None)
            for other in self.each:
                if other is not line and other.stage is Stage.ADMITTED:
                    other.require_image("the line of TXIDs moved on", admission.cursor)
        line.admit(admission.cursor, self._writer, admission.image, admission.through)
        self._observe(Joined(self._name, line.replica.name, admission.cursor, admission.why))

    def _hand_out(self, image: PreparedImage) -> None:
        """The image of the first start goes to the first replica that needs one; others get later ones."""
        receiver = next((history for history in self.histories if history.is_needed), None)
        if receiver is None:
            image.close()
        else:
            receiver.images.give(image)
            self._signal(receiver)
