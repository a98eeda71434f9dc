"""Errors of the disk that holds our state, told as errors of ours.

In: a block that reads or writes below the state directory. Out: EnvironmentFault instead of OSError.
"""

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
