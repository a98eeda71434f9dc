"""The plan of a rollback belongs to the owner of the state directory, who may write what he likes, and root reads it:
it does nothing to anybody else's files and services."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from litestreamd.basics.errors import DamagedData
from litestreamd.cli.rollback_world import Ground, World
from litestreamd.daemon.units import Units
from litestreamd.database.draft import remove_abandoned
from litestreamd.database.rollback_note import RollbackNote
from litestreamd.jobs.rollback import pass_gate, ways_out
from litestreamd.plan.rollback import RollbackPlan, Stage
from tests.support.live import create

STAMP = "2026-04-18T091530.000Z"
AUTHOR = 4711


@pytest.fixture
def database(tmp_path: Path) -> Path:
    (tmp_path / "app" / "state").mkdir(parents=True)
    create(tmp_path / "app" / "app.db")
    return tmp_path / "app" / "app.db"


def forged(database: Path, /, **changed: object) -> Path:
    """Write a plan, of an attacker's making; out: the state directory."""
    state = database.parent / "state"
    plan = RollbackPlan(STAMP, str(database), 7, 0, "s3", None)
    RollbackNote(state, database).save(plan)
    note = state / "rollback" / "plan.json"
    note.write_text(json.dumps(json.loads(note.read_text()) | changed))
    return state


def test_no_file_gets_a_name_elsewhere(database: Path, tmp_path: Path) -> None:
    """The present database is kept under a name with the stamp in it: a link in a folder of root's own."""
    (tmp_path / "etc").mkdir()
    stamp = "x/../../etc/evil.sh"
    (database.parent / "app.db.before-x").mkdir()
    (database.parent / ".app.db.rollback-x").mkdir()
    (tmp_path / "etc" / "new").write_bytes(b"")
    with pytest.raises(DamagedData, match="names what no rollback does"):
        pass_gate(forged(database, stage=Stage.STOPPED.value, stamp=stamp), database)
    assert not (tmp_path / "etc" / "evil.sh").exists()


def test_no_other_database_is_touched(database: Path, tmp_path: Path) -> None:
    """Whatever took the place of a database that is put back goes, with its WAL."""
    other = tmp_path / "other.db"
    create(other)
    wal = Path(f"{other}-wal")
    wal.write_bytes(b"commits of somebody else")
    found = other.stat()
    state = forged(
        database,
        database=str(other),
        stage=Stage.GIVEN_UP.value,
        inode=[found.st_dev, found.st_ino],
        made_ns=found.st_mtime_ns,
    )
    with pytest.raises(DamagedData, match=f"is not about {database}: look which"):
        pass_gate(state, database)
    assert wal.read_bytes() == b"commits of somebody else"


def test_a_database_by_another_name_is_the_same(database: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(database)
    plan = pass_gate(forged(database), link)
    assert plan is not None and plan.database == str(database)


def test_nothing_steers_the_terminal_or_the_shell_of_who_reads_it(database: Path) -> None:
    with pytest.raises(DamagedData, match="names what no rollback does"):
        pass_gate(forged(database, source="/etc/litestreamd/app.yml\x1b[2J"), database)
    source = database.parent / "app.yml; rm -rf x"
    source.write_text("")
    plan = RollbackPlan(STAMP, str(database), 7, 0, "s3", str(source))
    assert f"-resume -config '{source}' {database} finishes" in ways_out(plan)


@pytest.mark.skipif(os.geteuid() != 0, reason="root only: a file of another owner is made")
def test_nobody_is_told_to_use_the_configuration_of_somebody_else(database: Path, tmp_path: Path) -> None:
    source = tmp_path / "evil.yml"
    source.write_text("")
    os.chown(source, AUTHOR, AUTHOR)
    for named in (source, tmp_path / "none.yml"):
        plan = RollbackPlan(STAMP, str(database), 7, 0, "s3", str(named))
        assert f"-resume -config FILE {database} finishes" in ways_out(plan)


def test_what_is_no_plan_is_called_damaged(database: Path) -> None:
    state = forged(database, created_ms=float("inf"))
    with pytest.raises(DamagedData, match="is damaged"):
        pass_gate(state, database)
    (state / "rollback" / "plan.json").write_text("[" * 100_000)
    with pytest.raises(DamagedData, match="is damaged"):
        pass_gate(state, database)


def test_a_pipe_is_not_waited_for(database: Path) -> None:
    state = forged(database)
    (state / "rollback" / "plan.json").unlink()
    os.mkfifo(state / "rollback" / "plan.json")
    with pytest.raises(DamagedData, match="is damaged"):
        pass_gate(state, database)
    for make in (os.mkfifo, lambda path: Path(path).symlink_to("/nowhere")):
        laid = database.parent / f".{database.name}.{'0' * 16}.restoring"
        make(laid)
        remove_abandoned(database)
        assert not os.path.lexists(laid)


class Machine(Units):
    """On which only these services are known."""

    def __init__(self, users: Mapping[str, str]) -> None:
        super().__init__()
        self._users = users

    def exists(self, unit: str) -> bool:
        return unit in self._users

    def show(self, unit: str, name: str) -> str:
        assert name == "User"
        return self._users[unit]


@pytest.mark.parametrize(("author", "believed"), [
    (os.getuid(), ("litestreamd@app.service", "app.service", "worker.service")),
    (AUTHOR, ("litestreamd@app.service", "app.service")),
])  # fmt: skip
def test_root_starts_nothing_that_the_author_has_no_part_in(
    author: int, believed: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    units = Machine({"worker.service": str(os.getuid())})
    database = Path("/var/lib/app/app.db")
    ground = Ground(database, database, None, "app", "litestreamd@app.service", "app.service", None, 1.0)
    running = ("litestreamd@app.service", "app.service", "worker.service")
    plan = RollbackPlan(STAMP, str(database), 7, 0, "s3", None, running)
    assert World(ground, [], lambda _: None, units=units).believed(plan, author).running == believed
    assert ("worker.service is left as it is" in capsys.readouterr().err) == ("worker.service" not in believed)
