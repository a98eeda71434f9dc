"""Rollbacks that are killed at every named point, and anywhere: always the old or the new database, never neither.

Without systemd, where every point is near; tests/system/test_rollback.py does it to running services.
"""

import json
import os
import pty
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.programs import OURS, TREE, environment
from tests.support.rollback_points import POINTS
from tests.support.waiting import until

SEEN_THROUGH = ("rollback.synced", "rollback.stopped", "restore.kept", "rollback.exchanged")
"""Up to what the daemon makes of it."""
OLD, NEW = ("kept", "lost by mistake"), ("kept",)
"""Present and restored: "new" is what a rollback puts in place."""


@dataclass
class Scene:
    """A database that was synced, then changed by mistake; `txid` is the good state's."""

    folder: Path
    txid: str = ""

    @property
    def database(self) -> Path:
        return self.folder / "app.db"

    @property
    def config(self) -> Path:
        return self.folder / "c.yml"

    @property
    def unasked(self) -> list[str]:
        """The command that rolls back without asking."""
        return [
            *OURS.start, "restore", "-config", str(self.config), "-txid", self.txid, "-yes", str(self.database)
        ]  # fmt: skip

    def run(self, *words: object, crash_at: str | None = None) -> subprocess.CompletedProcess[str]:
        armed = {"LITESTREAMD_CRASH_AT": crash_at} if crash_at else {}
        return subprocess.run(
            [*OURS.start, *map(str, words)], cwd=TREE, env=environment(**armed), capture_output=True, text=True,
            check=False, timeout=60,
        )  # fmt: skip

    def execute(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.database, isolation_level=None)) as db:
            for statement in statements:
                db.execute(statement)

    def sync(self) -> None:
        done = self.run("replicate", "-once", "-config", self.config)
        assert done.returncode == 0, done.stderr

    @contextmanager
    def frozen(self, point: str) -> Iterator[subprocess.Popen[bytes]]:
        """A rollback that halts at a point, and is killed if it is still there in the end."""
        env = environment(LITESTREAMD_CRASH_AT=f"{point}:1:freeze")
        with subprocess.Popen(
            self.unasked, cwd=TREE, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as child:
            try:
                yield child
            finally:
                child.kill()

    def roll_back(self, crash_at: str | None = None) -> subprocess.CompletedProcess[str]:
        words = ("restore", "-config", self.config, "-txid", self.txid, "-yes", self.database)
        return self.run(*words, crash_at=crash_at)

    def finish(self, how: str) -> subprocess.CompletedProcess[str]:
        return self.run("restore", "-config", self.config, f"-{how}", self.database)


def lived(made: Scene) -> Scene:
    """A good state is on the replica; what came after it is not."""
    made.config.write_text(f"dbs: [{{path: {made.database}, replica: {{path: {made.folder}/replica}}}}]\n")
    made.execute("PRAGMA journal_mode=WAL", "CREATE TABLE t (word)", "INSERT INTO t VALUES ('kept')")
    made.sync()
    listed = made.run("ltx", "-level", "all", "-config", made.config, made.database)
    made.txid = max(line.split()[2] for line in listed.stdout.splitlines()[1:])
    made.execute("INSERT INTO t VALUES ('lost by mistake')")
    return made


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return lived(Scene(tmp_path))


def words_in(path: Path) -> tuple[str, ...]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return tuple(word for (word,) in db.execute("SELECT word FROM t ORDER BY rowid"))


def test_the_whole_way(scene: Scene) -> None:
    done = scene.roll_back()
    assert done.returncode == 0, done.stderr
    assert words_in(scene.database) == NEW
    (kept,) = scene.folder.glob("app.db.before-*")
    assert words_in(kept) == OLD
    assert "rolled back" in done.stdout and str(kept) in done.stdout
    goes_on(scene, NEW)


@pytest.mark.parametrize("point", ["rollback.stopped", "restore.kept"])
def test_what_was_committed_after_the_kill_is_synced_as_well(scene: Scene, point: str) -> None:
    """An application that asks nobody runs on the present database before the rollback is finished."""
    assert scene.roll_back(point).returncode == -signal.SIGKILL
    scene.execute("INSERT INTO t VALUES ('after the kill')")
    assert scene.finish("resume").returncode == 0
    assert words_in(scene.database) == NEW
    scene.sync()
    listed = scene.run("ltx", "-level", "all", "-config", scene.config, scene.database).stdout.splitlines()[1:]
    found = set[str]()
    for txid in sorted({line.split()[2] for line in listed}):
        copy = scene.folder / f"{txid}.db"
        done = scene.run("restore", "-txid", txid, "-o", copy, f"file://{scene.folder}/replica")
        assert done.returncode == 0, done.stderr
        found |= {*words_in(copy)}
    assert found == {*OLD, "after the kill"}


def test_nothing_is_imported_from_where_the_operator_stands(scene: Scene, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    trap.mkdir()
    for name in ("yaml", "apsw", "litestreamd"):
        (trap / f"{name}.py").write_text("raise SystemExit('trapped')")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "litestreamd", "restore", "-config", scene.config, "-txid", scene.txid, "-yes",
         scene.database],
        cwd=trap, env=environment(PYTHONPATH=str(TREE)), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert words_in(scene.database) == NEW


def test_the_plan_and_the_outcome_as_json(scene: Scene) -> None:
    words = ("restore", "-json", "-config", scene.config, "-txid", scene.txid)
    plan = json.loads(scene.run(*words, "-dry-run", scene.database).stdout)
    keys = {"db_path", "txid", "timestamp", "replica", "stops", "restored_as", "kept_as"}
    assert plan.keys() == keys
    assert words_in(scene.database) == OLD
    done = json.loads(scene.run(*words, "-yes", scene.database).stdout)
    assert done.keys() == keys | {"in_place", "duration_ms", "stopped_ms"}
    assert (done["in_place"], done["txid"]) == ("restored", scene.txid)
    assert Path(done["kept_as"]).exists()


@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_on_a_terminal_it_asks(scene: Scene, answer: str) -> None:
    ours, theirs = pty.openpty()
    words = [*OURS.start, "restore", "-config", str(scene.config), "-txid", scene.txid, str(scene.database)]
    with subprocess.Popen(
        words, cwd=TREE, env=environment(), stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        out, err = child.communicate(timeout=60)
    os.close(ours)
    assert "  1. the present is synced to file by a process of its own" in out
    assert "Go on? [y/N]" in err
    assert child.returncode == (0 if answer == "y" else 64)
    assert words_in(scene.database) == (NEW if answer == "y" else OLD)
    assert ("nothing was changed" in err) == (answer != "y")


def test_a_reader_that_is_gone_breaks_nothing_off(scene: Scene) -> None:
    """Nobody reads what it says: it does what it was told to."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(scene.unasked, cwd=TREE, env=environment(), stderr=writer, timeout=60, check=False)
    os.close(writer)
    assert done.returncode == 0
    assert words_in(scene.database) == NEW
    goes_on(scene, NEW)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGINT])
def test_a_terminal_that_is_lost_gives_it_up(scene: Scene, number: signal.Signals) -> None:
    with subprocess.Popen(scene.unasked, cwd=TREE, env=environment(), stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        while "syncing the present" not in child.stderr.readline():
            pass
        child.send_signal(number)
        child.stderr.close()
    assert child.returncode == 130
    assert words_in(scene.database) == OLD
    assert list(scene.folder.glob("app.db?*.before*")) == []
    nothing = scene.finish("resume")
    assert (nothing.returncode, "there is nothing to do" in nothing.stderr) == (64, True)


def test_a_plan_that_came_while_it_was_asked_is_not_overwritten(scene: Scene) -> None:
    ours, theirs = pty.openpty()
    words = [*OURS.start, "restore", "-config", str(scene.config), "-txid", scene.txid, str(scene.database)]
    with subprocess.Popen(words, cwd=TREE, env=environment(), stdin=theirs, stderr=subprocess.PIPE, text=True) as child:
        os.close(theirs)
        assert child.stderr is not None
        while not (said := child.stderr.read(1)) or said != "?":
            pass
        assert scene.roll_back(crash_at="rollback.exchanged").returncode == -signal.SIGKILL
        os.write(ours, b"y\n")
        err = child.stderr.read()
    os.close(ours)
    assert child.returncode == 64
    assert "is not finished: litestreamd-restore -resume" in err
    assert scene.finish("resume").returncode == 0
    assert words_in(scene.database) == NEW
    (kept,) = scene.folder.glob("app.db.before-*")
    assert words_in(kept) == OLD


def goes_on(scene: Scene, present: tuple[str, ...]) -> None:
    """The daemon continues the same history: no second image; the rolled-back future and the present are restored."""
    scene.execute("INSERT INTO t VALUES ('after')")
    scene.sync()
    images = [path.name for path in (scene.folder / "replica/ltx/9").iterdir()]
    assert len(images) == 1, images
    copy = scene.folder / "copy.db"
    future = f"{int(scene.txid, 16) + 1:016x}"
    for txid, wanted in ((future, OLD), (None, (*present, "after")), (scene.txid, NEW)):
        chosen = ("-txid", txid) if txid else ()
        done = scene.run("restore", "-o", copy, *chosen, f"file://{scene.folder}/replica")
        assert done.returncode == 0, done.stderr
        assert words_in(copy) == wanted
        copy.unlink()


@pytest.mark.parametrize("how", ["resume", "abort"])
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point(scene: Scene, point: str, how: str) -> None:
    assert scene.roll_back(crash_at=point).returncode == -signal.SIGKILL
    assert words_in(scene.database) in (OLD, NEW)
    settled(scene, how)
    if point in SEEN_THROUGH:
        goes_on(scene, words_in(scene.database))


def settled(scene: Scene, how: str) -> None:
    done = scene.finish(how)
    late = "too late" in done.stderr
    assert done.returncode == (1 if late else 0), done.stderr
    present = NEW if how == "resume" or late else OLD
    assert words_in(scene.database) == present
    left = {path.name for path in scene.folder.iterdir() if path.name.startswith((".app.db.", "app.db.before-"))}
    assert len(left) == (present == NEW), left


def test_killed_anywhere(scene: Scene, tmp_path: Path) -> None:
    """At random moments; what was given up is begun anew, until one is done."""
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    for number in range(12):
        with subprocess.Popen(scene.unasked, cwd=TREE, env=environment(), stdout=-3, stderr=-3) as child:
            time.sleep(chance.uniform(0.2, 1.2))
            child.kill()
        assert words_in(scene.database) in (OLD, NEW), f"seed {seed}, number {number}"
        open_plan = list(scene.folder.glob(".app.db-litestreamd/*/rollback/plan.json"))
        if open_plan:
            done = scene.finish("abort")
            assert done.returncode in (0, 1), done.stderr
        if words_in(scene.database) == NEW:
            scene.execute("INSERT INTO t VALUES ('lost by mistake')")


@pytest.mark.parametrize("point", ["rollback.stopped", "restore.kept", "rollback.exchanged"])
@pytest.mark.parametrize("first", ["replicate", "restore"])
def test_who_starts_first_finishes_the_exchange(scene: Scene, point: str, first: str) -> None:
    """A daemon, or the restore before it, that finds a proven database and nobody at work."""
    assert scene.roll_back(crash_at=point).returncode == -signal.SIGKILL
    if first == "replicate":
        scene.sync()
    else:
        done = scene.run("restore", "-if-db-not-exists", "-config", scene.config, scene.database)
        assert done.returncode == 0, done.stderr
        assert "is not finished" in done.stderr
    assert words_in(scene.database) == NEW
    done = scene.finish("resume")
    assert done.returncode == 0, done.stderr
    goes_on(scene, NEW)


@pytest.mark.parametrize("at", ["rollback.given-up", "rollback.put-back"])
@pytest.mark.parametrize("next_one", ["resume", "abort", "daemon"])
def test_giving_up_is_killed_too(scene: Scene, at: str, next_one: str) -> None:
    """Whoever comes next goes on giving up."""
    assert scene.roll_back(crash_at="rollback.exchanged").returncode == -signal.SIGKILL
    assert words_in(scene.database) == NEW
    words = ("restore", "-config", scene.config, "-abort", scene.database)
    assert scene.run(*words, crash_at=at).returncode == -signal.SIGKILL
    if next_one == "daemon":
        scene.sync()
    done = scene.finish("abort" if next_one == "daemon" else next_one)
    assert done.returncode == 0, done.stderr
    assert "is as it was" in done.stdout
    assert words_in(scene.database) == OLD
    assert not list(scene.folder.glob("app.db.before-*"))


def test_what_was_used_is_not_taken_back(scene: Scene) -> None:
    """By an application that asks nobody, and leaves nothing beside the database."""
    assert scene.roll_back(crash_at="rollback.exchanged").returncode == -signal.SIGKILL
    scene.execute("INSERT INTO t VALUES ('new life')")
    assert not Path(f"{scene.database}-wal").exists()
    done = scene.finish("abort")
    assert done.returncode == 1
    assert "too late" in done.stderr
    assert words_in(scene.database) == (*NEW, "new life")


@pytest.mark.parametrize("point", ["rollback.restored", "rollback.stopped"])
@pytest.mark.parametrize("next_one", ["resume", "daemon"])
def test_somebody_has_removed_the_restored_database(scene: Scene, point: str, next_one: str) -> None:
    """It is restored again; a daemon goes on with what is there."""
    assert scene.roll_back(crash_at=point).returncode == -signal.SIGKILL
    (beside,) = scene.folder.glob(".app.db.rollback-*")
    beside.unlink()
    if next_one == "daemon":
        scene.sync()
        assert words_in(scene.database) == OLD
        done = scene.finish("abort")
        assert done.returncode == 0, done.stderr
        assert words_in(scene.database) == OLD
    else:
        done = scene.finish("resume")
        assert done.returncode == 0, done.stderr
        assert words_in(scene.database) == NEW


def test_a_link_to_the_database_stays_one(tmp_path: Path) -> None:
    real = tmp_path / "disk"
    real.mkdir()
    made = Scene(tmp_path)
    made.database.symlink_to(real / "app.db")
    done = lived(made).roll_back()
    assert done.returncode == 0, done.stderr
    assert made.database.is_symlink()
    assert words_in(real / "app.db") == NEW
    (kept,) = real.glob("app.db.before-*")
    assert words_in(kept) == OLD


def test_a_plan_that_makes_no_sense_stops_everybody(scene: Scene) -> None:
    assert scene.roll_back(crash_at="rollback.restored").returncode == -signal.SIGKILL
    (plan,) = scene.folder.glob(".app.db-litestreamd/*/rollback/plan.json")
    plan.write_text('{"version": 1, "stage": "nonsense"}')
    for done in (scene.roll_back(), scene.finish("abort"), scene.run("replicate", "-once", "-config", scene.config)):
        assert done.returncode != 0
        assert "plan.json is damaged" in done.stderr
    assert words_in(scene.database) == OLD


def test_nobody_restores_past_an_open_plan(scene: Scene) -> None:
    assert scene.roll_back(crash_at="rollback.restored").returncode == -signal.SIGKILL
    away = scene.folder / "away.db"
    scene.database.rename(away)
    done = scene.run("restore", "-config", scene.config, scene.database)
    assert done.returncode == 75
    assert "is not finished" in done.stderr
    assert not scene.database.exists()
    refused = scene.finish("abort")
    assert refused.returncode == 1
    assert "there is no" in refused.stderr
    away.rename(scene.database)
    assert scene.finish("abort").returncode == 0
    assert words_in(scene.database) == OLD


def test_a_second_rollback_waits_for_the_first(scene: Scene) -> None:
    with scene.frozen("rollback.stopped"):
        plan = scene.folder / ".app.db-litestreamd"
        until(
            lambda: any('"stopped"' in path.read_text() for path in plan.glob("*/rollback/plan.json")),
            "it is about to exchange",
        )
        assert "is not finished" in scene.roll_back().stderr
        assert "at work" in scene.finish("resume").stderr
        daemon = scene.run("replicate", "-once", "-config", scene.config)
        assert daemon.returncode != 0
        assert "is not finished" in daemon.stderr
    assert scene.finish("resume").returncode == 0
    assert words_in(scene.database) == NEW


def test_a_writer_outside_of_systemd_is_refused(scene: Scene) -> None:
    with closing(sqlite3.connect(scene.database)) as db:
        db.execute("SELECT * FROM t").fetchall()
        done = scene.roll_back()
        assert done.returncode == 75
        assert f"in use outside of systemd, by process {os.getpid()}" in done.stderr
    assert words_in(scene.database) == OLD
    assert not list(scene.folder.glob(".app.db-litestreamd/*/rollback/plan.json"))


def test_what_cannot_be_synced_is_not_rolled_back(scene: Scene) -> None:
    """Somebody else's object has the name of ours."""
    taken = scene.folder / f"replica/ltx/0/{3:016x}-{3:016x}.ltx"
    taken.write_bytes(b"not ours")
    done = scene.roll_back()
    assert done.returncode == 69, done.stderr
    assert "the present could not be synced, so nothing was changed: " in done.stderr
    assert words_in(scene.database) == OLD
    assert not list(scene.folder.glob(".app.db-litestreamd/*/rollback/plan.json"))
    assert not list(scene.folder.glob(".app.db.rollback*"))
    taken.unlink()
    assert scene.roll_back().returncode == 0


def test_what_ctrl_c_leaves_is_what_was_there(scene: Scene) -> None:
    with scene.frozen("rollback.restored") as child:
        until(lambda: list(scene.folder.glob(".app.db.rollback*")), "the restored database is there")
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
    assert not list(scene.folder.glob(".app.db.rollback*"))
    assert "nothing to do" in scene.finish("resume").stderr
    assert words_in(scene.database) == OLD
