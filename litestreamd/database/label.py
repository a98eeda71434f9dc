"""The security label of a file (SELinux), as the text that `ls -Z` shows.

In: a path or descriptor. Out: the label, or None where the file or its file system has none.
Promised: that a label cannot be read is no error, for most machines have none; why one could not be given is told.
"""

import os
from pathlib import Path

ATTRIBUTE = "security.selinux"
"""Where the kernel keeps it (xattr(7))."""


def read_label(target: Path | int) -> str | None:
    """The label. ENOTSUP, ENODATA, EPERM: there is none, as far as this process can tell."""
    try:
        return os.getxattr(target, ATTRIBUTE).rstrip(b"\0").decode("utf-8", "replace") or None
    except OSError:
        return None


def give_label(descriptor: int, label: str) -> str | None:
    """Give an open file its label, unless it has it (a new file inherits its folder's). Out: why that is not possible,
    None when it is done."""
    if read_label(descriptor) == label:
        return None
    try:
        os.setxattr(descriptor, ATTRIBUTE, label.encode() + b"\0")
    except OSError as error:
        return error.strerror or str(error)
    return None
