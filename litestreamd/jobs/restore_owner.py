"""Whose a restored file is, and why.

In: what was asked for, the place, what the replica keeps of the mode. Out: an Owner.
The order, for each of owner, group and mode alone: what is configured; what the file has that is replaced; what the
daemon recorded of the one that was lost; the mode that the replica keeps; for root, the owner of the folder, which for
a folder that has to be made is the nearest one above that exists. So root makes nothing its own that is somebody's.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from litestreamd.basics.errors import LitestreamdError
from litestreamd.database.access_record import Access, access_of, load_access
from litestreamd.database.draft import told

CONFIGURED, REPLACED, RECORDED = "as configured", "as the file before", "as recorded"
BY_REPLICA, BY_FOLDER, BY_UMASK, OURS = "as on the replica", "as its folder", "by the umask", "who restored it"


@dataclass(frozen=True, slots=True)
class Ownership:
    """What is asked for; None: see above."""

    uid: int | None = None
    gid: int | None = None
    mode: int | None = None
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Owner:
    """What the file gets (uid, gid -1: ours). `why`: where owner, group and mode come from, in this order. label: None
    leaves the one that the system gives."""

    uid: int
    gid: int
    mode: int
    label: str | None
    why: tuple[str, str, str]


def decide(asked: Ownership, output: Path, state: Path | None, replica_mode: int | None) -> Owner:
    """`state`: the state directory of the database, None when it is restored to another place than its own. Raises
    RightsError, EnvironmentFault for a place that cannot be looked at."""
    with told(output):
        found = [(access_of(output), REPLACED)] if output.exists() else []
        folder = _nearest(output.parent).stat()
    recorded = _recorded(state)
    if recorded is not None:
        found.append((recorded, RECORDED))
    root = os.geteuid() == 0
    uid, uid_why = _first(asked.uid, [(each.uid, why) for each, why in found if _may_own(each, why)])
    gid, gid_why = _first(asked.gid, [(each.gid, why) for each, why in found if _may_group(each, why)])
    mode, mode_why = _first(asked.mode, [*((each.mode, why) for each, why in found), (replica_mode, BY_REPLICA)])
    return Owner(
        uid=uid if uid is not None else folder.st_uid if root else -1,
        gid=gid if gid is not None else folder.st_gid if root else -1,
        mode=mode if mode is not None else 0o640 & ~_umask(),
        label=asked.label or next((each.label for each, _ in found if each.label), None),
        why=(
            uid_why or (BY_FOLDER if root else OURS),
            gid_why or (BY_FOLDER if root else OURS),
            mode_why or BY_UMASK,
        ),
    )


def _first(asked: int | None, found: Sequence[tuple[int | None, str]]) -> tuple[int | None, str]:
    return next(((value, why) for value, why in [(asked, CONFIGURED), *found] if value is not None), (None, ""))


def _recorded(state: Path | None) -> Access | None:
    """A record that cannot be read is as good as none: the restore is what matters."""
    if state is None:
        return None
    try:
        with told(state):
            return load_access(state)
    except LitestreamdError:
        return None


def _may_own(access: Access, why: str) -> bool:
    """A record is a wish that not every user can grant; the owner of what is replaced is kept, or it is an error."""
    return why == REPLACED or os.geteuid() in (0, access.uid)


def _may_group(access: Access, why: str) -> bool:
    return why == REPLACED or os.geteuid() == 0 or access.gid in (os.getegid(), *os.getgroups())


def _nearest(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask
