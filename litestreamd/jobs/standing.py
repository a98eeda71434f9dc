"""Where the replication of one database stands, as values that others may read at any time.

In: nothing of their own; `jobs/replicate.py` makes them. Sizes in bytes, times in seconds or ms since 1970.
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


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
    the files, None where there is none."""

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


def size_of(path: Path) -> int | None:
    """Bytes of a file, None without one."""
    try:
        return path.stat().st_size
    except OSError:
        return None
