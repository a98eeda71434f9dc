"""Whether the user of the service could do something, without trying it.

In: user, groups, paths. Out: yes or no, from owner and mode (path_resolution(7); access lists are not looked at).
"""

import os
import pwd
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from litestreamd.daemon.units import Units

READ, WRITE, SEARCH = 4, 2, 1


@dataclass(frozen=True, slots=True)
class User:
    """Who runs the service."""

    name: str
    uid: int
    gids: frozenset[int]

    def may(self, path: Path, rights: int) -> bool:
        """Whether these rights are given on a path that exists; root has all, as the units leave it that."""
        if self.uid == 0:
            return True
        found = path.stat()
        mode = stat.S_IMODE(found.st_mode)
        if found.st_uid == self.uid:
            mode >>= 6
        elif found.st_gid in self.gids:
            mode >>= 3
        return mode & rights == rights

    def barred(self, path: Path) -> Path | None:
        """The first folder on the way to a path that may not be passed."""
        return next((each for each in reversed(path.parents) if not self.may(each, SEARCH)), None)


def service_user(daemon: str | None, units: Units) -> User:
    """Of the unit; without one, who asks."""
    name = units.show(daemon, "User") if daemon is not None and units.exists(daemon) else ""
    return user_of(name or ("root" if daemon is not None else str(os.geteuid())))


def user_of(name: str) -> User:
    """By name or number."""
    entry = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    return User(entry.pw_name, entry.pw_uid, frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid)))


def owner_of(path: Path) -> str:
    """Name of the owner, or the number that has none."""
    uid = path.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def existing(paths: Iterable[Path]) -> list[Path]:
    """Those that are there."""
    return [path for path in paths if path.exists()]
