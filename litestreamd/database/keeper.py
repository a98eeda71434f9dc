"""Keeps the guard fresh and the WAL short without ever letting an uncaptured frame go.

In: the live database and its capture. Out: what was captured and checkpointed on the way.
Promise: a guard is ended only after the next one has begun, and only when that one either stands on a read mark
above 0 (nobody can restart the WAL) or everything up to a header read after its begin is captured; and
only after whoever reads under the old one for long has been told of the next.
"""

import time
from dataclasses import dataclass, field

from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import Fault, LitestreamdError
from litestreamd.database.capture import Capture, Taken
from litestreamd.database.live import LiveDatabase
from litestreamd.wal.index import IndexHeader

LOCK_WAIT_S = 0.25
HEAL_TRIES = 5
ROUNDS = 5
SMALL_REST = 256
"""Frames that are captured and checkpointed in about a millisecond."""


class GuardLost(LitestreamdError):
    """No guard is open any more: the database has to be opened anew, and to prove where it stands."""

    fault = Fault.ENVIRONMENT
    retry = True


@dataclass(slots=True)
class Work:
    """What one call did: new TXIDs, frames in the WAL and how many of them are in the database file now, seconds
    the write lock was held, whether the -wal was cut."""

    taken: list[Taken] = field(default_factory=list)
    frames: int = 0
    backfilled: int = 0
    lock_seconds: float = 0.0
    truncated: bool = False

    @property
    def complete(self) -> bool:
        """Whether the next writer may restart the WAL."""
        return self.frames == self.backfilled

    def seen(self, header: IndexHeader) -> "Work":
        """With the frame counts of a header."""
        self.frames, self.backfilled = header.max_frame, header.backfilled
        return self


class Keeper:
    """One per open database; make a new one after each `LiveDatabase.open`."""

    def __init__(self, live: LiveDatabase, capture: Capture) -> None:
        self._live = live
        self._capture = capture
        # Until the guard was moved once, nothing says which mark it stands on, and in which generation it began.
        self._salts: bytes | None = None
        self.may_stand_on_zero = True

    def needs_refresh(self, header: IndexHeader) -> bool:
        """Whether the guard hurts where it stands: on mark 0 it keeps every checkpoint of the application from
        making progress, which costs its writers dearly once there are frames."""
        return self.may_stand_on_zero and header.max_frame > header.backfilled

    def refresh(self, now_ms: int) -> list[Taken]:
        """Move the guard to the newest snapshot. It stays where it is if a stale checkpointer may be about."""
        live, guard = self._live, self._live.guard
        before = live.header()
        if before.salts != self._salts and not self._no_stale_checkpointer():
            return []
        guard.begin_next()
        try:
            header = live.header()
            if header.salts != before.salts:
                # Restarted just now, under our mark 0, which allows that once: the next move has to look again.
                guard.drop_next()
                return []
            above_zero = _above_zero(before, header)
            taken = [] if above_zero else self._capture.take(header, now_ms)
            live.followers.follow(header)
        except BaseException:
            guard.drop_next()
            raise
        guard.swap()
        self._salts, self.may_stand_on_zero = header.salts, not above_zero
        passing("guard.moved")
        return taken

    def checkpoint(self, now_ms: int) -> Work:
        """Bring the WAL into the database file: in bulk beside the writers, round by round while they add much, then
        the small rest under the write lock. What the lock waits for is written and flushed already."""
        work = Work(self.refresh(now_ms))
        for _ in range(ROUNDS):
            mark = self._live.header().max_frame
            work.taken += self.refresh(now_ms)
            ours = self._live.guard.checkpoint()
            self._live.sync_file()
            passing("checkpoint.bulk-done")
            header = self._live.header()
            if ours and header.backfilled < min(mark, header.max_frame):
                return work.seen(header)  # a reader of the application is in the way, and would be under the lock too
            if header.max_frame - header.backfilled <= SMALL_REST:
                break
            work.taken += self._capture.take(header, now_ms)
        work.taken += self.refresh(now_ms)
        if not work.seen(self._live.header()).complete:
            self._checkpoint_locked(now_ms, work)
        passing("checkpoint.done")
        return work

    def truncate(self, now_ms: int) -> Work:
        """Cut the -wal to nothing if it is all in the database file and nobody reads it."""
        work = Work(self.refresh(now_ms))
        work.truncated = self._live.guard.truncate()
        passing("checkpoint.truncated")
        return work.seen(self._live.header())

    def heal(self, now_ms: int) -> tuple[list[Taken], bool]:
        """Get rid of a WAL whose checksum chain is broken, before a crash makes SQLite stop its recovery there.

        Backfilling alone does not help: a recovery would lay the older frames over the newer pages. Out: what was
        captured on the way, and whether the chain is gone.
        """
        taken: list[Taken] = []
        for _ in range(HEAL_TRIES):
            work = self.checkpoint(now_ms)
            taken += work.taken
            if work.complete:
                cut = self.truncate(now_ms)
                taken += cut.taken
                if cut.truncated:
                    self._capture.broken_chain = False
                    return taken, True
        return taken, False

    def _checkpoint_locked(self, now_ms: int, work: Work) -> None:
        guard = self._live.guard
        if not guard.lock_writers_out(LOCK_WAIT_S):
            return
        locked = time.monotonic()
        try:
            passing("checkpoint.locked")
            # The next guard now holds the write lock and the newest snapshot: this header is the last word.
            header = self._live.header()
            if header.salts != self._salts:
                # The guard did not move because of a stale checkpointer; it may not be ended here either.
                guard.drop_next()
                return
            work.taken += self._capture.take(header, now_ms)
            self._live.followers.follow(header)
        except BaseException:
            guard.drop_next()
            raise
        guard.swap()
        try:
            guard.checkpoint()
        finally:
            # Also when the disk is full: the lock must not stay with us.
            self._leave_lock(work)
            work.lock_seconds = time.monotonic() - locked
            self.may_stand_on_zero = True

    def _leave_lock(self, work: Work) -> None:
        """End the guard that holds the write lock; if no next one can begin, without one: see GuardLost."""
        guard, followers, followed = self._live.guard, self._live.followers, False
        try:
            guard.begin_next()
            header = self._live.header()
            work.seen(header)
            followers.follow(header)
            followed = True
        except LitestreamdError as error:
            raise GuardLost(f"{error} The guard was let go, so that writers go on.") from error
        finally:
            if not followed:
                followers.close()
            guard.swap()

    def _no_stale_checkpointer(self) -> bool:
        """Whether no checkpointer with a header from before the last restart of the WAL can still be at work.

        SQLite up to 3.51.2 lets such a one believe that frames are checkpointed which are not (the WAL-reset bug,
        fixed in 3.51.3); while we stand on mark 0 it cannot. If we get the checkpoint lock, there is none; if one
        process holds it together with the write lock, it has read its header under that.
        """
        return self._live.guard.checkpoint() or self._live.checkpointer_waits()


def _above_zero(before: IndexHeader, after: IndexHeader) -> bool:
    """Whether a transaction begun between two headers stands on a read mark above 0.

    SQLite chooses mark 0 only when nBackfill equals mxFrame at the begin (wal.c, walTryBeginRead). Within a generation
    both only grow, so frames that are not backfilled afterwards and existed before exclude that.
    """
    return before.salts == after.salts and after.backfilled < before.max_frame
