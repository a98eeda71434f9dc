"""The WAL kept short and the files looked after, at moments when nothing waits to be captured.

In: the open database with its keeper, and how long it has been quiet. Out: new TXIDs that the work brought along.
While a full image is on its way the WAL may grow: each checkpoint makes the image keep old pages aside.
"""

from dataclasses import replace

from litestreamd.basics.clock import Clock
from litestreamd.basics.errors import EnvironmentFault
from litestreamd.database.access_record import AccessRecord
from litestreamd.database.capture import Capture, Taken
from litestreamd.database.keeper import Keeper, Work
from litestreamd.jobs.events import ChainHealed, Checkpointed, CheckpointLimited, Observer, ValveOpened
from litestreamd.plan.checkpoint import Checkpoint, Limits, due
from litestreamd.wal.frames import frame_size

AUDIT_S, QUIET_AUDIT_S = 5.0, 60.0
ABANDONED_S = 10.0
RETRY_S = 1.0
VALVE_BYTES = 1 << 30


class Replaced(EnvironmentFault):
    """The files behind the paths, or our locks on them, are not what we opened."""


class Upkeep:
    """One per open database, like its keeper."""

    def __init__(
        self,
        keeper: Keeper,
        capture: Capture,
        limits: Limits,
        clock: Clock,
        observe: Observer,
        image_wal_bytes: int = 128 << 20,
    ) -> None:
        self._keeper = keeper
        self._capture = capture
        self._live = capture.live
        self._name = str(capture.live.path)
        self._limits = limits
        self._image_wal_bytes = image_wal_bytes
        self._clock = clock
        self._observe = observe
        self._files_at = self._locks_at = clock.monotonic()
        self._checkpoint_at = 0.0
        self._others_at = clock.monotonic()
        self._limited = False
        self._access = AccessRecord(capture.state.folder)

    def audit(self, quiet_s: float) -> None:
        """Every few seconds: are these still the files we hold, and are our locks really there? Raises Replaced. Now
        and then whose they are is recorded.

        The kernel's list of locks covers the whole machine, so that a quiet database looks it up less often; should
        its locks go meanwhile, SQLite's count of transactions still tells whether frames were lost.
        """
        now = self._clock.monotonic()
        if now - self._files_at >= AUDIT_S:
            self._files_at = now
            if not self._live.same_files():
                raise Replaced(f"{self._name} was replaced by another file: it is opened anew and compared")
        self._access.keep(self._live.path, now)
        if now - self._locks_at >= (AUDIT_S if quiet_s < AUDIT_S else QUIET_AUDIT_S):
            self._locks_at = now
            if not self._live.locks_held():
                raise Replaced(f"our locks on {self._name} are gone: it is opened anew and compared")

    def checkpoint(self, quiet_s: float) -> list[Taken]:
        """Checkpoint if it is due; heal a broken chain at once. Out: what was captured meanwhile."""
        if self._clock.monotonic() < self._checkpoint_at:
            return []
        if self._capture.broken_chain:
            return self.heal()
        above_zero = not self._keeper.may_stand_on_zero
        match due(self._live.header(), self._wal_frames(), quiet_s, above_zero, self._limits_now()):
            case Checkpoint.RUN:
                return self._told(self._keeper.checkpoint(self._clock.now_ms()))
            case Checkpoint.TRUNCATE:
                return self._told_cut(self._keeper.truncate(self._clock.now_ms()))
            case Checkpoint.NONE:
                return []

    def leave_in_one_file(self, quiet_s: float) -> list[Taken]:
        """When nobody else has the database open, bring all of it into the database file: while we hold it open, the
        application's last close does not, and somebody may copy just that file."""
        now = self._clock.monotonic()
        if quiet_s < ABANDONED_S or now - self._others_at < ABANDONED_S or not self._wal_frames():
            return []
        self._others_at = now
        if self._live.used_by_others():
            return []
        now_ms = self._clock.now_ms()
        return self._told(self._keeper.checkpoint(now_ms)) + self._told_cut(self._keeper.truncate(now_ms))

    def heal(self) -> list[Taken]:
        """Get rid of a WAL with a broken checksum chain. Out: what was captured meanwhile."""
        work, healed = self._keeper.heal(self._clock.now_ms())
        self._observe(ChainHealed(self._name, healed))
        if not healed:
            self._checkpoint_at = self._clock.monotonic() + RETRY_S
        return work

    def _limits_now(self) -> Limits:
        """While an image is on its way: checkpoints when the WAL reaches its limit, or an eighth of the room that is
        left on its disk."""
        if not self._live.followers.any:
            return self._limits
        most = min(self._image_wal_bytes, self._live.free_bytes() // 8)
        frames = max(self._limits.min_pages, most // frame_size(self._live.page_size))
        return replace(self._limits, min_pages=frames, interval_s=0)

    def valve_opens(self) -> bool:
        """Whether the WAL has grown beyond all measure while nothing could be captured: then it is better let go."""
        size = self._live.wal_size()
        limit = max(VALVE_BYTES, 4 * self._limits.truncate_pages * frame_size(self._live.page_size))
        if size > limit:
            self._observe(ValveOpened(self._name, size, limit))
        return size > limit

    def _told(self, work: Work) -> list[Taken]:
        if work.complete:
            self._observe(Checkpointed(self._name, work.frames, work.lock_seconds, work.truncated))
        else:
            self._checkpoint_at = self._clock.monotonic() + RETRY_S
            if not self._limited:
                self._observe(CheckpointLimited(self._name, work.frames, work.backfilled))
        self._limited = not work.complete
        return work.taken

    def _told_cut(self, work: Work) -> list[Taken]:
        if work.truncated:
            return self._told(work)
        # A writer is in the middle of something: no hurry.
        self._checkpoint_at = self._clock.monotonic() + RETRY_S
        return work.taken

    def _wal_frames(self) -> int:
        return self._live.wal_size() // frame_size(self._live.page_size)
