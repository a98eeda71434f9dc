"""One database with a lively history and one replica that both programs take turns on.

In: an empty folder, page size, auto_vacuum mode; where the replica lies, if not in that folder. Out: work, the image
stock SQLite would recover, restored images.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support import images
from tests.support.habits import EVERYDAY, OWN_CHECKPOINTS, REBUILDING, Habits
from tests.support.programs import LITESTREAM, OURS, Program, Root, restore
from tests.support.replicator import Protected, Replicator
from tests.support.workload import create_database, write

LIVELY = Habits(autocheckpoint=50, busy_ms=200, bulk_rows=60, deeds=(*EVERYDAY, *OWN_CHECKPOINTS, *REBUILDING))
EAGER = {"sync-interval": "10ms"}
POLLING = {"monitor-interval": "10ms"}


class Scene:
    """A database with some history, and one empty place for a replica."""

    def __init__(self, folder: Path, page_size: int = 4096, auto_vacuum: int = 0, root: Root | None = None) -> None:
        self.folder, self.page_size = folder, page_size
        self.path = folder / "app.db"
        self.root: Any = root or folder / "replica"
        self._seed = page_size + auto_vacuum
        self._out = 0
        create_database(self.path, page_size, auto_vacuum)

    def work(self, deeds: int = 15) -> None:
        self._seed += 1
        write(self.path, self.folder / "acknowledged", LIVELY, self._seed, deeds, writer=self._seed)

    def work_without_closing(self, deeds: int = 5) -> None:
        """An application that dies instead of closing, and never checkpoints: its frames stay in the WAL."""
        self._seed += 1
        quiet = Habits(autocheckpoint=0, bulk_rows=20)
        write(self.path, self.folder / "acknowledged", quiet, self._seed, deeds, writer=self._seed, close=False)

    def source(self) -> bytes:
        return images.recovered_image(self.path, self.folder / "recovered")

    def restored(self, program: Program, txid: int | None = None, timestamp: str | None = None) -> bytes:
        self._out += 1
        return restore(
            program, self.root, self.folder / f"out-{self._out}.db", txid=txid, timestamp=timestamp
        ).read_bytes()

    def ours(self, top: Mapping[str, object] | None = None) -> Replicator:
        return Replicator(OURS, self.folder, [Protected(self.path, (self.root,))], EAGER, top)

    def litestream(self, top: Mapping[str, object] | None = None) -> Replicator:
        return Replicator(LITESTREAM, self.folder, [Protected(self.path, (self.root,), POLLING)], EAGER, top)

    def assert_same(self, one: bytes, other: bytes) -> None:
        difference = images.first_difference(one, other, self.page_size)
        assert not difference, difference
