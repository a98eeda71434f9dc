"""The drop-in that runs the units of one instance as the owner of its databases.

In: who that is, and the folders that are used. Out: the text of owner.conf.
Promised: the same facts give the same text; the first line tells that we wrote it (`is_ours`).
With a user of its own the service needs no capability and no chown, and sees nothing writable but the folders listed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from litestreamd.config.unit_values import paths_value

MARK = "# Written by litestreamd init"
HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
"""What ProtectHome= hides."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The user and group of the service, as User= and Group= take them: names, or numbers."""

    user: str
    group: str


@dataclass(frozen=True, slots=True)
class Folders:
    """written: real folders of databases and local state. replicas: those of file replicas. mounts: all of them as
    configured, links not followed. read: real files and folders that are read only. reads_home: something below the
    user's home that nothing names (the profiles of AWS) is read.
    """

    written: tuple[Path, ...]
    replicas: tuple[Path, ...] = ()
    mounts: tuple[Path, ...] = ()
    read: tuple[Path, ...] = ()
    reads_home: bool = False


def owner_dropin(instance: str, owner: Owner, folders: Folders, may_chown: bool, firm: bool) -> str:
    """The text. `may_chown`: the configuration wants another owner or group for restored files. `firm`: without the
    folder of a database the unit does not start (the daemon, which is started again until it is there); else the
    program itself says what is missing. The folder of a replica may always be missing: others may be within reach.
    """
    firmly = folders.written if firm else ()
    leniently = folders.replicas if firm else (*folders.written, *folders.replicas)
    lines = [
        f"{MARK} {instance}: run it again after changing the configuration.",
        "# Own settings belong into another file of this folder, which systemd reads as well.",
        "[Unit]",
        # A volume that is not mounted looks like a lost database.
        f"RequiresMountsFor={paths_value((*folders.mounts, *folders.written, *folders.replicas, *folders.read))}",
        "",
        "[Service]",
        f"User={owner.user}",
        f"Group={owner.group}",
        "CapabilityBoundingSet=",
        *([] if may_chown else ["SystemCallFilter=~@chown"]),
        "ProtectSystem=strict",
        f"ReadWritePaths={paths_value(firmly, leniently)}",
        *_home_lines(folders, firmly, leniently),
    ]
    return "\n".join(lines) + "\n"


def is_ours(text: str) -> bool:
    """Whether `owner_dropin` wrote this text."""
    return text.startswith(MARK)


def in_home(path: Path) -> bool:
    """Whether ProtectHome= would hide it."""
    return any(path == home or home in path.parents for home in HOMES)


def _home_lines(folders: Folders, firmly: Sequence[Path], leniently: Sequence[Path]) -> list[str]:
    """Homes are hidden, except for what is used in them."""
    if folders.reads_home:
        return ["ProtectHome=read-only"]
    written = paths_value(filter(in_home, firmly), filter(in_home, leniently))
    read = paths_value((), filter(in_home, folders.read))
    if not written and not read:
        return ["ProtectHome=yes"]
    lines = ["ProtectHome=tmpfs"]
    lines += [f"BindPaths={written}"] if written else []
    lines += [f"BindReadOnlyPaths={read}"] if read else []
    return lines
