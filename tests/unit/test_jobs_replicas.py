"""Replicas come, go and come back; each has its own place on the one line of TXIDs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.jobs import owned_root
from litestreamd.jobs.events import ImageStarted, Joined, Recovered
from tests.support import folder_listing
from tests.support.driving import Drive, image_of, names
from tests.support.live import App, create, insert


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return tmp_path / "one"


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A root whose parent folder is a disk that may be away."""
    (tmp_path / "disk").mkdir()
    return tmp_path / "disk" / "two"


def write(drive: Drive, app: App, times: int = 1) -> None:
    for _ in range(times):
        app.write(insert(3))
        drive.event().elapse(2)


def steps(root: Path) -> list[int]:
    return folder_listing.level_zero(root)


def unmount(root: Path) -> None:
    root.parent.rename(root.parent.with_name("away"))


def mount(root: Path) -> None:
    root.parent.with_name("away").rename(root.parent)


def test_a_replica_added_later_begins_with_the_newest_image(path: Path, app: App, one: Path, two: Path) -> None:
    first = Drive(path, one).settle()
    write(first, app, 3)
    first.stop()
    second = Drive(path, one, two).settle().elapse(3)
    head = max(second.captured, default=5)
    assert names(two) == [f"0/{head}-{head}", f"9/1-{head}"]
    second.assert_equal(app)
    write(second, app, 2)
    second.assert_equal(app)
    assert image_of(one, head + 1) == image_of(two, head + 1)
    assert second.stop().behind == ()


def test_an_unreachable_replica_does_not_disturb_the_other_and_catches_up(
    path: Path, app: App, one: Path, two: Path
) -> None:
    drive = Drive(path, one, two).settle()
    write(drive, app)
    unmount(two)
    write(drive, app, 4)
    assert names(one)[3:5] == ["0/5-5", "0/6-6"]
    assert "is the disk mounted" in drive.problems[0]
    drive.elapse(20)
    mount(two)
    drive.elapse(70)
    assert steps(one) == steps(two) == list(range(2, 8))
    drive.assert_equal(app)
    assert [event.replica for event in drive.seen(Recovered)] in ([], ["two"])
    assert drive.seen(ImageStarted)[2:] == []
    assert drive.stop().behind == ()


def test_the_spool_keeps_what_an_unreachable_replica_lacks_over_a_restart(
    path: Path, app: App, one: Path, two: Path
) -> None:
    first = Drive(path, one, two).settle()
    unmount(two)
    write(first, app, 3)
    first.elapse(30)
    assert dict(first.stop().behind) == {"two": 3}
    second = Drive(path, one, two).settle()
    write(second, app)
    mount(two)
    second.elapse(70).assert_equal(app)
    assert steps(one) == steps(two) == list(range(2, 7))
    assert second.seen(ImageStarted) == []
    second.stop()


def test_a_replica_that_was_away_at_the_start_joins_when_it_comes(path: Path, app: App, one: Path, two: Path) -> None:
    first = Drive(path, one, two).settle()
    write(first, app)
    first.stop()
    unmount(two)
    second = Drive(path, one, two).settle()
    write(second, app, 3)
    mount(two)
    second.elapse(70).assert_equal(app)
    assert steps(one) == steps(two) == list(range(2, 7))
    second.stop()


def test_a_settled_spool_is_empty_when_all_have_everything(path: Path, app: App, one: Path, two: Path) -> None:
    drive = Drive(path, one, two).settle()
    write(drive, app, 3)
    drive.elapse(10)
    assert spool(path) == []
    write(drive, app)
    unmount(two)
    write(drive, app, 2)
    drive.elapse(30)
    assert len(spool(path)) in (2, 3)
    mount(two)
    drive.elapse(80)
    assert spool(path) == []
    drive.stop()


def spool(path: Path) -> list[str]:
    return [entry.name for entry in Path(f"{path}-state/spool").iterdir()]


@pytest.mark.parametrize("running", [True, False])
def test_a_root_that_was_wiped_is_not_filled_again_in_silence(
    path: Path, app: App, one: Path, two: Path, running: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty folder where our history should be is a wrong or broken disk until the operator says otherwise."""
    monkeypatch.setattr(owned_root, "EPOCH_CHECK_S", -1.0)  # as if the last look were long ago
    drive = Drive(path, one, two).settle()
    write(drive, app, 2)
    drive.elapse(10)
    if not running:
        drive.stop()
    for found in one.iterdir():
        shutil.rmtree(found)
    if not running:
        drive = Drive(path, one, two).settle()
    write(drive, app, 2)
    drive.elapse(100)
    assert names(one) == []
    assert any("one" in problem for problem in drive.problems)
    assert dict(drive.stop().behind).keys() == {"one"}
    again = Drive(path, one, two, take_over=True).settle()
    write(again, app)
    again.assert_equal(app)
    assert again.stop().behind == ()


def test_objects_that_are_missing_in_the_middle_are_mended_by_an_image(path: Path, app: App, one: Path) -> None:
    first = Drive(path, one).settle()
    write(first, app, 4)
    first.stop()
    (one / "ltx" / "0" / f"{4:016x}-{4:016x}.ltx").unlink()
    second = Drive(path, one).settle().elapse(3)
    assert len(second.seen(ImageStarted)) == 1
    second.assert_equal(app)
    second.stop()


def test_a_stale_state_directory_moves_the_line_forward(path: Path, app: App, one: Path, tmp_path: Path) -> None:
    """The state directory comes back from an old copy; TXIDs that are on the replica are not made again."""
    drive = Drive(path, one).settle()
    write(drive, app)
    shutil.copytree(f"{path}-state", tmp_path / "copy")
    write(drive, app, 3)
    before = {name: image_of(one, txid) for txid, name in ((4, "four"), (6, "six"))}
    drive.stop()
    shutil.rmtree(f"{path}-state")
    (tmp_path / "copy").rename(f"{path}-state")
    second = Drive(path, one).settle().elapse(3)
    write(second, app)
    second.assert_equal(app)
    assert second.problems == []
    assert {name: image_of(one, txid) for txid, name in ((4, "four"), (6, "six"))} == before
    assert second.stop().behind == ()


def test_a_stale_state_directory_beside_two_replicas(
    path: Path, app: App, one: Path, two: Path, tmp_path: Path
) -> None:
    drive = Drive(path, one, two).settle()
    write(drive, app)
    shutil.copytree(f"{path}-state", tmp_path / "copy")
    write(drive, app, 3)
    drive.stop()
    shutil.rmtree(f"{path}-state")
    (tmp_path / "copy").rename(f"{path}-state")
    second = Drive(path, one, two).settle().elapse(3)
    write(second, app)
    second.assert_equal(app)
    assert second.problems == []
    assert second.stop().behind == ()


def test_a_replica_that_gave_up_the_newest_files_gets_them_again(path: Path, app: App, one: Path, two: Path) -> None:
    """One replica came back from an old backup of itself: the other one has what it lacks, the spool has not."""
    drive = Drive(path, one, two).settle()
    write(drive, app, 4)
    drive.elapse(10).stop()
    (two / "ltx" / "0" / f"{6:016x}-{6:016x}.ltx").unlink()
    second = Drive(path, one, two).settle().elapse(3)
    write(second, app)
    second.elapse(3)
    assert second.stop().behind in ((), (("two", second.captured[-1] - 5),))
    if second.problems:
        assert "two" in second.problems[0]
    else:
        second.assert_equal(app)


def test_joining_is_told_once(path: Path, app: App, one: Path) -> None:
    drive = Drive(path, one).settle()
    write(drive, app, 3)
    drive.elapse(100)
    assert [(event.replica, event.head) for event in drive.seen(Joined)] == [("one", 0)]
    drive.stop()


def test_a_replica_that_vanished_at_the_end_does_not_keep_others_from_a_clean_one(
    path: Path, app: App, one: Path, two: Path
) -> None:
    """It has everything; only our good-bye cannot be written there. The other one gets its own all the same."""
    drive = Drive(path, two, one).settle()
    write(drive, app)
    assert drive.replication.finish()
    unmount(two)
    assert drive.replication.close().behind == ()
    assert any("two" in problem for problem in drive.problems)
    assert (one / "litestreamd" / "writers" / f"{1:016x}.closed").exists()
    mount(two)
    again = Drive(path, one, two).settle()
    write(again, app)
    again.assert_equal(app)
    assert again.stop().behind == ()
