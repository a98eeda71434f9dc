"""Errors of the disk that holds our state, told as errors of ours.

In: a block that reads or writes below the state directory. Out: EnvironmentFault instead of OSError. Beside the
database that directory can belong to another, less trusted user than ours: `private` follows no link of theirs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from litestreamd.basics.errors import EnvironmentFault


@contextmanager
def state_disk(path: Path, deed: str) -> Iterator[None]:
    """`deed`: what cannot be done when the block fails ("written")."""
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(f"{path} cannot be {deed}: {error.strerror}.") from error


def private(path: str | Path, flags: int) -> int:
    """An opener for files of ours: nobody else reads what they are created with, and no symbolic link is followed."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
