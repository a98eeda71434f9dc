"""`status`: what it prints of a daemon that runs, of one that is dead, of one that never ran; and its exit codes."""

import json
from pathlib import Path

import pytest

from litestreamd.basics.errors import ExitCode
from litestreamd.cli import status as module
from litestreamd.cli.main import main
from litestreamd.cli.running import Daemon
from tests.support.statuses import database, document, replica

ILL = {"class": "StoreMissing", "text": "is the disk mounted?", "since_ms": 1_800_000_000_000}


@pytest.fixture
def health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "health.json"
    monkeypatch.setattr(module, "find_daemon", lambda *_: Daemon(tmp_path / "none.sock", path))
    return path


def answers(monkeypatch: pytest.MonkeyPatch, **changed: object) -> None:
    monkeypatch.setattr(module, "ask", lambda *_, **__: (200, document(**changed)))


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("stale", 2), ("failing", 3)])
def test_the_exit_code_is_the_health(
    health: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], state: str, code: int
) -> None:
    answers(monkeypatch, health=state)
    assert main(["status", "app"]) == code
    text = capsys.readouterr().out
    assert "/var/lib/app/app.db" in text and "watched" in text and "in sync" in text and "500ms, 300 B" in text


def test_trouble_is_told_in_a_line_each(
    health: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ill = database(replicas=[replica(state="failing", error=ILL, fence="weak"), replica(name="other")])
    answers(monkeypatch, health="failing", databases=[ill], reload_error="line 3 is wrong")
    assert main(["status", "app"]) == ExitCode.FAILING
    text = capsys.readouterr().out
    assert "/var/lib/app/app.db, s3: is the disk mounted? (since " in text
    assert "weak fence" in text
    assert "the configuration was not reloaded: line 3 is wrong" in text


def test_a_dead_daemon_is_told_by_what_it_left(health: Path, capsys: pytest.CaptureFixture[str]) -> None:
    health.write_text(json.dumps(document()))
    assert main(["status", "-json", "app"]) == ExitCode.FAILING
    told = capsys.readouterr()
    assert json.loads(told.out)["running"] is False
    assert "does not run" in told.err


def test_one_that_never_ran(health: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "app"]) == ExitCode.FAILING
    assert "no daemon listens on" in capsys.readouterr().err


def test_a_broken_health_file_is_an_error(health: Path, capsys: pytest.CaptureFixture[str]) -> None:
    health.write_text("{")
    assert main(["status", "app"]) == ExitCode.FAILED
    assert "cannot be read" in capsys.readouterr().err
