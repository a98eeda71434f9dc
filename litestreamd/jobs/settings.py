"""How one database is replicated, as values."""

from dataclasses import dataclass, field
from pathlib import Path

from litestreamd.plan.checkpoint import Limits
from litestreamd.plan.spool_quota import Quota
from litestreamd.replica.writers import Writer


@dataclass(frozen=True, slots=True)
class Settings:
    """How one database is replicated. Times in seconds; `state` is its state directory; `limits` as plan.checkpoint;
    `take_over` lets a foreign history be continued; `writer` is who we are. While a full image is on its way the WAL
    may grow to `image_wal_bytes`. `spool_quota`: room for files that not every replica has; old pages that are kept
    aside for a full image may take as much."""

    database: Path
    state: Path
    writer: Writer
    limits: Limits
    sync_interval_s: float = 1.0
    busy_timeout_s: float = 1.0
    max_sync_wal_bytes: int = 64 << 20
    switch_to_wal: bool = True
    take_over: bool = False
    image_wal_bytes: int = 128 << 20
    spool_quota: Quota = field(default_factory=Quota)
