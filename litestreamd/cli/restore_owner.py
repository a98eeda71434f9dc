"""Owners by name, for the restore command: what the configuration asks for, and whose the file now is.

In: settings of the configuration; what a restore did. Out: numbers for the job; a sentence and fields for the report.
"""

import grp
import os
import pwd
from collections.abc import Callable

from litestreamd.basics.errors import ConfigError
from litestreamd.config.model import RestoreSettings
from litestreamd.jobs.restore import Restored
from litestreamd.jobs.restore_owner import Ownership


def asked_ownership(settings: RestoreSettings) -> Ownership:
    """Names to numbers. Raises ConfigError for a user or group that this machine does not know."""
    return Ownership(
        uid=_number("owner", settings.owner, lambda name: pwd.getpwnam(name).pw_uid),
        gid=_number("group", settings.group, lambda name: grp.getgrnam(name).gr_gid),
        mode=settings.mode,
    )


def owner_text(done: Restored) -> str:
    """`owner app:app, mode 0640, as recorded`; with a reason each where these differ."""
    uid, gid, mode = _facts(done)
    of_owner, of_group, of_mode = done.owner.why
    if of_owner == of_group == of_mode:
        return f"owner {uid}:{gid}, mode {mode}, {of_owner}"
    owner = (
        f"owner {uid}:{gid} ({of_owner})"
        if of_owner == of_group
        else f"owner {uid} ({of_owner}), group {gid} ({of_group})"
    )
    return f"{owner}, mode {mode} ({of_mode})"


def owner_fields(done: Restored) -> dict[str, object]:
    """The same for JSON. `label`: the one that was to be given, null when none was."""
    uid, gid, mode = _facts(done)
    of_owner, of_group, of_mode = done.owner.why
    return {
        "owner": uid, "group": gid, "mode": mode,
        "owner_reason": of_owner, "group_reason": of_group, "mode_reason": of_mode,
        "label": done.owner.label if done.label_refused is None else None,
    }  # fmt: skip


def _facts(done: Restored) -> tuple[str, str, str]:
    """As they are given: -1 is this process itself."""
    uid = os.geteuid() if done.owner.uid == -1 else done.owner.uid
    gid = os.getegid() if done.owner.gid == -1 else done.owner.gid
    return _name(uid, pwd.getpwuid), _name(gid, grp.getgrgid), f"{done.owner.mode:04o}"


def _name(number: int, look_up: Callable[[int], tuple[object, ...]]) -> str:
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)


def _number(key: str, name: str | None, look_up: Callable[[str], int]) -> int | None:
    if name is None or name.isdigit():
        return None if name is None else int(name)
    try:
        return look_up(name)
    except KeyError:
        raise ConfigError(f"restore.{key}: {name} is not known on this machine") from None
