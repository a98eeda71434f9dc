"""When a unit's failure was last reported: newer systemd calls OnFailure= at each automatic restart.

In: a folder that outlives the reporter (or None), the unit, the time. Out: whether it is time for a report.
A clock that was set back does not silence anything: a stamp of the future counts as old.
"""

import os
from collections.abc import Mapping
from pathlib import Path

PAUSE_S = 600.0


def stamp_folder(environment: Mapping[str, str]) -> Path | None:
    """The folder that systemd made for us."""
    for name in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY"):
        if environment.get(name):
            return Path(environment[name].split(":")[0])
    return None


def claim_report(folder: Path | None, unit: str, now_s: float) -> bool:
    """True, and a stamp, when the last report is old enough. Without a folder it is always time."""
    if folder is None:
        return True
    stamp = folder / f"{unit}.reported"
    try:
        if 0 <= now_s - stamp.stat().st_mtime < PAUSE_S:
            return False
    except FileNotFoundError:
        stamp.touch(mode=0o600)
    os.utime(stamp, (now_s, now_s))
    return True
