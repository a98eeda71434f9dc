"""Readers that take longer than a guard stands still.

In: whoever reads under the guard for long. Out: each is told of the next guard's snapshot while both guards still
stand, and closed before there is none.
Called by the thread that moves the guard; `add` and `remove` by any.
"""

import threading
from typing import Protocol

from litestreamd.wal.index import IndexHeader


class Follower(Protocol):
    """A reader of one snapshot. Neither of these may raise, or wait for anything slow."""

    @property
    def kept_bytes(self) -> int:
        """Room that old pages kept for it take on disk."""

    def follow(self, header: IndexHeader) -> None:
        """Go on under another guard: `header` was read after its begin, and the guard of before still stands."""

    def close(self) -> None:
        """Read no more."""


class Followers:
    """Those of one open database."""

    def __init__(self) -> None:
        self._each: list[Follower] = []
        self._turn = threading.Lock()

    def add(self, follower: Follower) -> None:
        """From now on it is told."""
        with self._turn:
            self._each.append(follower)

    def remove(self, follower: Follower) -> None:
        """It has what it wanted."""
        with self._turn:
            if follower in self._each:
                self._each.remove(follower)

    @property
    def any(self) -> bool:
        """Whether somebody reads."""
        return bool(self._each)

    @property
    def kept_bytes(self) -> int:
        """Room that old pages take on disk for all of them."""
        return sum(follower.kept_bytes for follower in self._copy())

    def follow(self, header: IndexHeader) -> None:
        """Before a guard ends whose successor stands already."""
        for follower in self._copy():
            follower.follow(header)

    def close(self) -> None:
        """Before a guard ends that has no successor."""
        for follower in self._copy():
            follower.close()

    def _copy(self) -> list[Follower]:
        with self._turn:
            return list(self._each)
