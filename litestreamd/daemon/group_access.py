"""A file or socket of ours that one more group may use.

In: a path or descriptor, the group, the mode, whose group bits are meant for that group. Out: whether it was done.
Who may give it to the group does that (root; a member of the group). The service of an owner is neither, and its
sandbox refuses every chown: it adds an entry for the group to the access control list, which an owner may (acl(5)).
"""

import os
import struct
from pathlib import Path

_NAME = "system.posix_acl_access"
_VERSION = 2
_USER_OBJ, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x04, 0x08, 0x10, 0x20
_NOBODY = 0xFFFFFFFF


def let_group_in(target: Path | int, group: int, mode: int) -> bool:
    """Set mode and group; nobody gets in who is not in `mode`. False: the group is left outside."""
    try:
        os.chown(target, -1, group)
    except OSError:
        os.chmod(target, mode)  # noqa: PTH101 - a path or a descriptor
        return _add_entry(target, group, mode)
    os.chmod(target, mode)  # noqa: PTH101
    return True


def _add_entry(target: Path | int, group: int, mode: int) -> bool:
    user, others = mode >> 6 & 7, mode & 7
    shared = mode >> 3 & 7
    entries = ((_USER_OBJ, user, _NOBODY), (_GROUP_OBJ, 0, _NOBODY), (_GROUP, shared, group), (_MASK, shared, _NOBODY),
               (_OTHER, others, _NOBODY))  # fmt: skip
    value = struct.pack("<I", _VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(target, _NAME, value)
    except OSError:  # a file system without lists
        return False
    return True
