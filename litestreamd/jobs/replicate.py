"""The replicate job of one database: see a commit, make it durable, tell the lines that ship it.

In: settings, replicas, a clock. Out: spool entries for the lines (jobs/ship.py), events for the observer.
Promise: `run`, `finish` and `close` are called by one thread at a time; a failure of `run` is told and tried again,
never raised; as long as the database is open a guard holds every frame that is not captured yet.

The recipe of `run`: open; begin or resume; admit replicas; move a guard that hurts; capture, at once after a quiet
spell and then at most once per interval; checkpoint; settle; rest.
"""

from collections.abc import Callable
from pathlib import Path

from litestreamd.basics.clock import Clock
from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import BusyError, EnvironmentFault, LitestreamdError
from litestreamd.database.capture import Capture, Taken
from litestreamd.database.captured import CapturedState
from litestreamd.database.keeper import Keeper
from litestreamd.database.live import Absent, AlreadyReplicated, LiveDatabase
from litestreamd.jobs.events import (
    Closed,
    ContinuityLost,
    DatabaseAwaited,
    DatabaseOpened,
    Observer,
    Problem,
    Recovered,
    WalModeSwitched,
)
from litestreamd.jobs.history import History
from litestreamd.jobs.lines import Lines
from litestreamd.jobs.pace import SLOW_LOOK_S, Backoff, Next, Pace
from litestreamd.jobs.rollback import pass_gate
from litestreamd.jobs.settings import Settings
from litestreamd.jobs.ship import Line
from litestreamd.jobs.standing import Outlook, Stage
from litestreamd.jobs.taken import TakenTeller
from litestreamd.jobs.upkeep import Replaced, Upkeep
from litestreamd.plan.position import Still, next_step
from litestreamd.plan.rules import Rules
from litestreamd.replica.port import Replica
from litestreamd.wal.index import IndexHeader

REST_S, SETTLE_QUIET_S = 2.0, 5.0


class Replication:
    """One database. `lines` and `histories` are its replicas' tasks; `signal(task)` asks for a task to run soon.
    `refused` is set while another daemon has the database."""

    def __init__(
        self,
        settings: Settings,
        replicas: list[tuple[Replica, Rules]],
        clock: Clock,
        observe: Observer,
        signal: Callable[[object], None],
    ) -> None:
        self.settings = settings
        self._name = str(settings.database)
        self._clock = clock
        self._observe = observe
        self._live = LiveDatabase(settings.database, settings.busy_timeout_s)
        self._state = CapturedState(settings.state, settings.writer.node_id)
        self._capture = Capture(self._live, self._state, settings.max_sync_wal_bytes, settings.spool_quota)
        self._lines = Lines(
            self._capture, replicas, settings.state, settings.writer, settings.take_over, settings.spool_quota,
            clock, observe, signal, news=lambda: signal(self),
        )  # fmt: skip
        self._taken = TakenTeller(self._name, self._lines, observe)
        self.refused: AlreadyReplicated | None = None
        self.error: LitestreamdError | None = None
        self.outlook = Outlook(self._live, self._state, lambda: self._lines.quota, clock)
        self.captured = False
        self._last = 0
        self._state_is_open = False
        self._keeper: Keeper | None = None
        self._upkeep: Upkeep | None = None
        self._backoff = Backoff(1.0, 60.0)
        self._awaited = ""
        self._pace = Pace(settings.sync_interval_s)

    def __str__(self) -> str:
        return f"capture of {self._name}"

    @property
    def lines(self) -> list[Line]:
        """The tasks that ship to the replicas."""
        return self._lines.each

    @property
    def histories(self) -> list[History]:
        """The tasks that keep the replicas' histories: they may take long."""
        return self._lines.histories

    @property
    def watched(self) -> tuple[Path, Path]:
        """Files whose change may mean a commit, or a checkpoint of the application."""
        return self._live.wal_path, self._live.path

    def run(self, woken: bool) -> Next:
        """One look at the database. `woken`: an event, not the passing of time, is the reason."""
        try:
            pause = self._run_or_await(woken)
        except Replaced as replaced:
            self._observe(ContinuityLost(self._name, str(replaced)))
            self._let_go()
            return Next(0.0)
        except AlreadyReplicated as error:
            self.refused = error
            return self._failed(error)
        except LitestreamdError as error:
            return self._failed(error)
        self.refused = self.error = None
        self.outlook.note_stage(is_open=self._keeper is not None, awaits=bool(self._awaited))
        if self._backoff.worked():
            self._observe(Recovered(self._name, None))
        return pause

    def finish(self) -> bool:
        """Capture what is committed by now (`captured` says whether that was possible). Out: whether every replica has
        everything that was captured; run the lines until it has."""
        if self._keeper is not None and not self._live.same_files():
            self._observe(ContinuityLost(self._name, f"{self._name} was replaced by another file just before the end"))
            self._let_go()
            self._last = 0
        if self._keeper is None or self._state.head is None:
            self.run(woken=True)  # the end may come before the first look
        if self._state.head is None:
            self.captured = self._keeper is None and bool(self._awaited)
            return self._keeper is None and not self._lines.silent
        self._lines.admit()
        if self._keeper is not None:
            self._lines.give_images(self._taken.tell)
            if not self._last or self._capture.in_doubt:
                self._capture_last()
        self.captured = self._keeper is not None or bool(self._awaited)
        return not self._lacks()

    @property
    def lacking(self) -> set[str]:
        """Names of the replicas that do not have everything that was captured."""
        return {name for name, _ in self._lacks()}

    def _capture_last(self) -> None:
        """What was committed before now is the last that this run promises: an application that goes on writing, faster
        perhaps than a replica takes it, must not keep us from ending."""
        self._taken.tell(self._capture.take(self._live.header(), self._clock.now_ms()))
        if self._capture.broken_chain and self._upkeep is not None and not self._live.used_by_others():
            # SQLite's recovery would stop at the break. Others who have it open checkpoint with their last close.
            self._taken.tell(self._upkeep.heal())
        self._last = self._capture.head.txid

    def _lacks(self) -> tuple[tuple[str, int], ...]:
        """(replica, TXIDs it lacks of what this run promises)."""
        head = self._state.head
        return self._lines.behind(self._last or (head.txid if head else 0))

    def close(self) -> Closed:
        """Settle, tell the replicas that we stopped cleanly, let the database go. Out: what was left behind."""
        self.outlook.barriers.failed(BusyError(f"{self._name} is not replicated any more."))
        head = self._state.head
        behind = dict(self._lacks()) if head is not None else {}
        try:
            if head is not None:
                passing("close.drained")
                self._lines.settle()
                self._state.settle()
                behind = dict.fromkeys(self._lines.close(), head.txid) | behind
        except LitestreamdError as error:
            # The data is where `behind` says; only our own notes are older than they could be.
            self._observe(Problem(self._name, None, str(error), type(error).__name__, None))
        finally:
            self._state.rest()
            self._live.close()
        closed = Closed(self._name, self._last or (head.txid if head else 0), tuple(behind.items()))
        self._observe(closed)
        return closed

    def _run_or_await(self, woken: bool) -> Next:
        try:
            return self._run(woken)
        except Absent as absent:
            return self._await(str(absent))

    def _run(self, woken: bool) -> Next:
        if self._state_is_open and self._state.head is None and self._lines.silent:
            # Nobody to begin with, so nothing to guard: the application's WAL must not grow for that.
            self._let_go()
            return Next(SLOW_LOOK_S)
        if self._keeper is None:
            self._open()
            self._awaited = ""
        if self._state.head is None and not self._lines.begin():
            return Next(SLOW_LOOK_S)
        self._lines.admit()
        self._lines.give_images(self._paced)
        return self._look(woken)

    def _look(self, woken: bool) -> Next:
        assert self._keeper is not None and self._upkeep is not None
        barriers = self.outlook.barriers.asked()
        header, now = self._live.header(), self._clock.monotonic()
        self._pace.notice((header.salts, header.max_frame), now, woken)
        quiet = self._pace.quiet(now)
        self._upkeep.audit(quiet)
        waits = self._live.checkpointer_waits()
        if waits or self._keeper.needs_refresh(header):
            self._paced(self._keeper.refresh(self._clock.now_ms()))
            # A comparison needs a header from after the guard's begin: newer pages may reach the file from now on.
            header = self._live.header()
        idle = self._capture_in_pace(header, now, hurried=bool(barriers))
        self.outlook.note_waiting(not idle, now)
        if idle:
            self.outlook.barriers.reached(barriers, self._capture.head.txid)
            self._paced(self._upkeep.checkpoint(quiet))
            self._paced(self._upkeep.leave_in_one_file(quiet))
        self._tidy(quiet if idle else 0.0)
        return self._pace.next_look(self._clock.monotonic(), waits, idle, self._keeper.may_stand_on_zero)

    def _capture_in_pace(self, header: IndexHeader, now: float, hurried: bool) -> bool:
        """Capture unless a file left less than an interval ago. Out: whether nothing is waiting."""
        if not self._capture.in_doubt and isinstance(next_step(self._capture.head.position, header), Still):
            return True
        if not hurried and not self._pace.may_send(now):
            return False
        self._paced(self._capture.take(header, self._clock.now_ms()))
        return True

    def _open(self) -> None:
        pass_gate(self.settings.state, self.settings.database)
        if self._live.open(self.settings.switch_to_wal):
            self._observe(WalModeSwitched(self._name))
        self._open_state()
        header, how = self._live.header(), "first start"
        reason = self._capture.inspect(header)
        if self._state.head is not None:
            how = f"comparing: {reason}" if reason else "continuing in the WAL"
            # The node id of this incarnation must be on disk before any replica sees it.
            self._state.settle(force=True)
        self._keeper = Keeper(self._live, self._capture)
        self._upkeep = Upkeep(
            self._keeper, self._capture, self.settings.limits, self._clock, self._observe, self.settings.image_wal_bytes
        )
        pages = header.page_count or self._live.size() // self._live.page_size
        self._observe(DatabaseOpened(self._name, self._live.page_size, pages, how))

    def _open_state(self) -> None:
        if not self._state_is_open:
            self._state.open()
            self._lines.open()
            self._state_is_open = True

    def _paced(self, taken: list[Taken]) -> None:
        """Count a capture against the interval, and tell of it."""
        if taken:
            self._pace.sent(self._clock.monotonic())
            self._taken.tell(taken)

    def _tidy(self, quiet: float) -> None:
        if quiet >= SETTLE_QUIET_S or self._lines.pressing:
            self._lines.settle()
        if quiet >= REST_S:
            self._live.guard.rest()
            self._state.rest()

    def _await(self, why: str) -> Next:
        barriers = self.outlook.barriers.asked()
        self._let_go()
        # Entries that a database left in the spool before it went away still belong on its replicas.
        self._open_state()
        if self._state.head is not None:
            self._lines.admit()
        if why != self._awaited:
            self._awaited = why
            self._observe(DatabaseAwaited(self._name, why))
        self.outlook.barriers.reached(barriers, self._state.head.txid if self._state.head else 0)
        return Next(SLOW_LOOK_S)

    def _failed(self, error: LitestreamdError) -> Next:
        """Tell it. The guard stays where it is while the trouble is with our own disk; else the database is let go, and
        the next run opens it anew and proves where it stands."""
        seconds = self._lines.heed(error) or self._backoff.failed()
        self.error, self.outlook.stage = error, Stage.FAILING
        self.outlook.barriers.failed(error)
        self._observe(Problem(self._name, None, str(error), type(error).__name__, seconds))
        if self._keeper is None:
            self._let_go()  # opened half: our claim on the file must not stand in our own way
        else:
            self._lines.make_room()
            if (self._upkeep and self._upkeep.valve_opens()) or not isinstance(error, EnvironmentFault):
                self._let_go()
        return Next(seconds, watch=False)

    def _let_go(self) -> None:
        self._keeper = self._upkeep = None
        self._pace.forget()
        self._lines.withdraw_images()
        self._live.close()
