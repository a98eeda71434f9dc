"""Two who write one root in a bucket: exactly one continues, the other stops with a clear error and touches nothing.

Who may continue a root, case by case, on stores that refuse the second create, and on stores that do not.
"""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.jobs import owned_root
from litestreamd.plan.rules import Rules
from litestreamd.replica.port import Fence, Replica
from tests.contract.buckets import BucketPlace
from tests.contract.places import PLACES
from tests.support import images
from tests.support.driving import RULES, Drive, Time
from tests.support.live import App, create, insert
from tests.support.restoring import restored

BUSY = Rules(levels_s=(5,), l0_retention_s=10, l0_check_s=1, snapshot_interval_s=1e9)


class Machine:
    """A database, an application, and perhaps a daemon."""

    def __init__(self, name: str, folder: Path, time: Time) -> None:
        self.name, self.path, self.time = name, folder / name / "app.db", time
        self.path.parent.mkdir()
        self.drive: Drive | None = None
        self._app: App | None = None

    @property
    def app(self) -> App:
        if self._app is None:
            self._app = App(self.path)
        return self._app

    @property
    def state(self) -> Path:
        return self.path.with_name("state")

    def start(self, replica: Replica, rules: Rules = RULES, **settings: bool) -> Drive:
        self.drive = Drive(
            self.path, time=self.time, replicas=[replica], rules=rules, machine=self.name, state=self.state, **settings
        )
        return self.drive.settle().elapse(2)

    def write(self, times: int = 1) -> None:
        for _ in range(times):
            self.app.write(insert(3))
            if self.drive is not None:
                self.drive.event().elapse(2)

    def problems(self) -> list[str]:
        assert self.drive is not None
        return self.drive.problems

    def copy_to(self, other: "Machine", with_state: bool) -> None:
        """What an administrator copies, the application stopped for a moment."""
        self.app.checkpoint("TRUNCATE")
        shutil.copyfile(self.path, other.path)
        if with_state:
            shutil.copytree(self.state, other.state)

    def close(self) -> None:
        if self.drive is not None:
            self.drive.die()
        if self._app is not None:
            self._app.kill()


class Stage:
    """A place in a bucket, and machines."""

    def __init__(self, place: BucketPlace, folder: Path) -> None:
        self.place = place
        self.time = Time()
        self.time.wall_ms = round((time.time() - self.time.now_s) * 1000)
        self.production, self.other = (Machine(name, folder, self.time) for name in ("production", "other"))

    def replica(self) -> Replica:
        return self.place.replica()

    def assert_holds(self, machine: Machine) -> None:
        out = machine.path.with_name(f"restored-{time.monotonic_ns()}.db")
        restored(self.replica(), out)
        difference = images.first_difference(out.read_bytes(), machine.app.image(), 4096)
        assert not difference, difference


@pytest.fixture(params=["s3-ministack", "s3-radosgw", "s3-swift", "s3-rclone"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    found = Stage(PLACES[request.param](""), tmp_path)  # type: ignore[call-arg,arg-type]
    create(found.production.path)
    yield found
    found.production.close()
    found.other.close()


@pytest.fixture
def production(stage: Stage) -> Machine:
    stage.production.start(stage.replica())
    stage.production.write(2)
    return stage.production


def assert_refused(stage: Stage, machine: Machine, why: str, **settings: bool) -> None:
    """It starts, works, waits, and changes nothing at the place."""
    before = stage.place.keys()
    machine.start(stage.replica(), **settings)
    machine.write(2)
    assert machine.drive is not None
    machine.drive.elapse(200)
    assert stage.place.keys() == before
    assert {why in problem for problem in machine.problems()} == {True}
    closed = machine.drive.stop()
    assert closed.behind or not closed.txid


def test_another_database_with_the_same_configuration(stage: Stage, production: Machine) -> None:
    create(stage.other.path, rows=60)
    assert_refused(stage, stage.other, "has not stopped cleanly")
    production.write(2)
    assert production.problems() == []
    stage.assert_holds(production)


def test_a_staging_copy_of_the_database_does_not_fence_production(stage: Stage, production: Machine) -> None:
    """The same pages, and the original has nothing to write for a while: still it is somebody else's."""
    production.copy_to(stage.other, with_state=False)
    assert_refused(stage, stage.other, "has not stopped cleanly")
    stage.time.now_s += 3600
    assert_refused(stage, stage.other, "has not stopped cleanly")
    production.write(2)
    assert production.problems() == []
    stage.assert_holds(production)


def test_nor_does_a_copy_of_everything(stage: Stage, production: Machine) -> None:
    """With the state directory, which knows the names of the original's incarnations."""
    production.copy_to(stage.other, with_state=True)
    assert_refused(stage, stage.other, "has not stopped cleanly")
    production.write(2)
    stage.time.now_s += 3600
    assert_refused(stage, stage.other, "has not stopped cleanly")
    production.write(1)
    assert production.problems() == []
    stage.assert_holds(production)


def test_a_new_machine_that_restored_after_a_crash_goes_on_by_itself(stage: Stage, production: Machine) -> None:
    assert production.drive is not None
    production.drive.die()
    production.drive = None
    restored(stage.replica(), stage.other.path, state_directory=stage.other.state)
    stage.other.start(stage.replica())
    stage.other.write(2)
    assert stage.other.problems() == []
    stage.assert_holds(stage.other)
    # And if the old one was not dead after all, it finds out before it writes anything.
    before = stage.place.keys()
    production.start(stage.replica())
    production.write(2)
    assert production.problems()
    assert stage.place.keys() == before


def test_the_same_machine_goes_on_after_a_crash(stage: Stage, production: Machine) -> None:
    assert production.drive is not None
    production.drive.die()
    production.start(stage.replica())
    production.write(2)
    assert production.problems() == []
    stage.assert_holds(production)


def test_a_machine_that_was_set_back_to_this_morning_goes_on(stage: Stage, production: Machine) -> None:
    """Its state directory went back in time with it; what it left on the replica since bears its names."""
    shutil.copytree(production.state, production.path.with_name("morning"))
    production.write(2)
    assert production.drive is not None
    production.drive.die()
    shutil.rmtree(production.state)
    production.path.with_name("morning").rename(production.state)
    production.start(stage.replica())
    production.write()
    assert production.problems() == []
    stage.assert_holds(production)


def test_whoever_is_taken_over_stops_before_the_next_commit(
    stage: Stage, production: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(stage.other.path, rows=60)
    stage.other.start(stage.replica(), take_over=True)
    stage.other.write(2)
    monkeypatch.setattr(owned_root, "EPOCH_CHECK_S", -1.0)
    before = stage.place.keys()
    production.write(3)
    assert {"taken over" in problem for problem in production.problems()} == {True}
    assert stage.place.keys() == before
    stage.assert_holds(stage.other)


def test_a_stale_writer_that_wakes_up_after_its_names_were_freed_is_stopped(
    stage: Stage, production: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Retention has deleted the level-0 files of its successor: "create only" lets every name pass again."""
    create(stage.other.path, rows=60)
    stage.other.start(stage.replica(), rules=BUSY, take_over=True)
    for _ in range(6):
        stage.other.write(2)
        assert stage.other.drive is not None
        stage.other.drive.elapse(20)
    head = production.drive.replication._state.head if production.drive else None
    assert head is not None
    free = {f"0000/{txid:016x}-{txid:016x}.ltx" for txid in range(head.txid + 1, head.txid + 3)}
    assert not free & stage.place.keys()
    # The clock of a machine that slept: its last look is long ago.
    monkeypatch.setattr(owned_root.time, "monotonic", lambda real=time.monotonic: real() + 151)
    production.write(2)
    assert "taken over" in production.problems()[0]
    assert not free & stage.place.keys()
    stage.assert_holds(stage.other)


def test_how_firm_the_fence_is_is_known(stage: Stage, production: Machine) -> None:
    assert production.drive is not None
    found = production.drive.replication.lines[0].replica.fence
    assert found is stage.place.fence
    assert (found is Fence.STRONG) is (stage.place.kind == "s3-ministack")
