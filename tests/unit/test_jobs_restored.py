"""A restored database goes on with the replica it came from, when nothing speaks against it."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.database.state_paths import state_directory
from litestreamd.jobs.events import Captured, ImageStarted, Joined
from tests.support.driving import Drive, image_of, names
from tests.support.live import App, create, insert
from tests.support.programs import OURS, environment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found, rows=300)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "one"


def write(drive: Drive, app: App, times: int = 1) -> None:
    for _ in range(times):
        app.write(insert(3))
        drive.event().elapse(2)


def restored(root: Path, new: Path, txid: int | None = None) -> Path:
    """A configured database brought back to its own place, as `litestreamd restore` does."""
    config = new.with_suffix(".yml")
    config.write_text(json.dumps({"dbs": [{"path": str(new), "replica": {"type": "file", "path": str(root)}}]}))
    chosen = ["-txid", f"{txid:016x}"] if txid is not None else []
    command = [*OURS.start, "restore", "-config", str(config), *chosen, str(new)]
    subprocess.run(command, check=True, capture_output=True, env=environment(), timeout=60)
    return new


def continued(path: Path, root: Path, **settings: bool) -> Drive:
    """The daemon on a restored database, with the state directory where the restore left its note."""
    return Drive(path, root, state=state_directory(path, None, None), **settings).settle().elapse(2)


def test_after_a_lost_machine_the_restored_database_goes_on(path: Path, app: App, root: Path, tmp_path: Path) -> None:
    """The old daemon never stopped cleanly; the note says that this is the state it left."""
    first = Drive(path, root).settle()
    write(first, app, 2)
    first.die()
    new = restored(root, tmp_path / "new.db")
    second = continued(new, root)
    assert second.problems == []
    assert second.seen(Captured) == []
    assert [event.why for event in second.seen(Joined)] == [
        "the database was restored from its head, and nobody has written since"
    ]
    with App(new) as other:
        write(second, other)
        second.assert_equal(other)
    assert names(root) == ["0/2-2", "0/3-3", "0/4-4", "0/5-5", "9/1-2"]
    assert second.stop().behind == ()


def test_writes_between_restore_and_start_are_a_step_and_no_image(
    path: Path, app: App, root: Path, tmp_path: Path
) -> None:
    first = Drive(path, root).settle()
    write(first, app)
    first.die()
    new = restored(root, tmp_path / "new.db")
    with App(new) as other:
        other.run("PRAGMA journal_mode=WAL")
        other.write(insert(5))
        second = continued(new, root)
        second.assert_equal(other)
    assert second.seen(ImageStarted) == []
    (captured,) = second.seen(Captured)
    assert captured.pages < 10
    second.stop()


def test_a_writer_that_went_on_meanwhile_forbids_it(path: Path, app: App, root: Path, tmp_path: Path) -> None:
    first = Drive(path, root).settle()
    write(first, app)
    new = restored(root, tmp_path / "new.db")
    write(first, app)
    second = continued(new, root)
    assert "--take-over" in second.problems[0]
    write(first, app)
    first.assert_equal(app)
    assert first.problems == []
    first.stop()
    second.stop()


def test_an_older_state_needs_the_operator_and_then_only_the_difference(
    path: Path, app: App, root: Path, tmp_path: Path
) -> None:
    """Going on from an older moment overrules what came after it: said, and not done in silence."""
    first = Drive(path, root).settle()
    write(first, app, 3)
    newest = app.image()
    first.stop()
    new = restored(root, tmp_path / "new.db", txid=3)
    refused = continued(new, root)
    assert "restored from TXID 0000000000000003" in refused.problems[0]
    assert "--take-over" in refused.problems[0]
    refused.stop()
    assert image_of(root) == newest
    second = continued(new, root, take_over=True)
    with App(new) as other:
        second.assert_equal(other)
        assert image_of(root, 5) == newest
        write(second, other)
        second.assert_equal(other)
    assert second.seen(ImageStarted) == []
    assert second.stop().behind == ()


def test_a_note_for_another_root_proves_nothing(path: Path, app: App, root: Path, tmp_path: Path) -> None:
    first = Drive(path, root).settle()
    write(first, app)
    first.die()
    new = restored(root, tmp_path / "new.db")
    other_path, other_root = tmp_path / "other.db", tmp_path / "two"
    create(other_path)
    Drive(other_path, other_root).settle().die()
    before = names(other_root)
    second = continued(new, other_root)
    assert "--take-over" in second.problems[0]
    assert names(other_root) == before
    second.stop()


def test_two_replicas_go_on_after_a_restore_from_one(path: Path, app: App, root: Path, tmp_path: Path) -> None:
    two = tmp_path / "two"
    first = Drive(path, root, two).settle()
    write(first, app, 2)
    first.die()
    new = restored(root, tmp_path / "new.db")
    second = Drive(new, root, two, state=state_directory(new, None, None)).settle().elapse(3)
    assert "has not stopped cleanly" in second.problems[0]  # nobody restored from there: it has to be silent first
    with App(new) as other:
        write(second, other)
        second.elapse(700).assert_equal(other)
    assert len(set(second.problems)) > 1
    assert second.seen(ImageStarted) == []
    assert second.stop().behind == ()


def test_a_state_that_is_still_there_after_a_restore_in_place(path: Path, app: App, root: Path) -> None:
    """The file was lost, the state was not: what differs from the newest state goes on as the next TXID."""
    state = state_directory(path, None, None)
    first = Drive(path, root, state=state).settle()
    write(first, app, 2)
    first.stop()
    app.kill()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    restored(root, path, txid=3)
    second = continued(path, root)
    with App(path) as other:
        second.assert_equal(other)
        write(second, other)
        second.assert_equal(other)
    assert second.problems == []
    assert second.stop().behind == ()
