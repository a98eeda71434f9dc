"""Whose databases they are.

In: a Config, and the names that the command line gives. Out: an `Owner`; or a UsageError when there is none, or more
than one.
"""

import grp
import pwd
import re
from collections.abc import Iterator
from pathlib import Path

from litestreamd.basics.errors import EnvironmentFault, UsageError
from litestreamd.config.folders import databases_in
from litestreamd.config.model import Config
from litestreamd.config.owner_dropin import Owner

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,30}")
"""What systemd takes in User= without a warning; others are written as numbers."""


def find_owner(config: Config, user: str | None, group: str | None) -> Owner:
    """`user` and `group` of the command line, where given, count for more than the databases' owner."""
    gid = None if group is None else _gid(group)
    if user is not None:
        entry = _user(user)
        return _owner(entry.pw_uid, entry.pw_gid if gid is None else gid)
    found = {_found(path) for path in _places(config)}
    uids, gids = {uid for uid, _ in found}, {each for _, each in found}
    if len(uids) > 1 or (len(gids) > 1 and gid is None):
        raise UsageError(f"the databases do not belong to one user and group ({_told(found)}): say -user and -group")
    return _owner(uids.pop(), gids.pop() if gid is None else gid)


def _owner(uid: int, gid: int) -> Owner:
    return Owner(_user_name(uid), _group_name(gid))


def _places(config: Config) -> Iterator[Path]:
    """Every database, and folders of databases that have none yet."""
    yield from (database.path for database in config.databases)
    for folder in config.folders:
        yield from [database.path for database in databases_in(folder)] or [folder.directory]


def _found(path: Path) -> tuple[int, int]:
    """Of the file; of its folder when there is no file yet."""
    for place in (path, path.parent):
        if place.exists():
            status = place.stat()
            return status.st_uid, status.st_gid
    raise EnvironmentFault(f"neither {path} nor its folder exists: who shall own it? Say -user, or make it")


def _told(found: set[tuple[int, int]]) -> str:
    return ", ".join(f"{_user_name(uid)}:{_group_name(gid)}" for uid, gid in sorted(found))


def _user(name: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except KeyError:
        raise UsageError(f"-user: there is no user {name} on this machine") from None


def _gid(name: str) -> int:
    try:
        return (grp.getgrgid(int(name)) if name.isdecimal() else grp.getgrnam(name)).gr_gid
    except KeyError:
        raise UsageError(f"-group: there is no group {name} on this machine") from None


def _user_name(uid: int) -> str:
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
    return name if _NAME.fullmatch(name) else str(uid)


def _group_name(gid: int) -> str:
    try:
        name = grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
    return name if _NAME.fullmatch(name) else str(gid)


def group_number(owner: Owner) -> int:
    """The number of an owner's group."""
    return int(owner.group) if owner.group.isdecimal() else grp.getgrnam(owner.group).gr_gid


def user_number(owner: Owner) -> int:
    """The number of an owner's user."""
    return int(owner.user) if owner.user.isdecimal() else pwd.getpwnam(owner.user).pw_uid
