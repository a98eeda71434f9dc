"""Full images on their way: deaths, databases that change or vanish meanwhile, page sizes that change for good."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.basics import crash_points
from litestreamd.jobs.events import Captured, ContinuityLost, ImageStarted
from litestreamd.plan.checkpoint import Limits
from tests.support.driving import Drive, image_of, names
from tests.support.dying import dies_at
from tests.support.live import App, create, insert, resize


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found, rows=4000)  # more than one portion of 1 MiB
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "one"


@pytest.fixture(autouse=True)
def nothing_armed() -> Iterator[None]:
    yield
    crash_points.arm("restore.kept", 1, lambda: None)


def write(drive: Drive, app: App, times: int = 1) -> None:
    for _ in range(times):
        app.write(insert(3))
        drive.event().elapse(2)


FIRST_IMAGE = (
    "join.epoch-opened",
    "push.before-create",
    "folder.written",
    "folder.linked",
    "push.created",
    "image.head-created",
    "image.half-way",
    "image.created",
)
TWICE = ("folder.written", "folder.linked")


@pytest.mark.parametrize(("name", "passing"), [*((name, 1) for name in FIRST_IMAGE), *((name, 2) for name in TWICE)])
def test_a_death_on_the_way_of_the_first_image(path: Path, app: App, root: Path, name: str, passing: int) -> None:
    """The next life completes what is there, and what it cannot prove to be its own it does not touch."""
    assert dies_at(name, passing, lambda: Drive(path, root).settle())
    app.write(insert(30))
    second = Drive(path, root).settle().elapse(3)
    assert second.problems == []
    second.assert_equal(app)
    write(second, app)
    second.assert_equal(app)
    assert second.stop().behind == ()


@pytest.mark.parametrize("name", ["push.before-create", "folder.written", "folder.linked", "push.created"])
def test_a_death_while_a_step_is_pushed(path: Path, app: App, root: Path, name: str) -> None:
    Drive(path, root).settle().stop()

    def live() -> None:
        drive = Drive(path, root).settle()
        write(drive, app, 3)

    assert dies_at(name, 3, live)
    second = Drive(path, root).settle().elapse(3)
    assert second.problems == []
    assert second.seen(ImageStarted) == []
    second.assert_equal(app)
    second.stop()


@pytest.mark.parametrize("name", ["settle.cursors-written", "settle.spool-trimmed", "close.drained"])
def test_a_death_while_the_spool_is_emptied(path: Path, app: App, root: Path, name: str) -> None:
    def live() -> None:
        drive = Drive(path, root).settle()
        write(drive, app, 3)
        drive.elapse(10)
        write(drive, app)
        drive.stop()

    assert dies_at(name, 1, live)
    second = Drive(path, root).settle().elapse(3)
    write(second, app)
    assert second.problems == []
    assert second.seen(ImageStarted) == []
    second.assert_equal(app)
    second.stop()


def test_commits_and_checkpoints_while_an_image_is_on_its_way(path: Path, app: App, root: Path) -> None:
    """What the image holds stays readable, whatever the application does, and we."""
    app.fill(9000)  # several portions of 1 MiB
    app.checkpoint("TRUNCATE")
    drive = Drive(path, root, limits=Limits(min_pages=5, truncate_pages=20, interval_s=1))

    def meanwhile() -> None:
        for _ in range(3):
            app.write("DELETE FROM t WHERE id % 2")
            app.checkpoint("TRUNCATE")
            app.write(insert(500))
            for _ in range(3):
                drive.time.now_s += 2
                drive.replication.run(woken=True)
            app.checkpoint("FULL")

    crash_points.arm("image.half-way", 1, meanwhile)
    drive.settle().elapse(3)
    assert drive.problems == []
    assert len(drive.seen(ImageStarted)) == 1
    drive.assert_equal(app)
    drive.stop()


def test_a_database_that_is_let_go_takes_its_images_along(path: Path, app: App, root: Path) -> None:
    """The file was replaced while its image was half sent: the image must not go on with closed or other files."""
    drive = Drive(path, root)

    def replace() -> None:
        crash_points.arm("restore.kept", 1, lambda: None)
        drive.time.now_s += 10
        app.close()
        path.rename(path.with_name("old.db"))
        create(path, rows=10)
        drive.replication.run(woken=False)
        drive.replication.run(woken=False)

    crash_points.arm("image.half-way", 1, replace)
    drive.settle().elapse(70)
    with App(path) as other:
        drive.assert_equal(other)
        write(drive, other)
        drive.assert_equal(other)
    assert len(drive.problems) == 1
    assert "image begins again" in drive.problems[0]
    assert drive.stop().behind == ()


def test_lost_locks_end_an_image_too(path: Path, app: App, root: Path) -> None:
    """The same file is opened anew: a snapshot from before would share, and hide, the locks that are gone."""
    drive = Drive(path, root)

    def lose_locks() -> None:
        crash_points.arm("restore.kept", 1, lambda: None)
        os.close(os.open(path, os.O_RDONLY))
        drive.time.now_s += 70
        drive.replication.run(woken=False)
        drive.replication.run(woken=False)
        assert drive.replication._live.locks_held()

    crash_points.arm("image.half-way", 1, lose_locks)
    drive.settle().elapse(5)
    assert len(drive.seen(ContinuityLost)) == 1
    write(drive, app)
    drive.assert_equal(app)
    assert drive.stop().behind == ()


# Page sizes


def lived(path: Path, root: Path) -> bytes:
    """A history of a few TXIDs, stopped cleanly; out: its last image."""
    with App(path) as app:
        drive = Drive(path, root).settle()
        write(drive, app, 2)
        drive.elapse(10).stop()
        image = app.image()
        app.close()
    return image


def test_a_new_page_size_begins_with_a_new_image(path: Path, root: Path) -> None:
    """The states before and after can both be restored."""
    before = lived(path, root)
    resize(path, 8192)
    drive = Drive(path, root).settle().elapse(3)
    with App(path) as app:
        assert image_of(root) == app.image()
        assert image_of(root, 4) == before
        write(drive, app)
        assert image_of(root) == app.image()
    assert len(drive.seen(ImageStarted)) == 1
    assert drive.stop().behind == ()


@pytest.mark.parametrize(
    ("name", "passing"),
    [
        ("settle.state-written", 1),
        ("settle.state-written", 2),
        ("spool.synced", 1),
        ("pages.updated", 1),
        ("join.epoch-opened", 1),
        ("push.before-create", 1),
        ("push.created", 1),
        ("image.head-created", 1),
        ("image.half-way", 1),
        ("image.created", 1),
    ],
)
def test_a_death_while_the_page_size_changes(path: Path, root: Path, name: str, passing: int) -> None:
    before = lived(path, root)
    resize(path, 8192)

    def live() -> None:
        Drive(path, root).settle().elapse(3)

    assert dies_at(name, passing, live)
    drive = Drive(path, root).settle().elapse(3)
    assert drive.problems == []
    with App(path) as app:
        assert image_of(root) == app.image()
        assert image_of(root, 4) == before
        write(drive, app)
        assert image_of(root) == app.image()
    assert drive.stop().behind == ()


def test_a_page_size_that_changes_while_a_replica_is_away(path: Path, root: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    far = tmp_path / "disk" / "far"
    with App(path) as app:
        drive = Drive(path, root, far).settle()
        write(drive, app, 2)
        far.parent.rename(tmp_path / "away")
        write(drive, app)
        drive.elapse(10).stop()
        app.close()
    resize(path, 1024)
    second = Drive(path, root, far).settle()
    with App(path) as app:
        write(second, app, 2)
        (tmp_path / "away").rename(far.parent)
        second.elapse(130)
        write(second, app)
        second.assert_equal(app)
    assert second.stop().behind == ()


def test_two_new_page_sizes_before_the_first_image_is_there(path: Path, root: Path) -> None:
    lived(path, root)
    resize(path, 8192)
    assert dies_at("image.half-way", 1, lambda: Drive(path, root).settle())
    resize(path, 512)
    drive = Drive(path, root).settle().elapse(3)
    with App(path) as app:
        assert image_of(root) == app.image()
    assert len(drive.seen(Captured)) >= 1
    assert names(root)
    drive.stop()
