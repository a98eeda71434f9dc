"""Nobody is locked in: stop one program, start the other on the same database and replica, as often as wished.

After each change the newest state and a point from before it restore with both programs.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from bench import sample
from tests.support import folder_listing
from tests.support.programs import EXIT_LEFT_BEHIND, LITESTREAM, OURS
from tests.support.replicator import Replicator
from tests.support.scene import Scene

SIZE = 4 << 20


class History:
    """A scene, and what it looked like at TXIDs that must stay restorable."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.points: dict[int, bytes] = {}

    def run(self, replicator: Replicator, work: Callable[[], None]) -> None:
        """One program's turn: start, go on where the other stopped, work, clean stop; then prove everything so far."""
        before, epochs = folder_listing.head(self.scene.root), self._epochs()
        with replicator:
            replicator.start()
            if replicator.program is OURS:
                replicator.wait(lambda: self._epochs() > epochs, "an epoch of its own")
            work()
            replicator.wait_head(before + 1)
            replicator.stop_clean()
        self.check()

    def _epochs(self) -> set[Path]:
        """What we leave on a root before writing to it: from then on it is ours, whatever the application does."""
        return set((self.scene.root / "litestreamd" / "writers").glob("*.json"))

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
    history.run(scene.ours(), scene.work)
    history.run(scene.litestream(), scene.work)
    assert len(history.points) == 2


def test_we_take_over_from_litestream_without_a_full_upload(tmp_path: Path) -> None:
    """Its head is where we go on: the next TXID, and only what changed."""
    scene = Scene(tmp_path)
    scene.path.unlink()
    sample.create(scene.path, SIZE)
    history = History(scene)
    history.run(scene.litestream(), lambda: sample.change_pages(scene.path, 10))
    before = folder_listing.objects(scene.root)
    head = folder_listing.head(scene.root)
    history.run(scene.ours(), lambda: sample.change_pages(scene.path, 10))
    new = [each for each in folder_listing.objects(scene.root) if each not in before]
    assert min(each.min_txid for each in new) == head + 1
    assert sum(each.size for each in new) < SIZE / 20


def test_we_take_over_after_writes_while_nobody_looked(tmp_path: Path) -> None:
    """A WAL that still holds Litestream's last frame is proof enough to go on."""
    scene = Scene(tmp_path)
    history = History(scene)
    history.run(scene.litestream(), scene.work)
    scene.work_without_closing()
    history.run(scene.ours(), scene.work)


def test_we_refuse_a_history_that_cannot_be_proven_to_be_this_database(tmp_path: Path) -> None:
    """Other pages, another WAL: it may be another database; nothing is written until the operator says so."""
    scene = Scene(tmp_path)
    history = History(scene)
    history.run(scene.litestream(), scene.work)
    scene.work(30)
    before = folder_listing.objects(scene.root)
    with scene.ours() as ours:
        ours.start().wait(lambda: "--take-over" in ours.log, "a refusal that names the way out")
        assert ours.stop() == EXIT_LEFT_BEHIND
    assert folder_listing.objects(scene.root) == before
    with scene.ours() as ours:
        ours.start(None, "--take-over").wait_head(folder_listing.head(scene.root) + 1)
        ours.stop_clean()
    history.check()


def test_litestream_takes_over_after_writes_while_nobody_looked(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    history = History(scene)
    history.run(scene.ours(), scene.work)
    scene.work_without_closing()
    history.run(scene.litestream(), scene.work)


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_many_changes_of_program(page_size: int, tmp_path: Path) -> None:
    scene = Scene(tmp_path, page_size)
    history = History(scene)
    for replicator in (scene.ours, scene.litestream, scene.ours, scene.litestream, scene.ours):
        history.run(replicator(), scene.work)
    assert len(history.points) == 5
