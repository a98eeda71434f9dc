"""A full image on a disk with little room, under an application that never pauses: it is never hurt by us. The image
arrives, or is given up and said; what changes reaches the replica meanwhile."""

from pathlib import Path

import pytest

from litestreamd.jobs.events import ImageGivenUp, ImageStarted, Recovered, SpoolFull
from litestreamd.plan.checkpoint import Limits
from litestreamd.plan.rules import Rules
from litestreamd.plan.spool_quota import reserve
from tests.support.driving import Drive, image_of
from tests.support.folder_listing import head
from tests.support.live import App, create
from tests.support.slow_replica import SlowReplica
from tests.support.small_disk import BLOCK, SmallDisk, needs_root, small_disk

pytestmark = needs_root

ROWS, KIBIBYTES = 22000, 36 << 10
LIMITS = Limits(min_pages=1000, truncate_pages=0, interval_s=0)
RULES = Rules(levels_s=(3600.0,), enabled=False, snapshot_interval_s=1e9)
"""Files of level 0 wait an hour for their merge: as long as there is room."""
ENTRY = 1 << 19


class Busy:
    """A replica whose image takes long, and changes to so many rows between two looks of the capture; the least room
    that was left, the most that the spool held, and how far the replica was behind then."""

    def __init__(self, disk: SmallDisk, app: App, root: Path, rows: int) -> None:
        self.disk, self.app, self.rows = disk, app, rows
        self.replica = SlowReplica(root, self.meanwhile)
        self.drive = Drive(app.path, replicas=[self.replica], limits=LIMITS, rules=RULES)
        self.least_free = disk.free_blocks
        self.most_spooled = 0
        self.behind: list[int] = []

    def meanwhile(self, _: int) -> None:
        replication = self.drive.replication
        for _ in range(3):
            picked = f"SELECT abs(random()) % {ROWS} FROM t LIMIT {self.rows}"
            self.app.write(f"UPDATE t SET b = randomblob(400) WHERE id IN ({picked})")
            self.drive.time.now_s += 2
            replication.run(woken=True)
            replication.lines[0].run(woken=True)
            self.behind.append(replication._capture.head.txid - head(self.replica.root))
            self.most_spooled = max(self.most_spooled, replication._state.spool.bytes())
            self.least_free = min(self.least_free, self.disk.free_blocks)


@pytest.mark.parametrize(("rows", "arrives"), [(20, True), (600, False)])
def test_a_steady_writer_and_the_first_image(tmp_path: Path, rows: int, arrives: bool) -> None:
    with small_disk(tmp_path / "small", KIBIBYTES) as disk:
        path = disk.folder / "app.db"
        create(path, rows=ROWS)
        free = disk.free_blocks * BLOCK
        with App(path, autocheckpoint=1000) as app:
            busy = Busy(disk, app, tmp_path / "one", rows)
            drive = busy.drive.settle().elapse(20)
            given_up, started = drive.seen(ImageGivenUp), drive.seen(ImageStarted)
            assert bool(given_up) is not arrives
            if not arrives:
                assert "more pages than may be kept" in given_up[0].why
                assert len(started) <= 6, "it is begun again too often"
                assert not drive.seen(Recovered), "nothing has recovered"
            assert max(busy.behind) == 0
            assert not drive.seen(SpoolFull)
            assert busy.most_spooled < free // 16 + ENTRY
            assert busy.least_free * BLOCK > reserve(free)
            busy.replica.meanwhile = lambda _: None
            drive.elapse(400)
            assert image_of(busy.replica.root) == app.image()
            assert len(drive.seen(ImageGivenUp)) == len(given_up)
            assert drive.stop().behind == ()


def test_what_every_replica_has_makes_room_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry does not fit: what lies in the spool only for merges goes, and the next try succeeds."""
    path = tmp_path / "app.db"
    create(path)
    with App(path) as app, small_disk(Path(f"{path}-state"), 4096) as disk:
        replica = SlowReplica(tmp_path / "one")
        drive = Drive(path, replicas=[replica]).settle()
        lines, spool = drive.replication._lines, drive.replication._state.spool
        monkeypatch.setattr(lines, "_released", lambda: 0)
        for _ in range(3):
            app.fill(400)
            drive.event().elapse(2)
        assert spool.bytes() > 400_000
        monkeypatch.undo()
        disk.fill(8)
        app.fill(400)
        drive.event()
        assert "No space left" in drive.problems[0]
        drive.elapse(3)
        assert len(drive.problems) == 1
        assert image_of(replica.root) == app.image()
        assert drive.stop().behind == ()
