"""After a restart of ours: the WAL is gone on with exactly where that is proven, else all pages are compared.

Whatever happened to the database meanwhile, the next look brings the spool to what the application sees, and ships no
more pages than differ.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from litestreamd.wal.frames import frame_offset, frame_size
from tests.support.live import App, Engine, Follower, create, insert

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found, PAGE)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


def first_life(path: Path, app: App) -> Follower:
    """An incarnation that captured some commits; the application stays."""
    with Engine(path) as engine:
        follower = engine.follower(app)
        app.fill(5)
        app.fill(5)
        engine.assert_followed(follower, app)
        return follower


def second_life(path: Path, follower: Follower) -> tuple[str | None, int]:
    """The next incarnation. Out: why it compares (None: it goes on in the WAL), and how many pages it ships."""
    with Engine(path) as engine:
        taken = engine.take()
        engine.bring(follower)
        with App(path) as reader:
            assert bytes(follower.image) == reader.image()
        assert engine.state.head is not None
        assert engine.state.head.checksum == follower.checksum
        assert engine.take() == []
        return engine.how, sum(each.pages for each in taken)


def test_it_goes_on_when_nothing_happened(path: Path, app: App) -> None:
    assert second_life(path, first_life(path, app)) == (None, 0)


def test_it_goes_on_when_the_application_appended(path: Path, app: App) -> None:
    follower = first_life(path, app)
    app.fill(3)
    how, pages = second_life(path, follower)
    assert how is None
    assert 0 < pages < 6


def test_it_goes_on_when_all_was_checkpointed_and_nothing_reset(path: Path, app: App) -> None:
    follower = first_life(path, app)
    app.fill(3)
    app.checkpoint("PASSIVE")
    assert second_life(path, follower)[0] is None


def test_it_goes_on_after_a_recovery(path: Path, app: App) -> None:
    """Everybody died; the index is rebuilt, the counter of transactions starts again at zero."""
    follower = first_life(path, app)
    app.fill(3)
    app.kill()
    os.unlink(f"{path}-shm")
    assert second_life(path, follower)[0] is None


def test_it_compares_after_the_wal_was_restarted(path: Path, app: App) -> None:
    follower = first_life(path, app)
    app.checkpoint("RESTART")
    app.fill(3)
    how, pages = second_life(path, follower)
    assert how == "the WAL was restarted or rebuilt while nobody watched"
    assert 0 < pages < 6


@pytest.mark.parametrize("rows", [0, 3])
def test_it_compares_after_a_clean_close(path: Path, app: App, rows: int) -> None:
    follower = first_life(path, app)
    if rows:
        app.fill(rows)
    app.close()
    assert not Path(f"{path}-wal").exists()
    how, pages = second_life(path, follower)
    assert how is not None
    assert (pages > 0) == (rows > 0)


def test_commits_that_a_power_cut_took_away_are_taken_back(path: Path, app: App) -> None:
    """With synchronous=NORMAL the WAL may come back shorter than what was captured of it."""
    follower = first_life(path, app)
    app.kill()
    wal = Path(f"{path}-wal")
    os.truncate(wal, wal.stat().st_size - frame_size(PAGE))
    os.unlink(f"{path}-shm")
    how, pages = second_life(path, follower)
    assert how == "the WAL lost frames that were captured"
    assert pages > 0


def test_other_frames_in_the_place_of_lost_ones_are_told_apart(path: Path, app: App) -> None:
    """After the cut the application goes on: same salts, as many frames, another history."""
    follower = first_life(path, app)
    app.kill()
    wal = Path(f"{path}-wal")
    os.truncate(wal, wal.stat().st_size - frame_size(PAGE))
    os.unlink(f"{path}-shm")
    with App(path) as other:
        other.fill(2)
        other.fill(2)
        assert second_life(path, follower)[0] == "the last captured frame is not in the WAL any more"


def test_it_compares_when_wal_mode_was_left_and_entered_again(path: Path, app: App) -> None:
    follower = first_life(path, app)
    app.run("PRAGMA journal_mode=DELETE")
    app.write(insert(2))
    app.run("PRAGMA journal_mode=WAL")
    app.write(insert(2))
    assert second_life(path, follower)[0] is not None


def test_a_database_left_in_rollback_mode_is_switched_and_compared(path: Path, app: App) -> None:
    follower = first_life(path, app)
    app.run("PRAGMA journal_mode=DELETE")
    app.write(insert(2))
    app.close()
    how, pages = second_life(path, follower)
    assert how is not None
    assert pages > 0


def test_another_page_size_begins_a_new_line(path: Path, app: App) -> None:
    first_life(path, app)
    resize(app, 8192)
    with Engine(path) as engine:
        (taken,) = engine.take()
        assert (taken.new_line, taken.txid) == (True, 3)
        follower = engine.follower(app)
        app.write(insert(3))
        assert [each.new_line for each in engine.assert_followed(follower, app)] == [False]


def resize(app: App, page_size: int) -> None:
    """Only outside WAL mode does VACUUM change the page size."""
    app.run("PRAGMA journal_mode=DELETE")
    app.run(f"PRAGMA page_size={page_size}")
    app.run("VACUUM")
    app.run("PRAGMA journal_mode=WAL")


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_damaged_wal_is_no_proof(path: Path, app: App, where: str) -> None:
    """A flipped bit in a frame: live readers do not look at checksums, we do, and take what they see."""
    follower = first_life(path, app)
    frames = (Path(f"{path}-wal").stat().st_size - 32) // frame_size(PAGE)
    app.fill(3)
    flip(Path(f"{path}-wal"), frame_offset(2 if where == "before" else frames + 1, PAGE) + 24 + 1000)
    assert second_life(path, follower)[0] == "the checksums of the WAL do not verify"


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


Deed = Callable[[App], object]


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda app: app.run("VACUUM"),
        lambda app: app.write("DELETE FROM t"),
        lambda app: (app.write("DELETE FROM t WHERE id > 3"), app.run("VACUUM"), app.fill(100)),
        lambda app: app.write("DROP TABLE t"),
        lambda app: app.write("CREATE TABLE other(x)", "INSERT INTO other VALUES(zeroblob(100000))"),
    ],
    ids=["vacuum", "delete", "shrink and grow", "drop", "grow"],
)
def test_any_writes_while_we_were_away_are_brought_in(path: Path, app: App, meanwhile: Deed) -> None:
    follower = first_life(path, app)
    meanwhile(app)
    app.checkpoint("TRUNCATE")
    second_life(path, follower)


def test_a_shorter_database_alone_makes_a_file_with_one_page(tmp_path: Path) -> None:
    """Pages cut off the end and no other changed but page 1."""
    path = tmp_path / "grown.db"
    create(path, auto_vacuum="INCREMENTAL", rows=300)
    with App(path) as app:
        app.write("DELETE FROM t")
        with Engine(path) as engine:
            follower = engine.follower(app)
        app.run("PRAGMA incremental_vacuum")
        app.checkpoint("TRUNCATE")
        how, pages = second_life(path, follower)
        assert how is not None
        assert 0 < pages < 10
