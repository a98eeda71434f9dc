"""A replica that gets one file instead of many is restored and continued by Litestream like any other."""

from pathlib import Path

import pytest

from litestreamd.database.debts import Debts
from litestreamd.jobs.catch_up import prepare_catch_up
from litestreamd.jobs.compact import Compaction, Input
from litestreamd.jobs.image import PreparedImage
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Created
from tests.support import folder_listing
from tests.support.live import App, Engine
from tests.support.programs import LITESTREAM, OURS
from tests.support.scene import Scene

CHANGES = (
    "UPDATE t SET b = randomblob(300) WHERE id % 4 = 0",
    "DELETE FROM t WHERE id % 3 = 1",
    "INSERT INTO t(b) SELECT randomblob(2000) FROM t LIMIT 40",
)


def send(replica: FolderReplica, engine: Engine, image: PreparedImage) -> None:
    assert replica.create(image.name, image.body(), image.head.timestamp_ms) is Created.CREATED


def send_level_0(replica: FolderReplica, engine: Engine, txid: int) -> None:
    name, entry = ObjectName(0, txid, txid), engine.state.spool.get(txid)
    assert entry is not None
    assert replica.create(name, engine.state.spool.ltx(entry), entry.timestamp_ms) is Created.CREATED


def merge(replica: FolderReplica) -> None:
    """All of level 0 that level 1 lacks."""
    reached = max((stored.name.max_txid for stored in replica.list(1)), default=1)
    sources = [stored for stored in replica.list(0) if stored.name.min_txid > reached]
    inputs = [Input(s.name, s.size, lambda s=s: replica.open(s.name), replica.description) for s in sources]
    compaction = Compaction(inputs)
    name = ObjectName(1, compaction.header.min_txid, compaction.header.max_txid)
    assert replica.create(name, compaction.body(), compaction.header.timestamp_ms) is Created.CREATED


@pytest.mark.parametrize(("page_size", "auto_vacuum"), [(512, 2), (4096, 1), (65536, 0)])
def test_litestream_restores_and_continues_a_replica_that_was_away(
    page_size: int, auto_vacuum: int, tmp_path: Path
) -> None:
    scene = Scene(tmp_path, page_size, auto_vacuum)
    replica = FolderReplica(scene.root, "file")
    scene.work()
    with Engine(scene.path) as engine, App(scene.path) as app:
        app.fill(200)
        engine.take()
        send(replica, engine, PreparedImage(engine.capture.head, 2, engine.capture.image(engine.header)))
        for _ in range(3):
            app.write(*CHANGES)
            engine.take()
        cursor = engine.capture.head.txid
        for entry in engine.state.spool.entries(after=1):
            send_level_0(replica, engine, entry.txid)
        merge(replica)
        there = engine.capture.head.checksum

        debts, spool = Debts(engine.folder / "replicas", "file"), engine.state.spool
        for _ in range(5):
            app.write(*CHANGES)
            engine.take()
        app.run("VACUUM")
        engine.take()
        newest = engine.capture.head.txid
        assert debts.owe(cursor, [one for one in spool.ledgers(cursor) if one.head.txid < newest])
        engine.state.settle()
        spool.trim(newest - 1)
        debt = debts.due(cursor, there, spool)
        assert debt is not None
        image = prepare_catch_up(engine.capture, engine.header, debt)
        assert image is not None
        debts.began(engine.capture.head)
        send(replica, engine, image)
        debts.paid()
        send_level_0(replica, engine, newest)
        assert debts.covered(newest) == newest
        source = app.image()
        for program in (LITESTREAM, OURS):
            scene.assert_same(source, scene.restored(program))
        app.close()

    head = folder_listing.head(scene.root)
    with scene.litestream() as litestream:
        litestream.start()
        scene.work(6)
        litestream.wait_head(head + 1)
        scene.work(6)
        litestream.stop_clean()
    source = scene.source()
    for program in (LITESTREAM, OURS):
        scene.assert_same(source, scene.restored(program))
