"""The replicate job of one database: see a commit, make it durable, tell the lines that ship it.

In: settings, replicas, a clock. Out: spool entries for the lines (jobs/ship.py), events for the observer.
Promise: `run` and `close` are called by one thread at a time; a failure is told and tried again, never raised; as long
as the database is open a guard holds every frame that is not captured yet.

The recipe of `run`: open; begin or resume; admit lines that have listed their root; move a guard that hurts;
capture, at once after a quiet spell and then at most once per interval; checkpoint; settle; rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from litestreamd.basics.clock import Clock
from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import EnvironmentFault, LitestreamdError
from litestreamd.database.capture import Capture, Taken
from litestreamd.database.captured import CapturedState
from litestreamd.database.guard import Pin
from litestreamd.database.image import Image
from litestreamd.database.keeper import Keeper, Work
from litestreamd.database.live import Absent, LiveDatabase
from litestreamd.database.restored_from import load_restored_from
from litestreamd.jobs.admit import Admission, Proofs, admit
from litestreamd.jobs.begin import adopt_root, begin
from litestreamd.jobs.events import (
    Captured,
    ChainHealed,
    Checkpointed,
    CheckpointLimited,
    Closed,
    Compared,
    ContinuityLost,
    DatabaseAwaited,
    DatabaseOpened,
    Joined,
    Observer,
    Problem,
    Recovered,
    ValveOpened,
    WalModeSwitched,
)
from litestreamd.jobs.image import PreparedImage
from litestreamd.jobs.pace import Backoff, Next
from litestreamd.jobs.ship import Line, Stage
from litestreamd.plan.checkpoint import Checkpoint, Limits, due
from litestreamd.plan.position import Still, next_step
from litestreamd.replica.port import Replica
from litestreamd.replica.writers import Writer
from litestreamd.wal.frames import frame_size
from litestreamd.wal.index import IndexHeader

SLOW_LOOK_S = 1.0
"""The safety net under inotify: how often a quiet database is looked at."""

AFTER_EVENT_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
"""An event comes when frames are written, before the commit is visible (an fsync may lie between): look again."""

CHECKPOINTER_S = 0.01
AUDIT_S = 5.0
REST_S = 2.0
SETTLE_QUIET_S = 5.0
SETTLE_ENTRIES = 64
SETTLE_BYTES = 16 << 20
ABANDONED_S = 10.0
VALVE_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Settings:
    """How one database is replicated. Times in seconds; `state` is its state directory; `limits` as plan.checkpoint;
    `take_over` lets a foreign history be continued; `writer` is who we are (its head is filled in per root)."""

    database: Path
    state: Path
    writer: Writer
    limits: Limits
    sync_interval_s: float = 1.0
    busy_timeout_s: float = 1.0
    max_sync_wal_bytes: int = 64 << 20
    switch_to_wal: bool = True
    take_over: bool = False


class Replication:
    """One database. `lines` are its replicas' tasks; `signal(line)` asks for one of them to run."""

    def __init__(
        self,
        settings: Settings,
        replicas: list[Replica],
        clock: Clock,
        observe: Observer,
        signal: Callable[[object], None],
    ) -> None:
        self.settings = settings
        self.live = LiveDatabase(settings.database, settings.busy_timeout_s)
        self._name = str(settings.database)
        self._state = CapturedState(settings.state, settings.writer.node_id)
        self._capture = Capture(self.live, self._state, settings.max_sync_wal_bytes)
        self._clock = clock
        self._observe = observe
        self._signal = signal
        self.lines = [
            Line(self._name, replica, self._state.spool, settings.state / "replicas", observe, lambda: signal(self))
            for replica in replicas
        ]
        self._keeper: Keeper | None = None
        self._state_is_open = False
        self._backoff = Backoff(1.0, 60.0)
        self._awaited = ""
        self._next_file = 0.0
        self._seen: tuple[bytes, int] | None = None
        self._seen_at = 0.0
        self._looks = 0
        self._audited_at = 0.0
        self._checkpoint_at = 0.0
        self._limited = False
        self._others_at = 0.0

    @property
    def watched(self) -> tuple[Path, Path]:
        """Files whose change may mean a commit, or a checkpoint of the application."""
        return self.live.wal_path, self.live.path

    def run(self, woken: bool) -> Next:
        """One look at the database. `woken`: an event, not the passing of time, is the reason."""
        try:
            pause = self._run(woken)
        except Absent as absent:
            self._let_go()
            if str(absent) != self._awaited:
                self._awaited = str(absent)
                self._observe(DatabaseAwaited(self._name, self._awaited))
            return Next(SLOW_LOOK_S)
        except LitestreamdError as error:
            return self._failed(error)
        self._awaited = ""
        if self._backoff.worked():
            self._observe(Recovered(self._name, None))
        return pause

    def finish(self) -> bool:
        """Capture what is committed by now. Out: whether every line has everything; call the lines until it has."""
        if self._keeper is None or self._state.head is None:
            return True
        self._told(self._capture.take(self.live.header(), self._clock.now_ms()))
        head = self._state.head.txid
        return all(line.complete(head) for line in self.lines)

    def close(self) -> Closed:
        """Settle, tell the replicas that we stopped cleanly, let the database go. Out: what was left behind."""
        head = self._state.head
        behind: list[tuple[str, int]] = []
        if head is not None and self._state_is_open:
            passing("close.drained")
            behind = [
                (line.replica.name, head.txid - line.cursor) for line in self.lines if not line.complete(head.txid)
            ]
            self._settle()
            for line in self.lines:
                line.close()
        self._state.rest()
        self.live.close()
        closed = Closed(self._name, head.txid if head else 0, tuple(behind))
        self._observe(closed)
        return closed

    # -- one look ----------------------------------------------------------------------------------------------------

    def _run(self, woken: bool) -> Next:
        if self._keeper is None:
            self._open()
        assert self._keeper is not None
        if self._state.head is None and not self._begin():
            return Next(SLOW_LOOK_S)
        self._admit_lines()
        self._give_images()
        return self._look(self._keeper, woken)

    def _look(self, keeper: Keeper, woken: bool) -> Next:
        header, now = self.live.header(), self._clock.monotonic()
        self._audit(now)
        seen = (header.salts, header.max_frame)
        if seen != self._seen:
            self._seen, self._seen_at, self._looks = seen, now, 0
        elif woken:
            self._looks = 1
        waits = self.live.checkpointer_waits()
        if keeper.needs_refresh(header) or waits:
            self._paced(keeper.refresh(self._clock.now_ms()))
        captured = self._capture_in_pace(header, now)
        if captured:
            self._checkpoint(keeper, now)
            self._let_alone(keeper, now)
        self._tidy(now)
        return self._pause(waits, captured, keeper)

    def _capture_in_pace(self, header: IndexHeader, now: float) -> bool:
        """Capture unless a file left less than an interval ago. Out: whether nothing is waiting."""
        if self._nothing_new(header):
            return True
        if now < self._next_file:
            return False
        self._paced(self._capture.take(header, self._clock.now_ms()))
        return True

    def _nothing_new(self, header: IndexHeader) -> bool:
        return not self._capture.in_doubt and isinstance(next_step(self._capture.head.position, header), Still)

    def _pause(self, waits: bool, captured: bool, keeper: Keeper) -> Next:
        now = self._clock.monotonic()
        if waits:
            return Next(CHECKPOINTER_S)
        if not captured:
            # Events are of no use until the interval is over, unless the guard has to get off mark 0 quickly.
            return Next(max(0.0, self._next_file - now), watch=keeper.may_stand_on_zero)
        if 0 < self._looks <= len(AFTER_EVENT_S):
            self._looks += 1
            return Next(AFTER_EVENT_S[self._looks - 2])
        return Next(SLOW_LOOK_S)

    # -- opening -----------------------------------------------------------------------------------------------------

    def _open(self) -> None:
        if self.live.open(self.settings.switch_to_wal):
            self._observe(WalModeSwitched(self._name))
        if not self._state_is_open:
            self._state.open()
            self._state_is_open = True
        header = self.live.header()
        self._keeper = Keeper(self.live, self._capture)
        how = "first start"
        if self._state.head is not None:
            reason = self._capture.resume(header)
            how = f"comparing: {reason}" if reason else "continuing in the WAL"
            # Our incarnation's node id must be on disk before any replica sees it.
            self._state.settle(force=True)
        self._observe(DatabaseOpened(self._name, self.live.page_size, header.page_count, how))

    def _begin(self) -> bool:
        """The very first start: what the replicas hold decides. False while no replica has answered."""
        if any(line.stage is Stage.LOOKING and line.error is None for line in self.lines):
            return False
        arrived = [line for line in self.lines if line.stage is Stage.ARRIVED]
        if not arrived:
            return False
        image = begin(self._capture, arrived, self._proofs(), self._clock.now_ms())
        if image is not None:
            self._admit_lines()
            receiver = next((line for line in self.lines if line.needs_image), None)
            if receiver is None:
                image.close()
            else:
                receiver.give_image(image)
                self._signal(receiver)
        return True

    def _proofs(self) -> Proofs:
        return Proofs(restored=load_restored_from(self.settings.state), take_over=self.settings.take_over)

    def _admit_lines(self) -> None:
        for line in self.lines:
            if line.stage is not Stage.ARRIVED:
                continue
            try:
                self._admit(line, admit(line, self._state, self._proofs(), self._clock.now_ms()))
            except LitestreamdError as error:
                line.refuse(error)
            self._signal(line)

    def _admit(self, line: Line, admission: Admission) -> None:
        if admission.ahead:
            self._capture.doubt("a replica has gone on without us")
            adopt_root(self._capture, line, restorable=admission.image is None)
            for other in self.lines:
                if other is not line and other.stage is Stage.ADMITTED:
                    other.needs_image = "the line of TXIDs moved on"
        line.admit(admission.cursor, self.settings.writer, admission.image)
        self._observe(Joined(self._name, line.replica.name, admission.cursor, admission.why))

    def _give_images(self) -> None:
        for line in self.lines:
            if line.awaits_image and line.stage is Stage.ADMITTED:
                line.give_image(self._prepare_image())
                self._signal(line)

    def _prepare_image(self) -> PreparedImage:
        """Pin a snapshot and bring the head to exactly that."""
        pin = Pin(self.settings.database, self.settings.busy_timeout_s)
        try:
            header, now_ms = self.live.header(), self._clock.now_ms()
            self._paced(self._capture.take(header, now_ms))
            head = self._capture.head
            first = head.txid
            if self._state.spool.get(first) is None:
                taken = self._capture.stamp(self.live.header(), now_ms)
                self._paced([taken])
                first = taken.txid
            return PreparedImage(head, first, pin, Image(self.live, header))
        except BaseException:
            pin.close()
            raise

    # -- what was captured -------------------------------------------------------------------------------------------

    def _paced(self, taken: list[Taken]) -> None:
        """Count files against the interval, and tell."""
        if taken:
            now = self._clock.monotonic()
            self._next_file = max(self._next_file, now) + self.settings.sync_interval_s * len(taken)
            self._told(taken)

    def _told(self, taken: list[Taken]) -> None:
        for one in taken:
            if one.reason is not None:
                self._observe(Compared(self._name, one.reason, one.pages, 0.0))
            self._observe(Captured(self._name, one.txid, one.pages, one.frames, one.size, 0.0))
            if one.new_line:
                for line in self.lines:
                    line.needs_image = "the page size changed"
        if taken:
            for line in self.lines:
                self._signal(line)

    # -- checkpoints -------------------------------------------------------------------------------------------------

    def _checkpoint(self, keeper: Keeper, now: float) -> None:
        if self._capture.broken_chain:
            self._observe(ChainHealed(self._name, keeper.heal(self._clock.now_ms())))
            return
        if now < self._checkpoint_at:
            return
        header = self.live.header()
        frames = self._wal_frames()
        decision = due(header, frames, now - self._seen_at, not keeper.may_stand_on_zero, self.settings.limits)
        if decision is Checkpoint.NONE:
            return
        now_ms = self._clock.now_ms()
        work = keeper.checkpoint(now_ms) if decision is Checkpoint.RUN else keeper.truncate(now_ms)
        self._told_work(work)

    def _told_work(self, work: Work) -> None:
        self._paced(work.taken)
        limited = not work.complete
        if limited:
            self._checkpoint_at = self._clock.monotonic() + self.settings.sync_interval_s
        if limited and not self._limited:
            self._observe(CheckpointLimited(self._name, work.frames, work.backfilled))
        if not limited:
            self._observe(Checkpointed(self._name, work.frames, work.lock_seconds, work.truncated))
        self._limited = limited

    def _let_alone(self, keeper: Keeper, now: float) -> None:
        """When nobody else has the database open, leave it in one file: somebody may copy just that."""
        if now - self._seen_at < ABANDONED_S or now - self._others_at < ABANDONED_S or not self._wal_frames():
            return
        if self.live.used_by_others():
            self._others_at = now
            return
        now_ms = self._clock.now_ms()
        self._told_work(keeper.checkpoint(now_ms))
        self._told_work(keeper.truncate(now_ms))

    def _wal_frames(self) -> int:
        return self.live.wal_size() // frame_size(self.live.page_size)

    # -- housekeeping ------------------------------------------------------------------------------------------------

    def _audit(self, now: float) -> None:
        """Every few seconds: are these still the files we hold, and are our locks really there?"""
        if now - self._audited_at < AUDIT_S:
            return
        self._audited_at = now
        if not self.live.same_files():
            raise Replaced(f"{self._name} was replaced by another file: it is opened anew and compared.")
        if not self.live.locks_held():
            raise Replaced(f"The locks on {self._name} are gone: it is opened anew and compared.")

    def _tidy(self, now: float) -> None:
        quiet = now - self._seen_at
        spool = self._state.spool
        if quiet >= SETTLE_QUIET_S or spool.count() > SETTLE_ENTRIES or spool.bytes() > SETTLE_BYTES:
            self._settle()
        if quiet >= REST_S:
            self.live.guard.rest()
            self._state.rest()

    def _settle(self) -> None:
        """Let spool entries go that every replica has, once hashes and cursors are durable beyond them."""
        head = self._state.head
        assert head is not None
        through = min(line.cursor if line.complete(line.cursor) else 0 for line in self.lines)
        first = next(iter(self._state.spool.entries()), None)
        if first is None or first.txid > through:
            if head.txid > self._state.settled_txid + SETTLE_ENTRIES:
                self._state.settle()
            return
        self._state.settle()
        for line in self.lines:
            line.save()
        passing("settle.cursors-written")
        self._state.spool.trim(min(through, self._state.settled_txid))
        passing("settle.spool-trimmed")

    def _failed(self, error: LitestreamdError) -> Next:
        """Tell it, and go on as far as is safe: with the guard in place unless SQLite or the files are the trouble."""
        if isinstance(error, Replaced):
            self._observe(ContinuityLost(self._name, str(error)))
            self._let_go()
            return Next(0.0)
        seconds = self._backoff.failed()
        self._observe(Problem(self._name, None, str(error), type(error).__name__, seconds))
        if self._keeper is not None and not isinstance(error, EnvironmentFault):
            self._let_go()
        self._release_if_huge()
        return Next(seconds, watch=False)

    def _release_if_huge(self) -> None:
        """The valve: a WAL that grows without end while nothing can be captured would take the application down."""
        if self._keeper is None:
            return
        size = self.live.wal_size()
        limit = max(VALVE_BYTES, 4 * self.settings.limits.truncate_pages * frame_size(self.live.page_size))
        if size > limit:
            self._observe(ValveOpened(self._name, size, limit))
            self._let_go()

    def _let_go(self) -> None:
        """Close the database; the next run opens it and proves anew where it stands."""
        self._keeper = None
        self._seen = None
        self.live.close()


class Replaced(EnvironmentFault):
    """The files behind the paths, or our locks on them, are not what we opened."""
