"""The back ends that the contract suite is run against; a new one is added here and nowhere else.

In: a kind and a folder of the test's own. Out: replicas on one and the same place, for this process and for others.
"""

import errno
import os
from pathlib import Path
from typing import Protocol

from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Fence, Replica
from litestreamd.replica.retrying import Retrying
from tests.contract.buckets import MiniStackPlace, RadosPlace, RclonePlace, SwiftPlace


class Place(Protocol):
    """Somewhere a replica can lie. `kind` and `where` tell another process how to reach it (see `place`).

    fence: what is known after the first create. excludes: of racing creates exactly one succeeds. shows_times: the
    times of a listing are those of the objects. lost_words: what is said of a place that is not there."""

    kind: str
    where: str
    fence: Fence
    excludes: bool
    shows_times: bool
    lost_words: str

    def replica(self) -> Replica:
        """A new replica object on this place."""

    def lost(self) -> Replica:
        """A replica on a place that is not there (not mounted, no such bucket)."""

    def plant(self, key: str, data: bytes, time_ns: int | None = None) -> None:
        """Put a foreign object beside ours, past the port; time_ns: when it shall seem to be from, if one can."""

    def keys(self) -> set[str]:
        """The names of everything at the place, past the port; but not what a back end notes about the store."""


class FolderPlace:
    """A folder of a disk with hard links."""

    kind = "folder"
    fence = Fence.STRONG
    excludes = shows_times = True
    lost_words = "mounted"

    def __init__(self, where: str) -> None:
        self.where = where
        self._root = Path(where) / "replica"

    def replica(self) -> Replica:
        return FolderReplica(self._root, "file")

    def lost(self) -> Replica:
        return FolderReplica(Path(self.where) / "unmounted" / "replica", "file")

    def plant(self, key: str, data: bytes, time_ns: int | None = None) -> None:
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if time_ns is not None:
            os.utime(path, ns=(time_ns, time_ns))

    def keys(self) -> set[str]:
        return {path.relative_to(self._root).as_posix() for path in self._root.rglob("*") if path.is_file()}


class WeakFolderPlace(FolderPlace):
    """A folder on a file system without hard links, as vfat answers link()."""

    kind = "weak-folder"
    fence = Fence.WEAK

    def replica(self) -> Replica:
        return FolderReplica(self._root, "file", link=no_hard_links)


class RetryingFolderPlace(FolderPlace):
    """A folder as the program builds it: with the wrapper that tries again."""

    kind = "retrying-folder"

    def replica(self) -> Replica:
        return Retrying(FolderReplica(self._root, "file"))


def no_hard_links(source: Path, target: Path) -> None:
    """link() as vfat does it."""
    raise OSError(errno.EPERM, "Operation not permitted", str(source), None, str(target))


_PLACES: tuple[type[Place], ...] = (
    FolderPlace, WeakFolderPlace, RetryingFolderPlace, MiniStackPlace, SwiftPlace, RadosPlace, RclonePlace,
)  # fmt: skip
PLACES = {each.kind: each for each in _PLACES}


def place(kind: str, where: str) -> Place:
    """The place that another process means, or a new one in a folder."""
    return PLACES[kind](where)  # type: ignore[call-arg]
