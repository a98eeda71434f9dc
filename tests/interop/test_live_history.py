"""Both programs keep the history of one replica in turns: merged, imaged and expired by one, continued by the other.

With intervals of seconds every kind of work happens within a turn. Whatever the last one did, both restore the newest
state, and every point that the listing promises, to the same bytes.
"""

import time
from pathlib import Path

import pytest

from litestreamd.plan.points import restore_points
from litestreamd.replica.folder.replica import FolderReplica
from tests.support import folder_listing
from tests.support.programs import LITESTREAM, OURS
from tests.support.replicator import Replicator
from tests.support.scene import Scene

QUICK = {
    "levels": [{"interval": "1s"}, {"interval": "3s"}],
    "l0-retention": "2s",
    "l0-retention-check-interval": "500ms",
    "snapshot": {"interval": "4s", "retention": "8s"},
}
POINTS = 6


def turn(scene: Scene, replicator: Replicator) -> None:
    """Work until this program has merged, made a full image and let level 0 go."""
    with replicator:
        replicator.start()
        before = set(folder_listing.objects(scene.root))

        def new(level: int) -> bool:
            return any(each.level == level for each in set(folder_listing.objects(scene.root)) - before)

        def expired() -> bool:
            here = {(each.level, each.min_txid) for each in folder_listing.objects(scene.root)}
            return any(each.level == 0 and (0, each.min_txid) not in here for each in seen)

        seen: set[folder_listing.Listed] = set(before)
        end = time.monotonic() + 60  # rounds are short where nothing else runs; what is waited for goes by the clock
        while time.monotonic() < end:
            scene.work(3)
            replicator.wait_head(folder_listing.head(scene.root))
            seen |= set(folder_listing.objects(scene.root))
            if new(1) and new(2) and new(9) and expired():
                break
        assert new(1), replicator.log[-3000:]
        assert new(2)
        assert new(9)
        assert expired()
        replicator.stop_clean()


def check(scene: Scene) -> None:
    source = scene.source()
    for program in (OURS, LITESTREAM):
        scene.assert_same(source, scene.restored(program))
    points = restore_points(list(FolderReplica(scene.root, "reader").list()))
    assert len(points) >= 3
    for point in points[:: max(1, len(points) // POINTS)]:
        scene.assert_same(scene.restored(OURS, txid=point.txid), scene.restored(LITESTREAM, txid=point.txid))


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_turns_on_one_replica(tmp_path: Path, first: str) -> None:
    scene = Scene(tmp_path)
    makers = [scene.ours, scene.litestream] if first == "ours" else [scene.litestream, scene.ours]
    for make in (*makers, makers[0]):
        turn(scene, make(QUICK))
        check(scene)
