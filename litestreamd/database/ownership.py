"""Whose a new file is.

In: a path or descriptor, and the owner it shall have. Out: a file of that owner.
Promised: nothing is asked of the system when it is so already. The service of an owner may not chown at all, not even
to itself.
"""

import os
from pathlib import Path


def give(target: Path | int, uid: int, gid: int) -> None:
    """Change owner and group (-1: as it is), where they differ; of a symbolic link itself. Raises OSError."""
    found = os.fstat(target) if isinstance(target, int) else os.lstat(target)
    if uid in (-1, found.st_uid) and gid in (-1, found.st_gid):
        return
    if isinstance(target, int):
        os.fchown(target, uid, gid)
    else:
        os.chown(target, uid, gid, follow_symlinks=False)


def hand_over(target: Path | int, folder: Path) -> None:
    """What root makes in somebody's folder belongs to the owner of that folder. Raises OSError."""
    if os.geteuid() == 0:
        owner = folder.stat()
        give(target, owner.st_uid, owner.st_gid)
