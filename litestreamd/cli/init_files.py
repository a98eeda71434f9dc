"""What `init` writes: drop-ins of systemd, and the rights of a configuration.

In: paths and texts. Out: what was done, a line each. Promised: a file is replaced whole or not at all, and only one of
ours; with `dry` nothing is touched, and the lines say what would be done.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from litestreamd.basics.errors import ConflictError, UsageError
from litestreamd.cli.init_owner import group_number, user_number
from litestreamd.config.owner_dropin import Owner, is_ours

_MODE = 0o640
_PARTS = frozenset({"ltx", "litestreamd", "generations"})
"""What the folder of a replica has in it."""


def check_replaceable(path: Path) -> None:
    """Raises ConflictError for a file that somebody else wrote."""
    if path.is_symlink() or (path.exists() and not is_ours(path.read_text(errors="replace"))):
        raise ConflictError(
            f"{path} was not written by litestreamd init: give it another name (each *.conf there counts), or remove it"
        )


def write_dropin(path: Path, text: str, dry: bool) -> str:
    """Put the text in place."""
    if path.exists() and path.read_text(errors="replace") == text:
        return f"{path}: right already"
    done = "would be replaced" if path.exists() else "would be written"
    if not dry:
        done = done.removeprefix("would be ")
        replace_file(path, text, 0o644)
    return f"{path}: {done}"


def guard_configuration(path: Path, owner: Owner, dry: bool) -> list[str]:
    """root:<group> 0640, so that the service can read the configuration and nobody else can; nothing to say: []."""
    real, gid = path.resolve(), group_number(owner)
    status = real.stat()
    mode = status.st_mode & 0o7777
    if status.st_uid == 0 and status.st_gid == gid and mode & 0o040 and not mode & ~_MODE:
        return []
    if not dry:
        give_to_service(real, owner)
    return [f"{path}: {'would be' if dry else 'is now'} root:{owner.group} {_MODE:04o}"]


def foreign_contents(folders: Sequence[Path], owner: Owner) -> list[Path]:
    """The folders in which something belongs to another user than the one that shall write there. Raises UsageError
    when that is not only a replica's."""
    uid = user_number(owner)
    found = [folder for folder in folders if any(path.lstat().st_uid != uid for path in (folder, *folder.iterdir()))]
    for folder in found:
        if (others := [each.name for each in sorted(folder.iterdir()) if not _is_of_replica(each)]) != []:
            raise UsageError(
                f"{folder} belongs to others, and holds more than a replica ({', '.join(others[:3])}): give the replica"
                f" a folder of its own, made with install -d -o {owner.user} -g {owner.group} {folder}/NAME"
            )
    return found


def _is_of_replica(path: Path) -> bool:
    """A part of one, or one of several below a common folder."""
    return path.name in _PARTS or (path.is_dir() and any(each.name in _PARTS for each in path.iterdir()))


def give_to_service(path: Path, owner: Owner) -> None:
    """root:<group> 0640."""
    os.chown(path, 0, group_number(owner))
    path.chmod(_MODE)


def replace_file(path: Path, text: str, mode: int) -> None:
    """Whole or not at all."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "w") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        new.rename(path)
    finally:
        new.unlink(missing_ok=True)
