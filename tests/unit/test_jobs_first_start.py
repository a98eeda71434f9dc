"""The first start of a database: the fresh line, and what the replicas hold decides."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.jobs.events import DatabaseOpened, Pushed
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
def root(tmp_path: Path) -> Path:
    return tmp_path / "one"


def test_a_fresh_line_begins_with_an_image_and_an_empty_step(path: Path, app: App, root: Path) -> None:
    """Level 9 `1-2` alone would make Litestream start again at TXID 1 and ruin the root."""
    drive = Drive(path, root).settle()
    assert names(root) == ["0/2-2", "9/1-2"]
    assert [(each.level, each.max_txid) for each in drive.seen(Pushed)] == [(0, 2), (9, 2)]
    drive.assert_equal(app)
    assert drive.problems == []
    assert drive.stop().behind == ()


def test_commits_follow(path: Path, app: App, root: Path) -> None:
    drive = Drive(path, root).settle()
    app.fill(3)
    drive.event()
    drive.elapse(2)
    app.fill(3)
    drive.event().assert_equal(app)
    assert names(root) == ["0/2-2", "0/3-3", "0/4-4", "9/1-2"]
    drive.stop()


def test_commits_while_the_first_image_is_prepared_are_in_it_or_after_it(path: Path, app: App, root: Path) -> None:
    drive = Drive(path, root)
    drive.replication.run(woken=False)
    for line in drive.replication.lines:
        line.run(woken=False)
    app.fill(50)
    drive.settle().elapse(2)
    drive.assert_equal(app)
    drive.stop()


def test_two_replicas_are_one_line_of_txids(path: Path, app: App, tmp_path: Path) -> None:
    roots = tmp_path / "one", tmp_path / "two"
    drive = Drive(path, *roots).settle()
    app.fill(2)
    drive.event().elapse(2)
    drive.assert_equal(app)
    assert image_of(roots[0], 3) == image_of(roots[1], 3)
    assert drive.stop().behind == ()
    for root in roots:
        assert names(root)[-1].startswith("9/1-")


@pytest.mark.parametrize("clean", [True, False])
def test_a_second_life_goes_on_in_the_wal(path: Path, app: App, root: Path, clean: bool) -> None:
    first = Drive(path, root).settle()
    app.fill(2)
    first.event()
    if clean:
        first.stop()
    else:
        first.die()
    app.fill(2)
    second = Drive(path, root).settle()
    assert [event.how for event in second.seen(DatabaseOpened)] == ["continuing in the WAL"]
    second.elapse(2).assert_equal(app)
    assert names(root) == ["0/2-2", "0/3-3", "0/4-4", "9/1-2"]
    second.stop()


def test_without_a_state_the_same_pages_are_proof_enough_after_a_clean_stop(
    path: Path, app: App, root: Path, tmp_path: Path
) -> None:
    first = Drive(path, root).settle()
    app.fill(2)
    first.event().stop()
    second = Drive(path, root, state=tmp_path / "new state").settle()
    assert second.problems == []
    app.fill(2)
    second.event().elapse(2).assert_equal(app)
    assert names(root) == ["0/2-2", "0/3-3", "0/4-4", "9/1-2"]
    second.stop()


def test_without_a_state_an_open_epoch_forbids_it(path: Path, app: App, root: Path, tmp_path: Path) -> None:
    """The other writer did not say that it has stopped: it may be alive, on another machine."""
    Drive(path, root).settle().die()
    before = everything(root)
    second = Drive(path, root, state=tmp_path / "new state")
    second.time.wall_ms += 60_000
    second.settle().elapse(100)
    assert "has not stopped cleanly" in second.problems[-1]
    assert "--take-over" in second.problems[-1]
    assert everything(root) == before
    second.stop()


def test_a_refused_root_is_looked_at_again(path: Path, app: App, root: Path, tmp_path: Path) -> None:
    """The other writer stops cleanly at last: no restart of ours is needed."""
    first = Drive(path, root).settle()
    first.die()
    second = Drive(path, root, state=tmp_path / "new state").settle()
    assert second.problems
    note = root / "litestreamd" / "writers" / f"{1:016x}.closed"
    note.touch()
    second.elapse(130)
    app.fill(1)
    second.event().elapse(2).assert_equal(app)
    assert second.captured == [3]
    second.stop()


def test_without_a_state_ten_minutes_of_silence_are_enough(path: Path, app: App, root: Path, tmp_path: Path) -> None:
    Drive(path, root).settle().die()
    second = Drive(path, root, state=tmp_path / "new state")
    second.time.wall_ms += 700_000
    second.settle().assert_equal(app)
    assert second.problems == []
    second.stop()


@pytest.mark.parametrize("order", [0, 1])
def test_another_databases_history_is_refused_and_not_touched(path: Path, tmp_path: Path, order: int) -> None:
    """Also when another, empty replica stands beside it: nothing is begun anywhere."""
    theirs, empty = tmp_path / "theirs", tmp_path / "empty"
    other = tmp_path / "other.db"
    create(other, rows=50)
    Drive(other, theirs).settle().stop()
    before = everything(theirs)
    drive = Drive(path, *(theirs, empty)[:: 1 - 2 * order]).settle()
    drive.elapse(200)
    assert any("--take-over" in problem and str(theirs) in problem for problem in drive.problems)
    assert everything(theirs) == before
    assert not empty.exists() or names(empty) == []
    drive.stop()


def test_another_history_is_taken_over_when_told(path: Path, app: App, tmp_path: Path) -> None:
    theirs, other = tmp_path / "theirs", tmp_path / "other.db"
    create(other, rows=50)
    Drive(other, theirs).settle().stop()
    old = image_of(theirs)
    drive = Drive(path, theirs, take_over=True).settle().elapse(2)
    drive.assert_equal(app)
    assert image_of(theirs, 2) == old
    app.fill(1)
    drive.event().elapse(2)
    drive.assert_equal(app)
    assert drive.stop().behind == ()


def test_while_no_replica_answers_nothing_is_held_up(path: Path, root: Path) -> None:
    """The disk is not mounted at the very first start: there is nothing to protect yet, so the WAL must not grow."""
    with App(path, autocheckpoint=20) as app:
        drive = Drive(path, root / "missing" / "folder").settle()
        for _ in range(30):
            app.write(insert(10))
            drive.event().elapse(1)
        assert Path(f"{path}-wal").stat().st_size < 100 * 4120
        assert "is the disk mounted" in drive.problems[0]
        (root / "missing").mkdir(parents=True)
        drive.elapse(70).assert_equal(app)
        drive.stop()


def everything(root: Path) -> dict[str, bytes]:
    return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}
