"""The barrier: what was committed before the question is captured when it is answered, whatever the pace says."""

from pathlib import Path

import pytest

from litestreamd.basics.errors import BusyError
from litestreamd.jobs.standing import Stage
from tests.support.driving import Drive
from tests.support.live import App, create, insert


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    return found


def begun(path: Path, root: Path, **settings: float) -> Drive:
    drive = Drive(path, root, **settings)
    return drive.until(lambda: drive.replication.outlook.standing().txid == 2)


def test_it_is_reached_at_once_in_the_midst_of_an_interval(path: Path, tmp_path: Path) -> None:
    drive = begun(path, tmp_path / "r", sync_interval_s=3600.0)
    with App(path) as app:
        app.write(insert(1))
        drive.event()
        app.write(insert(1))
        drive.event()
        waiting = drive.replication.outlook.standing()
        assert waiting.stage is Stage.WATCHED
        before = waiting.txid
        barrier = drive.replication.outlook.barriers.ask()
        assert not barrier.wait(0)
        drive.wake()
        assert barrier.wait(0)
        assert barrier.txid == before + 1
        assert drive.replication.lines[0].complete(barrier.txid)
        drive.assert_equal(app)
    drive.stop()


def test_commits_that_wait_are_seen_to_wait(path: Path, tmp_path: Path) -> None:
    drive = begun(path, tmp_path / "r", sync_interval_s=3600.0)
    with App(path) as app:
        app.write(insert(1))
        drive.event().elapse(5)
        app.write(insert(1))
        drive.event().elapse(40)
        assert drive.replication.outlook.standing().waiting_s >= 39
        drive.replication.outlook.barriers.ask()
        drive.wake()
        assert drive.replication.outlook.standing().waiting_s == 0
    drive.stop()


def test_two_that_ask_get_an_answer_each(path: Path, tmp_path: Path) -> None:
    drive = begun(path, tmp_path / "r")
    first, second = drive.replication.outlook.barriers.ask(), drive.replication.outlook.barriers.ask()
    drive.event()
    assert (first.txid, second.txid) == (2, 2)
    drive.stop()


def test_without_a_database_there_is_nothing_to_wait_for(path: Path, tmp_path: Path) -> None:
    path.unlink()
    drive = Drive(path, tmp_path / "r").settle()
    barrier = drive.replication.outlook.barriers.ask()
    drive.wake()
    assert barrier.txid == 0
    assert drive.replication.outlook.standing().stage is Stage.ABSENT
    drive.stop()


def test_what_cannot_be_captured_is_an_error_and_no_wait(path: Path, tmp_path: Path) -> None:
    drive = begun(path, tmp_path / "r")
    with App(path) as app:
        app.write(insert(1))
        (path.with_name(path.name + "-state") / "spool").rename(tmp_path / "away")
        barrier = drive.replication.outlook.barriers.ask()
        drive.wake()
        assert barrier.txid is None
        assert "spool" in str(barrier.error)
        assert drive.replication.outlook.standing().stage is Stage.FAILING
        (tmp_path / "away").rename(path.with_name(path.name + "-state") / "spool")
        again = drive.replication.outlook.barriers.ask()
        drive.wake()
        assert again.txid is not None and again.txid > 2
        assert drive.replication.outlook.standing().stage is Stage.WATCHED
    drive.stop()


def test_the_end_answers_who_still_waits(path: Path, tmp_path: Path) -> None:
    drive = begun(path, tmp_path / "r")
    barrier = drive.replication.outlook.barriers.ask()
    drive.stop()
    assert isinstance(barrier.error, BusyError)


def test_what_a_replica_lacks_is_counted(path: Path, tmp_path: Path) -> None:
    drive = Drive(path, tmp_path / "disk" / "r")
    (tmp_path / "disk").mkdir()
    drive.until(lambda: drive.replication.outlook.standing().txid == 2)
    line = drive.replication.lines[0]
    assert drive.replication.outlook.missing(line).txids == 0
    (tmp_path / "disk").rename(tmp_path / "away")
    with App(path) as app:
        for number in range(3):
            app.write(insert(1))
            drive.event().elapse(2)
            assert drive.replication.outlook.missing(line).txids == number + 1
        missing = drive.replication.outlook.missing(line)
        assert missing.size > 0
        assert missing.oldest_ms is not None
        (tmp_path / "away").rename(tmp_path / "disk")
        drive.until(lambda: drive.replication.outlook.missing(line).txids == 0)
        assert drive.replication.outlook.missing(line).oldest_ms is None
    drive.stop()
