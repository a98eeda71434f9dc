"""Two who write one root: one of them finds out, stops, and has changed nothing of the other's."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from litestreamd.jobs import owned_root
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


def write(drive: Drive, app: App, times: int = 1) -> None:
    for _ in range(times):
        app.write(insert(3))
        drive.event().elapse(2)


class Twins:
    """The machine was cloned while its daemon ran: two databases, two state directories, one root."""

    def __init__(self, path: Path, app: App, root: Path) -> None:
        self.root = root
        original = Drive(path, root).settle()
        write(original, app, 2)
        original.die()
        self.other_path = path.parent / "clone" / path.name
        app.checkpoint("TRUNCATE")
        app.kill()
        shutil.copytree(f"{path}-state", f"{self.other_path}-state")
        shutil.copyfile(path, self.other_path)
        self.apps = App(path), App(self.other_path)
        self.original = Drive(path, root).settle()
        self.running = [self.original]

    def clone(self, **settings: bool) -> Drive:
        drive = Drive(self.other_path, self.root, **settings).settle()
        self.running.append(drive)
        return drive

    def close(self) -> None:
        for drive in self.running:
            drive.stop()
        for app in self.apps:
            app.kill()


@pytest.fixture
def twins(path: Path, app: App, root: Path) -> Iterator[Twins]:
    found = Twins(path, app, root)
    yield found
    found.close()


def test_a_clone_is_refused_while_the_original_runs(twins: Twins) -> None:
    clone = twins.clone()
    write(clone, twins.apps[1], 2)
    assert "has not stopped cleanly" in clone.problems[0]
    write(twins.original, twins.apps[0], 2)
    assert twins.original.problems == []
    assert image_of(twins.root) == twins.apps[0].image()


def test_a_clone_that_was_closed_out_leaves_the_original_its_history(twins: Twins) -> None:
    clone = twins.clone()
    for _ in range(4):
        clone.elapse(70)
        write(clone, twins.apps[1])
        write(twins.original, twins.apps[0])
    assert twins.original.problems == []
    assert image_of(twins.root) == twins.apps[0].image()


def test_when_the_clone_is_told_to_take_over_the_original_stops(twins: Twins) -> None:
    clone = twins.clone(take_over=True)
    write(clone, twins.apps[1], 2)
    held = {path: path.read_bytes() for path in twins.root.rglob("*.ltx")}
    for _ in range(4):
        write(twins.original, twins.apps[0], 2)
        twins.original.elapse(70)
    assert "taken over" in twins.original.problems[0]
    write(clone, twins.apps[1], 2)
    assert clone.problems == []
    for path, content in held.items():
        assert path.read_bytes() == content
    assert image_of(twins.root) == twins.apps[1].image()


def test_a_writer_looks_at_its_epoch_from_time_to_time(twins: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one may have written and its retention deleted: the name is free and yet not ours."""
    clone = twins.clone(take_over=True)
    write(clone, twins.apps[1])
    for newest in twins.root.glob(f"ltx/0/{5:016x}*"):
        newest.unlink()
    monkeypatch.setattr(owned_root, "EPOCH_CHECK_S", -1.0)
    write(twins.original, twins.apps[0])
    assert "taken over" in twins.original.problems[0]


def test_a_taken_over_root_is_not_taken_back(path: Path, app: App, root: Path) -> None:
    """--take-over is for the start: against a later writer it is no weapon."""
    first = Drive(path, root, take_over=True).settle()
    write(first, app)
    other = path.with_name("other.db")
    create(other, rows=60)
    with App(other) as other_app:
        second = Drive(other, root, take_over=True).settle()
        write(second, other_app)
        for _ in range(4):
            write(first, app)
            write(second, other_app)
            first.elapse(70)
            second.elapse(70)
        assert first.problems
        assert second.problems == []
        assert image_of(root) == other_app.image()
        second.stop()
    first.stop()


def test_an_object_that_exists_with_our_bytes_is_our_own_retry(path: Path, app: App, root: Path) -> None:
    """Created, and then the answer was lost."""
    drive = Drive(path, root).settle()
    line = drive.replication.lines[0]
    create_object = line.replica.create

    def create_twice(*args: object) -> object:
        create_object(*args)  # type: ignore[arg-type]
        return create_object(*args)  # type: ignore[arg-type]

    line.replica.create = create_twice  # type: ignore[method-assign,assignment]
    write(drive, app, 2)
    drive.assert_equal(app)
    assert drive.problems == []
    drive.stop()


def test_an_object_that_exists_with_other_bytes_is_a_second_writer(path: Path, app: App, root: Path) -> None:
    drive = Drive(path, root).settle()
    foreign = root / "ltx" / "0" / f"{3:016x}-{3:016x}.ltx"
    foreign.write_bytes(b"something else")
    write(drive, app)
    assert "second writer" in drive.problems[0]
    assert foreign.read_bytes() == b"something else"
    assert drive.stop().behind


def test_an_image_that_exists_with_our_state_is_ours(path: Path, app: App, root: Path, tmp_path: Path) -> None:
    drive = Drive(path, root).settle()
    copy = tmp_path / "copy"
    shutil.copytree(root, copy)
    drive.die()
    shutil.rmtree(root / "ltx" / "9")
    second = Drive(path, root)
    second.replication.run(woken=False)
    shutil.copytree(copy / "ltx" / "9", root / "ltx" / "9")
    second.settle()
    write(second, app)
    second.assert_equal(app)
    assert second.problems == []
    second.stop()


@pytest.mark.parametrize("place", ["head", "state"])
def test_what_another_left_in_our_place_is_not_continued(path: Path, app: App, root: Path, place: str) -> None:
    """Somebody else's file is the newest: our state does not name it."""
    first = Drive(path, root).settle()
    write(first, app, 2)
    first.stop()
    other = path.with_name("other.db")
    create(other, rows=30)
    if place == "head":
        stranger = Drive(other, root, take_over=True).settle()
        stranger.elapse(2)
        stranger.stop()
    else:
        shutil.rmtree(root)
        Drive(other, root).settle().stop()
    before = names(root)
    second = Drive(path, root).settle()
    write(second, app)
    assert "--take-over" in second.problems[0]
    assert names(root) == before
    assert second.stop().behind


def test_a_state_from_an_older_incarnation_needs_the_operator(path: Path, app: App, root: Path, tmp_path: Path) -> None:
    """The files after it carry a node id that this state never heard of."""
    first = Drive(path, root).settle()
    write(first, app)
    first.stop()
    shutil.copytree(f"{path}-state", tmp_path / "copy")
    second = Drive(path, root).settle()
    write(second, app, 2)
    second.stop()
    shutil.rmtree(f"{path}-state")
    (tmp_path / "copy").rename(f"{path}-state")
    third = Drive(path, root).settle()
    write(third, app)
    assert "--take-over" in third.problems[0]
    third.stop()
    fourth = Drive(path, root, take_over=True).settle()
    write(fourth, app)
    fourth.assert_equal(app)
    assert fourth.stop().behind == ()


Deed = Callable[[Path], object]


@pytest.mark.parametrize(
    "damage",
    [lambda note: note.write_text("{"), lambda note: note.write_text('{"version": 99}'), lambda note: note.unlink()],
    ids=["cut", "newer", "gone"],
)
def test_a_writers_note_that_cannot_be_read_stops_nobody_forever(
    path: Path, app: App, root: Path, damage: Deed
) -> None:
    """Our own epoch's note is damaged or gone: the state still knows the head; at worst the operator is asked."""
    first = Drive(path, root).settle()
    write(first, app)
    first.stop()
    for note in (root / "litestreamd" / "writers").glob("*.json"):
        damage(note)
    second = Drive(path, root).settle()
    write(second, app)
    second.assert_equal(app)
    second.stop()
