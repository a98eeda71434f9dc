"""What jobs tell: frozen facts handed to an observer; the log (and later the metrics) are observers.

Nothing here knows of a log, a journal or a metric. Times are seconds, sizes bytes.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one database (its path)."""

    database: str


@dataclass(frozen=True, slots=True)
class DatabaseOpened(Event):
    """The database is guarded: from here on no commit can be lost unseen."""

    page_size: int
    pages: int
    how: str


@dataclass(frozen=True, slots=True)
class DatabaseAwaited(Event):
    """Nothing to protect yet (no file, or an empty one)."""

    why: str


@dataclass(frozen=True, slots=True)
class WalModeSwitched(Event):
    """The database was in rollback-journal mode and is in WAL mode now."""


@dataclass(frozen=True, slots=True)
class Captured(Event):
    """Committed frames became one durable spool entry."""

    txid: int
    pages: int
    frames: int
    size: int


@dataclass(frozen=True, slots=True)
class Compared(Event):
    """The live pages were compared with the page hashes because continuity could not be proven."""

    reason: str
    changed: int


@dataclass(frozen=True, slots=True)
class Pushed(Event):
    """An object is durable on a replica."""

    replica: str
    level: int
    min_txid: int
    max_txid: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class ImageStarted(Event):
    """A full image is on its way to a replica."""

    replica: str
    pages: int
    reason: str


@dataclass(frozen=True, slots=True)
class SpoolFull(Event):
    """The spool had to let files go that a replica lacks; it gets what they changed in one file. Sizes in bytes."""

    replica: str
    quota: int
    files: int
    through: int


@dataclass(frozen=True, slots=True)
class ImageGivenUp(Event):
    """A full image could not be finished; it is tried again later."""

    replica: str
    why: str


@dataclass(frozen=True, slots=True)
class Compacted(Event):
    """Objects of one level were merged into one of the next; they may go when retention lets them."""

    replica: str
    level: int
    min_txid: int
    max_txid: int
    inputs: int
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Expired(Event):
    """Objects that no promised restore point needs were deleted from a replica; `single`: of level 0 only, as happens
    all the time."""

    replica: str
    objects: int
    size: int
    single: bool


@dataclass(frozen=True, slots=True)
class Found(Event):
    """Something is odd about a replica's listing (a hole, an overlap); `lost`: restore points were lost with it."""

    replica: str
    finding: str
    lost: bool


@dataclass(frozen=True, slots=True)
class ObjectDamaged(Event):
    """An object of a replica does not prove itself, or is gone; a new full image takes over from it."""

    replica: str
    name: str
    error: str


@dataclass(frozen=True, slots=True)
class Healed(Event):
    """A new full image stands where a damaged object was; `lost` names the restore points that went with it."""

    replica: str
    name: str
    lost: str


@dataclass(frozen=True, slots=True)
class RetentionStopped(Event):
    """The live database does not give its recorded checksum: nothing is deleted anywhere until the operator decides."""

    why: str


@dataclass(frozen=True, slots=True)
class Joined(Event):
    """A replica's root was listed and may be continued."""

    replica: str
    head: int
    why: str


@dataclass(frozen=True, slots=True)
class Checkpointed(Event):
    """WAL frames were moved into the database file."""

    frames: int
    write_lock_seconds: float
    truncated: bool


@dataclass(frozen=True, slots=True)
class CheckpointLimited(Event):
    """A reader of the application (or its write lock) keeps the WAL from being checkpointed."""

    frames: int
    backfilled: int


@dataclass(frozen=True, slots=True)
class ChainHealed(Event):
    """SQLite < 3.50.4 had written a broken WAL checksum chain; a checkpoint made the data safe."""

    done: bool


@dataclass(frozen=True, slots=True)
class ValveOpened(Event):
    """The WAL was let go although not all of it was captured; a full comparison follows."""

    wal_bytes: int
    limit: int


@dataclass(frozen=True, slots=True)
class ContinuityLost(Event):
    """Something unexpected: the next capture compares every page."""

    reason: str


@dataclass(frozen=True, slots=True)
class Problem(Event):
    """Something failed; `error` is one clear sentence. It is retried after `retry_seconds` (None: never)."""

    replica: str | None
    error: str
    error_class: str
    retry_seconds: float | None


@dataclass(frozen=True, slots=True)
class Recovered(Event):
    """What had failed works again."""

    replica: str | None


@dataclass(frozen=True, slots=True)
class Closed(Event):
    """The database was let go; `behind` names replicas that lack something and how many TXIDs."""

    txid: int
    behind: tuple[tuple[str, int], ...]


Observer = Callable[[Event], None]
