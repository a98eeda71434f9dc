"""How the history on a replica is to be kept: what the configuration promises its user.

In: values of the configuration. Out: `Rules`, which compaction, snapshots and retention decide by. Times in seconds.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keep:
    """Snapshots that outlive the window: the newest one of each of the last so many hours, days, ISO weeks and months
    (UTC) that have one."""

    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one replica; the defaults are Litestream's.

    levels_s: the interval of level 1, level 2, ... (up to 8). l0_retention_s: how long single level-0 files stay at
    least, 0 = for ever; l0_check_s: how often they are looked at. snapshot_interval_s: between two full images.
    snapshot_retention_s: the window within which every moment can be restored. enabled: whether anything is deleted.
    """

    levels_s: tuple[float, ...] = (30.0, 300.0, 3600.0)
    l0_retention_s: float = 300.0
    l0_check_s: float = 15.0
    snapshot_interval_s: float = 86400.0
    snapshot_retention_s: float = 86400.0
    keep: Keep = Keep()
    enabled: bool = True
