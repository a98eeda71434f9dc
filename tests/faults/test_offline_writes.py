"""Writes while the daemon was away cost what changed, not the whole database.

The WAL that could have shown the way is checkpointed and gone, so only the page hashes can tell.
`python -m bench offline` measures the same with 500 MiB.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from bench import sample
from tests.support import folder_listing, images
from tests.support.programs import LITESTREAM, OURS, restore
from tests.support.replicator import Protected, Replicator

SIZE = 60 << 20
MOST_SHIPPED = 2 << 20


def test_only_changed_pages_are_shipped(tmp_path: Path) -> None:
    path, root = tmp_path / "app.db", tmp_path / "replica"
    sample.create(path, SIZE)
    with Replicator(OURS, tmp_path, [Protected(path, (root,))]) as daemon:
        daemon.start().wait(
            lambda: bool(folder_listing.objects(root, (folder_listing.SNAPSHOTS,))), "a full image", 120
        )
        daemon.stop_clean()
        before = folder_listing.objects(root)

        sample.change_pages(path, 100)
        daemon.start().wait_head(max(each.max_txid for each in before) + 1)
        daemon.stop_clean()
    new = [each for each in folder_listing.objects(root) if each not in before]
    assert sum(each.size for each in new) < MOST_SHIPPED
    source = images.recovered_image(path, tmp_path / "recovered")
    for program in (OURS, LITESTREAM):
        assert restore(program, root, tmp_path / f"{program.name}.db").read_bytes() == source


def test_nothing_is_shipped_when_nothing_was_written(tmp_path: Path) -> None:
    """Even though the WAL is gone: a clean close of the application is no change."""
    path, root = tmp_path / "app.db", tmp_path / "replica"
    sample.create(path, 1 << 20)
    with Replicator(OURS, tmp_path, [Protected(path, (root,))]) as daemon:
        daemon.start().wait_head(1)
        daemon.stop_clean()
        before = folder_listing.objects(root)
        images.checkpoint(path)
        with closing(sqlite3.connect(path)) as db:
            db.execute("SELECT count(*) FROM t").fetchone()
        daemon.start()
        daemon.stop_clean()
    assert folder_listing.objects(root) == before
