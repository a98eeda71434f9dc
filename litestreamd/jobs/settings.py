"""How one database is replicated, as values."""

from dataclasses import dataclass
from pathlib import Path

from litestreamd.plan.checkpoint import Limits
from litestreamd.replica.writers import Writer


@dataclass(frozen=True, slots=True)
class Settings:
    """How one database is replicated. Times in seconds; `state` is its state directory; `limits` as plan.checkpoint;
    `take_over` lets a foreign history be continued; `writer` is who we are. While a full image is on its way the WAL
    may grow to `image_wal_bytes`, and old pages kept aside for it take up to `image_quota_bytes` beside the state."""

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
    image_quota_bytes: int = 16 << 30
