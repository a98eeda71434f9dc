"""A stop while a full image is on its way to a slow place: the deadline holds for what runs already, too."""

import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from litestreamd.basics.errors import ExitCode
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import Created
from tests.support.driving import Drive, names
from tests.support.live import App, create
from tests.support.programs import OURS
from tests.support.replicator import Protected, Replicator

SLOW_S = 0.2


class Slow(FolderReplica):
    """Takes an image a piece at a time."""

    pieces = 0

    def create(self, name: ObjectName, body: Iterable[bytes], timestamp_ms: int, most: int | None = None) -> Created:
        def slowly() -> Iterable[bytes]:
            for chunk in body:
                if name.level == SNAPSHOT_LEVEL:
                    self.pieces += 1
                    time.sleep(SLOW_S)
                yield chunk

        return super().create(name, slowly(), timestamp_ms, most)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    with App(found) as app:
        app.fill(1000, 10_000)
        app.checkpoint("TRUNCATE")
    return found


def test_an_image_is_broken_off_and_comes_whole_the_next_time(path: Path, tmp_path: Path) -> None:
    root = tmp_path / "replica"
    slow = Slow(root, "replica")
    drive = Drive(path, root, replicas=[slow])
    drive.replication.histories[0].images.deadline = time.monotonic() + SLOW_S
    drive.settle()
    assert slow.pieces < 5
    assert names(root) == ["0/2-2"]
    assert any("broken off" in problem for problem in drive.problems)
    assert dict(drive.stop().behind).keys() == {"replica"}
    again = Drive(path, root).settle()
    with App(path) as app:
        again.assert_equal(app)
    assert again.stop().behind == ()


def test_the_end_does_not_wait_for_a_replica_that_refuses(path: Path, tmp_path: Path) -> None:
    """No second try changes that somebody else writes there; the operator is told, and not sixty times."""
    root = tmp_path / "replica"
    with Replicator(OURS, tmp_path, [Protected(path, (root,))]) as daemon:
        daemon.start().wait_head(2)
        stranger = root / "ltx" / "0" / f"{3:016x}-{3:016x}.ltx"
        stranger.write_bytes((root / "ltx" / "0" / f"{2:016x}-{2:016x}.ltx").read_bytes())
        with App(path) as app:
            app.fill(1)
        daemon.wait(lambda: "second writer" in daemon.log, "the conflict")
        started = time.monotonic()
        assert daemon.stop() == ExitCode.LEFT_BEHIND
    assert time.monotonic() - started < 10
    assert daemon.log.count("ERROR") < 10
