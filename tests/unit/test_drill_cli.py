"""`litestreamd verify DATABASE` as it is called: the daemon that is asked, exit codes, what is printed and kept."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from litestreamd.cli import drill_barrier
from litestreamd.cli.main import main
from litestreamd.database import scratch
from litestreamd.database.state_paths import state_directory
from litestreamd.database.verified import load_verified
from tests.support import folder_listing
from tests.support.control_double import Answers, ControlDouble
from tests.support.driving import Drive
from tests.support.histories import damage, flip
from tests.support.live import App, create
from tests.support.programs import TREE, environment
from tests.support.waiting import until

OK, FAILED, USAGE, DAMAGED, UNREACHABLE, BUSY = 0, 1, 64, 65, 69, 75


@dataclass
class Done:
    """What one call did."""

    code: int
    out: str
    err: str

    @property
    def entry(self) -> dict[str, Any]:
        (found,) = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class Stage:
    """A database and its replica, left by a daemon that has ended; its application is still there."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], rows: int) -> None:
        self.folder, self._capsys = folder, capsys
        self.path, self.root, self.config = folder / "app.db", folder / "r0", folder / "litestream.yml"
        self.root.mkdir()
        create(self.path, rows=rows)
        self.state = state_directory(self.path, None, self.config)
        self.app = App(self.path)
        drive = Drive(self.path, self.root, state=self.state).settle()
        drive.stop()
        self.head = folder_listing.head(self.root)
        self.write_config(self.root)

    def write_config(self, *roots: Path) -> None:
        replicas = [{"type": "file", "name": root.name, "path": str(root)} for root in roots]
        database = {"path": str(self.path), "replicas": replicas}
        self.config.write_text(json.dumps({"dbs": [database]}))

    def verify(self, *words: object) -> Done:
        code = main(["verify", "-config", str(self.config), *map(str, words), str(self.path)])
        captured = self._capsys.readouterr()
        assert not list(self.state.glob("scratch-*"))
        return Done(code, captured.out, captured.err)

    def verify_with(self, answers: Answers, *words: object) -> tuple[Done, list[tuple[str, str, dict[str, Any]]]]:
        """With a daemon that answers so."""
        socket = self.folder / "control.sock"
        with ControlDouble(socket, answers) as double:
            return self.verify("-socket", socket, *words), double.asked

    def synced(self, txid: int | None, status: int = 200, **replicas: int) -> Answers:
        """What a daemon says to /sync."""
        entry = {"path": str(self.path), "txid": txid, "error": None, "replicas": replicas}
        return lambda method, route, body: (status, {"databases": [entry], "duration_ms": 1})


@pytest.fixture
def stage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """Its parameter: how many rows the database has."""
    monkeypatch.delenv("LITESTREAM_CONFIG", raising=False)
    before = signal.getsignal(signal.SIGTERM)
    made = Stage(tmp_path, capsys, rows=getattr(request, "param", 100))
    yield made
    made.app.kill()
    signal.signal(signal.SIGTERM, before)


def test_a_sound_and_equal_backup(stage: Stage) -> None:
    done = stage.verify()
    assert (done.code, done.err) == (OK, "")
    first, second = done.out.splitlines()
    assert first.startswith(f"replica r0: TXID {stage.head:016x} is sound, ")
    assert first.endswith("proven by the database checksum and an integrity check")
    assert second == "replica r0: equal to the live database"
    record = load_verified(stage.state)
    assert record
    assert (record.ok, record.txid, record.replica, record.error, record.live) == (
        True,
        stage.head,
        "r0",
        None,
        "equal",
    )
    assert record.last_ok_ms == record.at_ms


def test_as_json(stage: Stage) -> None:
    entry = stage.verify("-json").entry
    assert (entry["db"], entry["replica"], entry["sound"]) == (str(stage.path), "r0", True)
    assert (entry["txid"], entry["proof"]) == (f"{stage.head:016x}", "database-checksum")
    assert (entry["live"], entry["live_text"], entry["different"], entry["damaged"]) == ("equal", None, [], [])


def test_the_daemon_is_asked_for_a_barrier(stage: Stage) -> None:
    done, asked = stage.verify_with(stage.synced(stage.head, r0=stage.head), "-json")
    assert (done.code, done.entry["live"]) == (OK, "equal")
    assert asked == [("POST", "/sync", {"db": str(stage.path), "replica": "r0", "timeout_s": drill_barrier.PATIENCE_S})]


def test_what_the_daemon_never_captured_is_a_difference(stage: Stage) -> None:
    stage.app.write("UPDATE t SET b = randomblob(400) WHERE id = 50")
    done, _ = stage.verify_with(stage.synced(stage.head, r0=stage.head))
    assert done.code == DAMAGED
    assert "different from the live database: page" in done.out
    record = load_verified(stage.state)
    assert record
    assert (record.ok, record.live, record.last_ok_ms) == (False, "different", None)


def test_without_a_daemon_the_same_is_only_told(stage: Stage) -> None:
    stage.app.write("UPDATE t SET b = randomblob(400) WHERE id = 50")
    (stage.folder / "none.sock").touch()
    for words in ([], ["-socket", stage.folder / "nowhere.sock"]):
        done = stage.verify(*words)
        assert done.code == OK
        assert "not compared with the live database: no daemon answers, and " in done.out


def test_a_database_that_the_daemon_does_not_protect(stage: Stage) -> None:
    done, _ = stage.verify_with(lambda *_: (404, {"error": "it is paused"}), "-json")
    assert (done.code, done.entry["live"]) == (OK, "equal")


def test_a_replica_that_does_not_get_it_in_time(stage: Stage) -> None:
    done, _ = stage.verify_with(stage.synced(stage.head + 1, 504, r0=stage.head))
    assert done.code == UNREACHABLE
    assert f"did not get TXID {stage.head + 1:016x} within 60 s: it has TXID {stage.head:016x}" in done.err
    record = load_verified(stage.state)
    assert record
    assert (record.ok, record.txid) == (False, None)


def test_another_replica_that_is_behind_is_no_reason(stage: Stage) -> None:
    done, _ = stage.verify_with(stage.synced(stage.head, 504, r0=stage.head, s3=1), "-json")
    assert (done.code, done.entry["live"]) == (OK, "equal")


def test_a_daemon_that_cannot_capture(stage: Stage) -> None:
    entry = {"path": str(stage.path), "txid": None, "error": "the disk is full", "replicas": {"r0": 1}}
    done, _ = stage.verify_with(lambda *_: (504, {"databases": [entry]}))
    assert (done.code, "the daemon cannot take what was committed: the disk is full" in done.err) == (FAILED, True)


def test_damage_counts_more_than_what_is_away(stage: Stage) -> None:
    stage.write_config(stage.folder / "unmounted/first", stage.root)
    assert stage.verify().code == UNREACHABLE
    (newest,) = (stage.root / "ltx/9").iterdir()
    damage(newest, flip(400))
    done = stage.verify("-json")
    assert done.code == DAMAGED
    assert [(entry["replica"], entry["sound"]) for entry in json.loads(done.out)] == [("r0", False), ("first", None)]
    record = load_verified(stage.state)
    assert record
    assert (record.ok, record.replica) == (False, "first")


def test_every_object_is_read_when_asked(stage: Stage) -> None:
    assert stage.verify("-all", "-json").entry["objects_read"] == len(folder_listing.objects(stage.root))


def test_the_live_database_is_left_alone_when_asked(stage: Stage) -> None:
    done = stage.verify("-no-live")
    assert done.code == OK
    assert done.out.splitlines()[1] == "replica r0: not compared with the live database: -no-live was given"


def test_another_place_for_scratch(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    assert stage.verify("-scratch", tmp_path / "scratch").code == OK
    assert list((tmp_path / "scratch").iterdir()) == []
    done = stage.verify("-scratch", tmp_path / "nowhere")
    assert (done.code, "is not a folder" in done.err) == (USAGE, True)
    code = main(["verify", "-scratch", str(tmp_path), f"file://{stage.root}"])
    assert code == USAGE


def test_no_room(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "free_bytes", lambda folder: 1000)
    done = stage.verify()
    assert done.code == FAILED
    assert done.err.count("\n") == 1
    assert "has 1000 B free and the database needs" in done.err


def test_the_database_is_gone(stage: Stage) -> None:
    stage.app.close()
    stage.path.unlink()
    done = stage.verify()
    assert done.code == OK
    assert f"not compared with the live database: there is no live database at {stage.path}" in done.out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("stage", [40_000], indirect=True)
def test_scratch_is_removed_when_it_is_stopped(stage: Stage, number: signal.Signals) -> None:
    line = [sys.executable, "-m", "litestreamd", "verify", "-parallelism", "1", "-config", stage.config, stage.path]
    silent = subprocess.DEVNULL
    with subprocess.Popen(line, cwd=TREE, env=environment(), stdout=silent, stderr=silent) as process:
        until(lambda: list(stage.state.glob("scratch-*/.*.restoring")) or process.poll() is not None, "it writes", 60)
        assert process.poll() is None, "it ended before it was stopped"
        os.kill(process.pid, number)
    left = list(stage.state.glob("scratch-*"))
    if number is signal.SIGKILL:
        assert left
        assert stage.verify().code == OK  # which sees that nothing is left
    else:
        assert left == []
        assert process.returncode != OK
