"""The recipe of a rollback with a world of its own: what is told, in which order, and what a fault in each step
leaves."""

import os
import sqlite3
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from litestreamd.basics.errors import BusyError, EnvironmentFault, StoreError
from litestreamd.database.install import Installed, last_use
from litestreamd.database.rollback_note import RollbackNote
from litestreamd.jobs.rollback import pass_gate, roll_back
from litestreamd.plan.rollback import InPlace, RollbackPlan, Stage


@dataclass
class World:
    """Notes what it is asked for; raises at the `faults`, the n-th time that the step is taken."""

    faults: dict[tuple[str, int], Exception] = field(default_factory=dict)
    done: list[str] = field(default_factory=list)

    def _step(self, name: str) -> None:
        self.done.append(name)
        if (fault := self.faults.get((name, self.done.count(name)))) is not None:
            raise fault

    def sync(self, plan: RollbackPlan) -> None:
        self._step("sync")

    def restore(self, plan: RollbackPlan) -> None:
        self._step("restore")
        database(Path(plan.beside), "restored")

    def stop_users(self, plan: RollbackPlan) -> None:
        self._step("stop users")

    def stop_daemon(self, plan: RollbackPlan) -> None:
        self._step("stop daemon")

    def start(self, plan: RollbackPlan) -> None:
        self._step("start")


def database(path: Path, word: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("CREATE TABLE t (word)")
        db.execute("INSERT INTO t VALUES (?)", (word,))


def word_in(path: Path) -> str:
    with closing(sqlite3.connect(path)) as db:
        return str(db.execute("SELECT word FROM t").fetchone()[0])


@pytest.fixture
def plan(tmp_path: Path) -> RollbackPlan:
    database(tmp_path / "app.db", "present")
    return RollbackPlan("STAMP", str(tmp_path / "app.db"), 7, 0, "s3", None, ("litestreamd@app.service", "app.service"))


@pytest.fixture
def note(tmp_path: Path, plan: RollbackPlan) -> RollbackNote:
    (tmp_path / "state").mkdir()
    made = RollbackNote(tmp_path / "state", Path(plan.database))
    made.held().__enter__()
    made.save(plan)
    return made


def test_the_order(plan: RollbackPlan, note: RollbackNote) -> None:
    world, told = World(), list[str]()
    ended = roll_back(plan, note, world, told.append)
    assert world.done == ["sync", "restore", "stop users", "sync", "stop daemon", "start"]
    assert [each.split()[0] for each in told] == [
        "syncing",
        "restoring",
        "stopping",
        "syncing",
        "exchanging",
        "starting",
    ]
    assert ended.in_place is InPlace.RESTORED
    assert (word_in(Path(plan.database)), word_in(Path(plan.kept))) == ("restored", "present")
    assert note.load() is None


@pytest.mark.parametrize(
    ("step", "time", "fault"),
    [
        ("sync", 1, StoreError("no answer")),
        ("restore", 1, EnvironmentFault("disk full")),
        ("stop users", 1, BusyError("somebody")),
        ("sync", 2, StoreError("no answer")),
        ("stop daemon", 1, EnvironmentFault("it hangs")),
        ("stop users", 1, KeyboardInterrupt()),
    ],
)
def test_a_fault_before_the_exchange_leaves_all_as_it_was(
    plan: RollbackPlan, note: RollbackNote, step: str, time: int, fault: Exception
) -> None:
    world = World({(step, time): fault})
    with pytest.raises(type(fault)):
        roll_back(plan, note, world, lambda told: None)
    assert world.done[-1] == "start", "what ran runs again"
    assert word_in(Path(plan.database)) == "present"
    assert not Path(plan.kept).exists() and not Path(plan.beside).exists()
    assert note.load() is None


def test_what_does_not_start_on_it_is_said_and_the_rollback_is_done(plan: RollbackPlan, note: RollbackNote) -> None:
    world = World({("start", 1): EnvironmentFault("systemctl start app.service: it failed")})
    with pytest.raises(EnvironmentFault, match=r"^the restored database is in place, but not all .*app\.service"):
        roll_back(plan, note, world, lambda told: None)
    assert word_in(Path(plan.database)) == "restored"
    assert note.load() is None


class Machine(World):
    """Whose daemon asks whether it may start."""

    def start(self, plan: RollbackPlan) -> None:
        super().start(plan)
        pass_gate(Path(plan.database).parent / "state", Path(plan.database))


@pytest.mark.parametrize(
    ("full_from", "word"),
    [(Stage.RESTORED, "present"), (Stage.STOPPED, "present"), (Stage.RELEASED, "restored")],
)
def test_on_a_full_disk_what_ran_runs_again(
    plan: RollbackPlan, note: RollbackNote, full_from: Stage, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the time on at which this stage is to be written down."""
    save, full = note.save, list[Stage]()

    def saved(plan: RollbackPlan) -> None:
        if plan.stage is full_from or full:
            full.append(plan.stage)
            raise EnvironmentFault("no space")
        save(plan)

    monkeypatch.setattr(note, "save", saved)
    machine = Machine()
    with pytest.raises(EnvironmentFault, match="no space") if word == "present" else nullcontext():
        roll_back(plan, note, machine, lambda told: None)
    assert machine.done[-1] == "start"
    assert word_in(Path(plan.database)) == word
    assert note.load() is None


@pytest.mark.parametrize("for_ever", [False, True])
def test_a_disk_that_fills_up_while_all_are_stopped(
    plan: RollbackPlan, note: RollbackNote, for_ever: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange has no room for a name, and the note none to give up with, as long as the restored file is there."""

    def exchanged(*_: object, **__: object) -> Installed:
        raise EnvironmentFault("no space")

    save = note.save

    def saved(plan: RollbackPlan) -> None:
        if plan.stage is Stage.GIVEN_UP and (Path(plan.beside).exists() or for_ever):
            raise EnvironmentFault("no space")
        save(plan)

    monkeypatch.setattr("litestreamd.jobs.rollback.exchange", exchanged)
    monkeypatch.setattr(note, "save", saved)
    machine = Machine()
    with pytest.raises(EnvironmentFault, match="no space"):
        roll_back(plan, note, machine, lambda told: None)
    assert machine.done[-1] == "start"
    assert word_in(Path(plan.database)) == "present"
    assert note.load() is None and not Path(plan.beside).exists()


def test_a_note_that_could_not_be_written_is_caught_up_with(
    plan: RollbackPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The restored database is in place, and its note says that it is to be: whoever starts with it, does."""

    def fail(note: RollbackNote, plan: RollbackPlan, stage: Stage) -> RollbackPlan:
        raise EnvironmentFault("no space")

    state = tmp_path / "state"
    state.mkdir()
    ready = replace(plan, stage=Stage.STOPPED)
    World().restore(ready)
    made = Path(ready.beside).stat()
    ready = replace(
        ready, inode=(made.st_dev, made.st_ino), made_ns=made.st_mtime_ns, present_ns=last_use(Path(plan.database))
    )
    RollbackNote(state, Path(plan.database)).save(ready)
    with monkeypatch.context() as patched:
        patched.setattr(RollbackNote, "advance", fail)
        assert pass_gate(state, Path(plan.database)) == ready
    assert word_in(Path(plan.database)) == "restored"
    open_plan = pass_gate(state, Path(plan.database))
    assert open_plan is not None and open_plan.stage is Stage.RELEASED
    assert word_in(Path(plan.kept)) == "present"


def test_who_came_by_after_the_last_sync_is_seen(
    plan: RollbackPlan, note: RollbackNote, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a job of a moment has committed would be in the kept file only."""
    save = note.save

    def saved(at: RollbackPlan) -> None:
        save(at)
        if at.stage is Stage.STOPPED:
            with closing(sqlite3.connect(plan.database, isolation_level=None)) as db:
                db.execute("INSERT INTO t VALUES ('came by')")

    monkeypatch.setattr(note, "save", saved)
    world = World()
    with pytest.raises(BusyError, match="was used just now: stop its application first; nothing was changed"):
        roll_back(plan, note, world, lambda told: None)
    assert world.done[-1] == "start"
    assert note.load() is None
    with closing(sqlite3.connect(plan.database)) as db:
        assert db.execute("SELECT word FROM t").fetchall() == [("present",), ("came by",)]


def test_somebody_who_came_at_the_last_moment_is_noticed(plan: RollbackPlan, note: RollbackNote) -> None:
    world = World()
    with closing(sqlite3.connect(plan.database)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("SELECT * FROM t").fetchall()
        with pytest.raises(BusyError, match="is open in process"):
            roll_back_in_a_child(plan, note, world)
    assert word_in(Path(plan.database)) == "present"


def roll_back_in_a_child(plan: RollbackPlan, note: RollbackNote, world: World) -> None:
    """Locks of one process do not stand in each other's way: the exchange is tried by another one."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        try:
            roll_back(plan, note, world, lambda told: None)
        except BusyError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        text = told.read()
    os.waitpid(child, 0)
    if text:
        raise BusyError(text)
