"""When to checkpoint, and how hard to try.

In: the WAL-index header and the limits of the configuration. Out: one of four answers.
"""

from dataclasses import dataclass
from enum import Enum

from litestreamd.wal.index import IndexHeader


@dataclass(frozen=True, slots=True)
class Limits:
    """`min_pages`: WAL frames from which on a checkpoint is worth it. `truncate_pages`: frames from which on the
    file itself should shrink when nobody is in the way (0: never). `interval_s`: a smaller WAL is checkpointed
    after this many quiet seconds (0: never)."""

    min_pages: int
    truncate_pages: int
    interval_s: float


class Checkpoint(Enum):
    """What to do now."""

    NONE = "none"
    RUN = "run"
    TRUNCATE = "truncate"


def due(header: IndexHeader, wal_frames: int, quiet_s: float, guard_above_zero: bool, limits: Limits) -> Checkpoint:
    """Decide from the header, the frames that fit in the -wal file, the seconds since the last commit was seen, and
    whether our own guard keeps the WAL from being restarted although it is all in the database file.

    A file that once grew beyond `truncate_pages` is cut only when all of it is in the database and the last
    commit is a second old: cutting happens under the write lock.
    """
    waiting = header.max_frame > header.backfilled
    if header.max_frame >= limits.min_pages and (waiting or guard_above_zero):
        return Checkpoint.RUN
    if waiting and limits.interval_s and quiet_s >= limits.interval_s:
        return Checkpoint.RUN
    if limits.truncate_pages and wal_frames >= limits.truncate_pages and not waiting and quiet_s >= 1:
        return Checkpoint.TRUNCATE
    return Checkpoint.NONE
