"""The spool is full because a replica is away: the others go on, the spool stays small, and what the replica lacks
arrives as one file when it comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.database.live import LiveDatabase
from litestreamd.jobs import room
from litestreamd.ltx.names import SNAPSHOT_LEVEL
from tests.support.dying import dies_at
from tests.support.full_spool import CHANGE, QUOTA, Far, World
from tests.support.live import App, create


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ALWAYS_ROOM", QUOTA)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found, rows=1500)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


@pytest.fixture
def world(path: Path, app: App) -> World:
    """Both replicas have a few TXIDs."""
    found = World(path, app)
    found.write(4)
    return found


def test_one_file_brings_what_left(world: World) -> None:
    world.far.away = True
    world.write(40)
    assert world.told == {"far"}
    world.back()
    assert world.held(1) == ["1/2-6", "1/7-46"]
    assert world.held(0)[-1] == "0/46-46"
    assert len(world.held(9)) == 1
    world.write(4)
    world.back()
    assert world.drive.stop().behind == ()


def test_many_changed_pages_are_a_full_image(world: World) -> None:
    world.far.away = True
    for low in range(0, 1500, 30):
        world.write(1, CHANGE.format(low, low + 29))
    world.back()
    assert len(world.held(9)) == 2


def test_three_replicas_each_with_its_own_debt(path: Path, app: App) -> None:
    world = World(path, app, "third")
    world.write(4)
    world.far.away = True
    world.write(20)
    world.replicas[2].away = True
    world.write(20)
    world.replicas[2].away = False
    world.drive.elapse(400)
    world.write(20)
    world.back()
    assert [len(world.held(9, number)) for number in range(3)] == [1, 1, 1]


def test_a_first_image_waits_for_level_0_that_has_left(path: Path, app: App) -> None:
    """It is prepared at N, `0/N` cannot be stored and leaves the spool: `9/1-N` and then N+7 would lose commits."""
    world = World(path, app)
    world.drive.die()
    world.replicas[1] = world.far = Far(path.parent / "late")
    world.roots[1] = world.far.root
    world.far.mute = {0, SNAPSHOT_LEVEL}
    world.born()
    world.write(40)
    assert world.told == {"late"}
    world.back()


def test_the_level_0_file_of_a_catch_up_leaves_too(world: World) -> None:
    """Level 1 goes on where the catch-up ended, without an overlap."""
    world.far.away = True
    world.write(40)
    world.far.away, world.far.mute = False, {0}
    world.drive.elapse(400)
    assert world.held(1) == ["1/2-6", "1/7-46"]
    world.write(40)
    world.back()
    spans = [tuple(map(int, name[2:].split("-"))) for name in world.held(1)]
    assert [low for low, _ in spans[1:]] == [high + 1 for _, high in spans[:-1]]
    assert len(world.held(9)) == 1


def test_restarts_cost_no_image(world: World) -> None:
    world.far.away = True
    for polite in (False, True) * 4:
        world.write(8)
        world.again(polite)
    world.back()
    assert world.held(1) == ["1/2-6", "1/7-70"]
    assert len(world.held(9)) == 1


def test_a_wrong_debt_ends_in_a_full_image(world: World) -> None:
    world.far.away = True
    world.write(40)
    debt = world.drive.replication.lines[1].debts._here
    assert debt is not None
    debt.old ^= 2
    world.back(3000)
    assert len(world.held(9)) == 2


def test_a_page_size_of_its_own_meanwhile(world: World, app: App) -> None:
    world.far.away = True
    world.write(20)
    for size in (8192, 4096):
        world.drive.die()
        for pragma in ("journal_mode=DELETE", f"page_size={size}"):
            app.run(f"PRAGMA {pragma}")
        app.run("VACUUM")
        app.run("PRAGMA journal_mode=WAL")
        world.born()
        world.write(25)
    world.back()
    assert len(world.held(9)) == 2


def test_an_application_that_never_rests_does_not_fill_the_disk(
    world: World, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever the daemon looks there is something new."""
    replication = world.drive.replication
    near, far = replication.lines
    real = LiveDatabase.header

    def header(live: LiveDatabase) -> object:
        app.write(CHANGE.format(1, 10))
        return real(live)

    world.far.away = True
    monkeypatch.setattr(LiveDatabase, "header", header)
    for _ in range(150):
        world.time.now_s += 1.1
        replication.run(woken=True)
        near.run(woken=True)
    assert world.spooled < 2 * QUOTA
    assert far.cursor == 6


PLACES = (
    "settle.state-written",
    "settle.cursors-written",
    "settle.spool-trimmed",
    "image.head-created",
    "image.half-way",
    "image.created",
    "compact.created",
    "push.created",
    "folder.written",
)


@pytest.mark.parametrize("place", PLACES)
def test_a_death_anywhere(world: World, place: str) -> None:
    """While the replica is away, and when it is back: it ends up with everything, and no image is needed."""
    world.far.away = True
    world.write(20)
    for passing in (1, 2, 3):
        world.drive.die()

        def live() -> None:
            world.born()
            world.write(12)
            world.far.away = False
            world.drive.elapse(100)

        dies_at(place, passing, live)
        world.time.now_s += 200
        world.born()
    world.write(6)
    world.back()
    assert len(world.held(9)) == 1
