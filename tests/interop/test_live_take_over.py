"""Nobody is locked in: stop one program, start the other on the same database and replica, as often as wished.

After each change the newest state and a point from before it restore with both programs.
"""

from pathlib import Path

import pytest

from tests.support import folder_listing
from tests.support.programs import LITESTREAM, OURS
from tests.support.replicator import Replicator
from tests.support.scene import Scene

LARGE = 120


class History:
    """A scene, and what it looked like at TXIDs that must stay restorable."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.points: dict[int, bytes] = {}

    def run(self, replicator: Replicator, deeds: int = 15) -> None:
        """One program's turn: start, wait for a first sync, work, clean stop; then prove everything so far."""
        before = folder_listing.head(self.scene.root)
        with replicator:
            replicator.start()
            self.scene.work(deeds)
            replicator.wait_head(before + 1)
            replicator.stop_clean()
        self.check()

    def check(self) -> None:
        scene = self.scene
        source = scene.source()
        head = folder_listing.head(scene.root)
        for program in (OURS, LITESTREAM):
            scene.assert_same(source, scene.restored(program))
            for txid, image in self.points.items():
                scene.assert_same(image, scene.restored(program, txid=txid))
        assert head not in self.points
        self.points[head] = source


def test_litestream_takes_over_from_us(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    history = History(scene)
    history.run(scene.ours())
    history.run(scene.litestream())
    assert len(history.points) == 2


def test_we_take_over_from_litestream_without_a_full_upload(tmp_path: Path) -> None:
    """Its head is where we go on: the next TXID, and only what changed."""
    scene = Scene(tmp_path)
    scene.work(LARGE)
    history = History(scene)
    history.run(scene.litestream())
    before = folder_listing.objects(scene.root)
    head = folder_listing.head(scene.root)
    history.run(scene.ours(), deeds=1)
    new = [each for each in folder_listing.objects(scene.root) if each not in before]
    assert min(each.min_txid for each in new) == head + 1
    assert sum(each.size for each in new) < sum(each.size for each in before) / 4


def test_we_take_over_after_writes_while_nobody_looked(tmp_path: Path) -> None:
    """A WAL that still holds Litestream's last frame is proof enough to go on."""
    scene = Scene(tmp_path)
    history = History(scene)
    history.run(scene.litestream())
    scene.work_without_closing()
    history.run(scene.ours())


def test_litestream_takes_over_after_writes_while_nobody_looked(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    history = History(scene)
    history.run(scene.ours())
    scene.work_without_closing()
    history.run(scene.litestream())


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_many_changes_of_program(page_size: int, tmp_path: Path) -> None:
    scene = Scene(tmp_path, page_size)
    history = History(scene)
    for replicator in (scene.ours, scene.litestream, scene.ours, scene.litestream, scene.ours):
        history.run(replicator())
    assert len(history.points) == 5
