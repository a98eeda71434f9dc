"""One translation of operating system errors of a folder into the error tree.

In: an OSError and the place it happened at. Out: a RightsError, StoreMissing or StoreError whose sentence
says what to do. Nothing else in replica/ interprets an errno, except where it is an expected outcome.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from litestreamd.basics.errors import LitestreamdError, RightsError, StoreError, StoreMissing

_RIGHTS = {errno.EACCES, errno.EPERM}
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENODEV}
_FULL = {errno.ENOSPC, errno.EDQUOT}


def folder_fault(error: OSError, place: str) -> LitestreamdError:
    """The error of the tree for `error`, met while working at `place` (a URL without secrets)."""
    reason = error.strerror or str(error)
    where = f" ({error.filename})" if isinstance(error.filename, str) else ""
    if error.errno in _RIGHTS:
        return RightsError(f"{place}: no permission{where}: {reason}; give the service's user access to the folder")
    if error.errno in _GONE:
        return StoreMissing(f"{place}: the folder is not there{where}: {reason}; is the disk mounted?")
    if error.errno in _FULL:
        return StoreError(f"{place}: the disk is full{where}: {reason}; free some space, nothing was stored")
    if error.errno == errno.EROFS:
        return StoreError(
            f"{place}: the file system is read-only{where}; remount it writable, or, if only the service may not write "
            "there, run litestreamd init again"
        )
    return StoreError(f"{place}: {reason}{where}")


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Run a block in which an OSError means that the folder at `place` failed us."""
    try:
        yield
    except OSError as error:
        raise folder_fault(error, place) from error
