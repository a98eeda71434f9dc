"""Where the replication of one database stands, as values that others may read at any time, from any thread.

In: what the capture (jobs/replicate.py) notes. Out: Standing and Missing. Sizes in bytes, times in seconds, or ms since
1970.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from litestreamd.basics.clock import Clock
from litestreamd.database.captured import CapturedState
from litestreamd.database.live import LiveDatabase
from litestreamd.jobs.barrier import Barriers
from litestreamd.jobs.ship import Line


class Stage(Enum):
    """What the capture of a database is at."""

    STARTING = "starting"
    WATCHED = "watched"
    """A guard stands: no commit can be lost."""
    ABSENT = "absent"
    """There is nothing to protect yet."""
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Standing:
    """txid: the last that is captured. waiting_s: for how long commits have waited to be captured. size, wal_size: of
    the files, None where there is none. spool_quota: what the spool may take now, None when that cannot be said."""

    stage: Stage
    txid: int
    waiting_s: float
    size: int | None
    wal_size: int | None
    spool_files: int
    spool_bytes: int
    spool_quota: int | None


@dataclass(frozen=True, slots=True)
class Missing:
    """What a replica lacks of what is captured. oldest_ms: when the first of it was captured; None where nothing waits
    in the spool."""

    txids: int = 0
    size: int = 0
    oldest_ms: int | None = None


class Outlook:
    """One per database. The capture sets `stage`, notes what waits and answers `barriers`; everybody may read, and
    ask for a barrier."""

    def __init__(self, live: LiveDatabase, state: CapturedState, quota: Callable[[], int | None], clock: Clock) -> None:
        self.stage = Stage.STARTING
        self.barriers = Barriers()
        self._live = live
        self._state = state
        self._quota = quota
        self._clock = clock
        self._waiting_since: float | None = None

    def note_stage(self, is_open: bool, awaits: bool) -> None:
        """After a look that went well."""
        self.stage = Stage.WATCHED if is_open else Stage.ABSENT if awaits else Stage.STARTING

    def note_waiting(self, waits: bool, now: float) -> None:
        """Whether there are commits that are not captured yet."""
        if not waits:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now

    def standing(self) -> Standing:
        """Of the database."""
        head, since = self._state.head, self._waiting_since
        return Standing(
            stage=self.stage,
            txid=head.txid if head else 0,
            waiting_s=0.0 if since is None else self._clock.monotonic() - since,
            size=_size_of(self._live.path),
            wal_size=_size_of(self._live.wal_path),
            spool_files=self._state.spool.count(),
            spool_bytes=self._state.spool.bytes(),
            spool_quota=self._quota(),
        )

    def missing(self, line: Line) -> Missing:
        """What a replica lacks."""
        head = self._state.head
        if head is None:
            return Missing()
        entries = self._state.spool.entries(after=line.cursor)
        oldest_ms = entries[0].timestamp_ms if entries else None
        return Missing(head.txid - line.cursor, sum(entry.size for entry in entries), oldest_ms)


def _size_of(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
