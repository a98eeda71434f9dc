"""What we merge out of Litestream's own objects, Litestream restores to the same bytes, and goes on from there."""

from pathlib import Path

import pytest

from litestreamd.jobs.compact import Compaction, Input
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Created
from tests.support import folder_listing
from tests.support.programs import LITESTREAM, OURS
from tests.support.replicator import Protected, Replicator
from tests.support.scene import EAGER, POLLING, Scene

QUIET = {"levels": [{"interval": "2400h"}], "l0-retention": "240h", "snapshot": {"interval": "2400h"}}
"""Litestream deletes nothing, and compacts only what it finds in its first seconds."""


def litestream(scene: Scene) -> Replicator:
    return Replicator(LITESTREAM, scene.folder, [Protected(scene.path, (scene.root,), POLLING)], EAGER, QUIET)


def work(scene: Scene) -> None:
    """Several transactions, each in an object of its own, and in no other."""
    known = {each.path for each in folder_listing.objects(scene.root, (1,))}
    with litestream(scene) as replicator:
        replicator.start().wait_head(1)
        for _ in range(6):
            before = folder_listing.head(scene.root)
            scene.work(4)
            replicator.wait_head(before + 1)
        replicator.stop_clean()
    for each in folder_listing.objects(scene.root, (1,)):
        if each.path not in known:
            each.path.unlink()


def compact(scene: Scene, level: int) -> list[ObjectName]:
    """Merge what the level below has beyond this one; out: the names of the sources."""
    replica = FolderReplica(scene.root, "file")
    reached = max((stored.name.max_txid for stored in replica.list(level)), default=0)
    sources = [stored for stored in replica.list(level - 1) if stored.name.min_txid > reached]
    assert sources
    inputs = [Input(s.name, s.size, lambda s=s: replica.open(s.name), replica.description) for s in sources]
    compaction = Compaction(inputs)
    name = ObjectName(level, compaction.header.min_txid, compaction.header.max_txid)
    assert replica.create(name, compaction.body(), compaction.header.timestamp_ms) is Created.CREATED
    return [stored.name for stored in sources]


def check(scene: Scene, source: bytes, txid: int | None = None) -> None:
    for program in (LITESTREAM, OURS):
        scene.assert_same(source, scene.restored(program, txid=txid))


@pytest.mark.parametrize(("page_size", "delete"), [(512, True), (4096, False), (65536, True)])
def test_litestream_restores_and_continues_what_we_merged(page_size: int, delete: bool, tmp_path: Path) -> None:
    scene = Scene(tmp_path, page_size, auto_vacuum=page_size // 1024 % 3)
    replica = FolderReplica(scene.root, "file")
    scene.work()
    work(scene)
    first, reached = scene.source(), folder_listing.head(scene.root)
    sources = compact(scene, 1)
    assert len(sources) > 5
    check(scene, first)
    if delete:  # the newest stays: from it Litestream knows where it is
        replica.delete(sources[:-1])
        check(scene, first)
    work(scene)
    check(scene, scene.source())
    check(scene, first, reached)
    sources = compact(scene, 1)
    compact(scene, 2)
    if delete:
        replica.delete([*sources[:-1], *(stored.name for stored in replica.list(1))])
    check(scene, scene.source())
    if not delete:
        check(scene, first, reached)
