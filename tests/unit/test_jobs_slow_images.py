"""Images that take long: the application goes on, its checkpoints too, and the WAL stays short."""

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.basics import crash_points
from litestreamd.database import kept_pages
from litestreamd.jobs.events import Captured, Checkpointed, ImageGivenUp, ImageStarted
from litestreamd.plan import spool_quota
from litestreamd.plan.checkpoint import Limits
from litestreamd.plan.spool_quota import Quota
from litestreamd.wal.frames import frame_size
from tests.support.driving import Drive, image_of
from tests.support.dying import dies_at
from tests.support.live import App, create, insert, scribble
from tests.support.slow_replica import SlowReplica
from tests.support.small_disk import needs_root, small_disk
from tests.support.waiting import until

LIMITS = Limits(min_pages=20, truncate_pages=0, interval_s=1)
CHANGE = "UPDATE t SET b = randomblob(400) WHERE id % 7 = 0"
MIB = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found, rows=12000)  # several portions of 1 MiB
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


@pytest.fixture(autouse=True)
def nothing_armed() -> Iterator[None]:
    yield
    crash_points.arm("restore.kept", 1, lambda: None)


def slow(path: Path, **settings: object) -> tuple[Drive, SlowReplica]:
    replica = SlowReplica(path.with_name("one"))
    return Drive(path, replicas=[replica], limits=LIMITS, **settings), replica


def look(drive: Drive) -> None:
    """The capture's turn, while the image is between two pieces."""
    drive.time.now_s += 2
    drive.replication.run(woken=True)


def kept_files(path: Path) -> int:
    """Files without a name that are open beside the state."""
    links = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return sum(link.startswith(f"{path}-state") and link.endswith("(deleted)") for link in links)


@pytest.mark.parametrize("mode", ["FULL", "RESTART", "TRUNCATE"])
def test_the_applications_own_checkpoints_work(path: Path, mode: str) -> None:
    """Each of them completes, as soon as the guard has moved: nothing pins the WAL for the image."""
    drive, replica = slow(path)
    answers = []

    with App(path, busy_ms=10_000) as app:

        def answered() -> bool:
            look(drive)
            return bool(select.select([app.process.stdout], [], [], 0.001)[0])

        def meanwhile(_: int) -> None:
            app.write(CHANGE)
            look(drive)
            app.write(insert(3))
            app.start(f"PRAGMA wal_checkpoint({mode})")
            until(answered, "the checkpoint's end")
            answers.append(app.answer()[0])

        replica.meanwhile = meanwhile
        drive.settle()
        assert len(answers) > 4
        assert all(busy == 0 and frames == done for busy, frames, done in answers)
        assert drive.problems == []
        assert len(drive.seen(ImageStarted)) == 1
        assert image_of(replica.root) == app.image()
    drive.stop()


def test_the_wal_may_grow_to_its_limit_and_not_beyond(path: Path, app: App) -> None:
    limit = 2 * MIB
    drive, replica = slow(path, image_wal_bytes=limit)
    sizes = []

    def meanwhile(_: int) -> None:
        for _ in range(4):
            app.write(insert(200))
            look(drive)
            sizes.append((drive.replication._live.header().max_frame * frame_size(4096), len(drive.seen(Checkpointed))))

    replica.meanwhile = meanwhile
    drive.settle()
    assert max(size for size, _ in sizes) < limit + MIB
    assert all(done == 0 for size, done in sizes[:4])
    assert sizes[-1][1] > 0
    assert image_of(replica.root) == app.image()
    before = len(drive.seen(Checkpointed))
    app.write(insert(200))
    drive.event().elapse(3)
    assert len(drive.seen(Checkpointed)) > before  # the usual limits hold again
    drive.stop()


def test_more_changes_than_may_be_kept(path: Path, app: App) -> None:
    """The image is given up, said, and tried again; what changed is captured and shipped all the same."""
    drive, replica = slow(path, image_wal_bytes=0, spool_quota=Quota(size=MIB))
    kept = []

    def meanwhile(_: int) -> None:
        app.write("UPDATE t SET b = randomblob(400) WHERE id % 70 = 0")
        look(drive)
        kept.append(kept_files(path))
        app.write(CHANGE)
        look(drive)

    replica.meanwhile = meanwhile
    drive.settle()
    assert kept[0] == 1
    assert "more pages than may be kept" in drive.seen(ImageGivenUp)[0].why
    assert drive.seen(Captured)
    assert kept_files(path) == 0
    replica.meanwhile = lambda _: None
    drive.elapse(5)
    assert image_of(replica.root) == app.image()
    assert drive.stop().behind == ()


@needs_root
@pytest.mark.parametrize("foreseen", [True, False])
def test_a_disk_without_room_for_old_pages(path: Path, monkeypatch: pytest.MonkeyPatch, foreseen: bool) -> None:
    """Whether it was seen before or only when writing: the image goes, what changed is captured."""
    monkeypatch.setattr(spool_quota, "RESERVE_BYTES", 0)
    if not foreseen:
        monkeypatch.setattr(kept_pages.KeptPages, "expect", lambda *_: None)
    with small_disk(Path(f"{path}-state"), 4096) as disk, App(path) as app:
        drive, replica = slow(path, image_wal_bytes=0, spool_quota=Quota(size=1 << 40))

        def meanwhile(number: int) -> None:
            if number == 1:
                disk.fill(100)
                app.write("UPDATE t SET b = zeroblob(400)")
                look(drive)

        replica.meanwhile = meanwhile
        drive.settle()
        why = "has no room" if foreseen else "No space left"
        assert [why in event.why for event in drive.seen(ImageGivenUp)] == [True]
        assert drive.seen(Captured)
        replica.meanwhile = lambda _: None
        disk.make_room()
        drive.elapse(70)
        assert image_of(replica.root) == app.image()
        drive.stop()


@pytest.mark.parametrize("point", ["image.kept", "image.moved", "guard.moved", "checkpoint.bulk-done"])
@pytest.mark.parametrize("passing", [1, 3])
def test_a_death_while_old_pages_are_kept(path: Path, point: str, passing: int) -> None:
    """Nothing stays behind, and the next life begins the image again."""
    state = Path(f"{path}-state")

    def life() -> None:
        drive, replica = slow(path, image_wal_bytes=0)
        with App(path) as app:

            def meanwhile(_: int) -> None:
                app.write(CHANGE)
                look(drive)

            replica.meanwhile = meanwhile
            drive.settle()

    assert dies_at(point, passing, life)
    drive, replica = slow(path)
    drive.settle().elapse(3)
    assert drive.problems == []
    with App(path) as app:
        assert image_of(replica.root) == app.image()
    known = {"state.json", "spool", "replicas", "access.json"}
    assert {found.name for found in state.iterdir()} - known <= {f"pages.{number}" for number in range(9)}
    drive.stop()


def test_rot_under_an_image_is_noticed(path: Path) -> None:
    """A page that differs without any commit: the image does not become visible."""
    drive, replica = slow(path)

    def meanwhile(number: int) -> None:
        if number == 1:
            scribble(path, path.stat().st_size - 2000, b"rot")

    replica.meanwhile = meanwhile
    drive.settle()
    assert any("recorded checksum" in problem for problem in drive.problems)
    assert not list(replica.list(9))
    drive.stop()
