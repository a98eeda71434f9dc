"""A folder replica on which full images arrive slowly: between two pieces the test does what it likes.

In: a root, what to do meanwhile. Out: a replica; it counts the pieces.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Created


class SlowReplica(FolderReplica):
    """`meanwhile` gets the number of the piece that was just taken, from 1."""

    def __init__(self, root: Path, meanwhile: Callable[[int], object] = lambda _: None) -> None:
        super().__init__(root, root.name)
        self.root = root
        self.meanwhile = meanwhile

    def create(self, name: ObjectName, body: Iterator[bytes], created_ms: int, most: int | None = None) -> Created:
        if name.level != SNAPSHOT_LEVEL:
            return super().create(name, body, created_ms, most)
        return super().create(name, self._slowly(body), created_ms, most)

    def _slowly(self, body: Iterator[bytes]) -> Iterator[bytes]:
        for number, piece in enumerate(body, 1):
            yield piece
            self.meanwhile(number)
