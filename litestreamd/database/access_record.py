"""`access.json`: whose the live database is, so that a lost one comes back to the same owner on the same machine.

In: the path of a database that is there. Out: Access in the state directory, written only when it has changed.
Promised: written whole or not at all; nothing is written about a database that is away. What a file of another user
than root says is believed only as far as it gives that user nothing but his own file.
"""

import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from litestreamd.basics.errors import DamagedData, EnvironmentFault
from litestreamd.database.label import read_label
from litestreamd.database.state import VERSION, read_json, write_json

_NAME = "access.json"
EVERY_S = 60.0
"""How often the database is looked at for a change of owner, mode or label."""


@dataclass(frozen=True, slots=True)
class Access:
    """Owner and group by number, permission bits, the security label (None: there is none)."""

    uid: int
    gid: int
    mode: int
    label: str | None = None


def access_of(path: Path) -> Access:
    """Of a file as it is. Raises OSError."""
    found = path.stat()
    return Access(found.st_uid, found.st_gid, found.st_mode & 0o777, read_label(path))


class AccessRecord:
    """Kept by the daemon, for one database."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._saved: Access | None = None
        self._due = float("-inf")

    def keep(self, database: Path, now: float) -> None:
        """Look, now and then (`now` in monotonic seconds), and write what has changed. Nothing stops for this: the next
        look tries it again."""
        if now < self._due:
            return
        self._due = now + EVERY_S
        with suppress(OSError, EnvironmentFault):
            found = access_of(database)
            if found != self._saved:
                save_access(self._state, found)
                self._saved = found


def save_access(state: Path, access: Access) -> None:
    """Write the record, unless it says so already. Raises EnvironmentFault."""
    with suppress(DamagedData):
        if _load(state) == access:
            return
    write_json(state / _NAME, {"version": VERSION, **asdict(access)})


def load_access(state: Path) -> Access | None:
    """What was recorded, as far as it may be believed; None: nothing. Raises DamagedData, EnvironmentFault."""
    access = _load(state)
    if access is None or os.geteuid() != 0:
        return access  # what we may not give to others, the kernel refuses
    writer = state.stat().st_uid
    if writer == 0:
        return access
    return Access(access.uid, access.gid, access.mode) if writer == access.uid else None


def _load(state: Path) -> Access | None:
    value = read_json(state / _NAME)
    if value is None:
        return None
    try:
        label = value["label"]
        return Access(
            int(value["uid"]), int(value["gid"]), int(value["mode"]) & 0o777, None if label is None else str(label)
        )
    except (KeyError, TypeError, ValueError):
        raise DamagedData(f"{state / _NAME} is damaged; remove it, the daemon writes it anew") from None
