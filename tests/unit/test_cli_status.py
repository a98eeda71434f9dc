"""`status`: what it prints of a daemon that runs, of one that is dead, of one that never ran; and its exit codes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from litestreamd.basics.errors import EnvironmentFault, ExitCode
from litestreamd.cli import status as command
from litestreamd.cli import status_sources as sources
from litestreamd.cli import status_watch
from litestreamd.cli.main import main
from litestreamd.cli.running import Daemon
from litestreamd.daemon.instances import Instances
from tests.support.statuses import database, document, replica

ILL = {"class": "StoreMissing", "text": "is the disk mounted?", "since_ms": 1_800_000_000_000}
NOW_MS = 1_800_000_180_100


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: NOW_MS * 1_000_000)


@pytest.fixture
def health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "health.json"
    monkeypatch.setattr(command, "find_daemon", lambda *_: Daemon(tmp_path / "none.sock", path))
    return path


def answers(monkeypatch: pytest.MonkeyPatch, **changed: object) -> None:
    monkeypatch.setattr(sources, "ask", lambda *_, **__: (200, document(**changed)))


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("stale", 2), ("failing", 3)])
def test_the_exit_code_is_the_health(
    health: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], state: str, code: int
) -> None:
    answers(monkeypatch, health=state)
    assert main(["status", "app"]) == code
    text = capsys.readouterr().out
    assert text.startswith(f"app: {state} (")
    assert "/var/lib/app/app.db: watched, " in text and "in sync" in text and "500ms, 300 B" in text
    assert "spool 1 file, 300 B of 1.0 GiB" in text
    assert "2027-01-14T04:13:20.000Z  2027-01-15T08:00:00.000Z" in text  # the window


def test_a_refused_configuration_is_not_well(
    health: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers(monkeypatch, health="ok", reload_error="line 3 is wrong")
    assert main(["status", "app"]) == ExitCode.FAILING
    assert "the configuration was not reloaded: line 3 is wrong" in capsys.readouterr().out


def test_trouble_is_told_in_a_line_each(
    health: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ill = database(replicas=[replica(state="failing", error=ILL, fence="weak"), replica(name="other")])
    answers(monkeypatch, health="failing", databases=[ill], reload_error="line 3 is wrong")
    assert main(["status", "app"]) == ExitCode.FAILING
    text = capsys.readouterr().out
    assert "  s3: is the disk mounted? (for 3m)\n" in text
    assert "  s3: weak fence" in text
    assert "the configuration was not reloaded: line 3 is wrong" in text


@pytest.mark.parametrize(("own", "told"), [
    ({}, "ok 11d"),
    ({"verified": None}, "never"),
    ({"verified": {"ok": False, "at_ms": NOW_MS - 3_600_000, "error": "page 7"}}, "FAILED 1h ago"),
])  # fmt: skip
def test_the_last_drill_of_the_replica_counts(
    health: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own: dict[str, Any], told: str
) -> None:
    answers(monkeypatch, databases=[database(replicas=[replica(**own)])])
    assert main(["status", "app"]) == ExitCode.OK
    text = capsys.readouterr().out
    assert told in text
    assert ("  s3: the drill failed 1h ago: page 7\n" in text) == ("FAILED" in told)


def test_of_a_database_its_own_health_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_daemon", lambda *_: Daemon(tmp_path / "none.sock", None, "/b.db"))
    ill = database(path="/a.db", state="failing", error=ILL)
    answers(monkeypatch, health="failing", databases=[ill, database(path="/b.db")])
    assert main(["status", "/b.db"]) == ExitCode.OK
    assert "/a.db" not in capsys.readouterr().out
    monkeypatch.setattr(command, "find_daemon", lambda *_: Daemon(tmp_path / "none.sock", None, "/c.db"))
    assert main(["status", "/c.db"]) == ExitCode.USAGE
    assert "/c.db is not protected by this daemon; it has: /a.db, /b.db" in capsys.readouterr().err


def test_what_would_steer_a_terminal_does_not_get_there(
    health: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = {**ILL, "text": "\x1b]0;owned\x07 no room"}
    answers(monkeypatch, health="failing", databases=[database(state="failing", error=evil)])
    assert main(["status", "app"]) == ExitCode.FAILING
    assert "?]0;owned? no room (for 3m)" in capsys.readouterr().out


def test_a_dead_daemon_is_told_by_what_it_left(health: Path, capsys: pytest.CaptureFixture[str]) -> None:
    health.write_text(json.dumps(document()))
    assert main(["status", "-json", "app"]) == ExitCode.FAILING
    told = capsys.readouterr()
    assert json.loads(told.out)["running"] is False
    assert "does not run: this is what it said 3m ago" in told.err


def test_one_that_never_ran(health: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "app"]) == ExitCode.FAILING
    assert "no daemon listens on" in capsys.readouterr().err


def test_a_broken_health_file_is_an_error(health: Path, capsys: pytest.CaptureFixture[str]) -> None:
    health.write_text("{")
    assert main(["status", "app"]) == ExitCode.FAILED
    assert "cannot be read" in capsys.readouterr().err


# All instances of a machine


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where instances leave their health; none of them runs."""
    monkeypatch.setattr(sources, "Instances", lambda: Instances(tmp_path / "run", tmp_path))
    return tmp_path


def left(machine: Path, name: str, text: str) -> None:
    (machine / name).mkdir()
    (machine / name / "health.json").write_text(text)


def test_all_instances_and_the_worst_code(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    left(machine, "dead", json.dumps(document(instance="dead")))
    left(machine, "mad", json.dumps({"databases": [{"path": "/x"}]}))
    left(machine, "broken", "{")
    assert main(["status"]) == ExitCode.FAILING
    told = capsys.readouterr()
    assert [line for line in told.out.splitlines() if not line.startswith((" ", "/"))] == [
        "broken: not known",
        "dead: does not run (litestreamd 0.1.0, pid 7)",
        "mad: not known",
    ]
    assert "dead: the daemon does not run: this is what it said 3m ago" in told.err
    assert "broken: the daemon does not run or does not answer, and has left nothing" in told.err
    main(["status", "-json"])
    assert [(each["instance"], each["running"]) for each in json.loads(capsys.readouterr().out)] == [
        ("broken", False), ("dead", False), ("mad", False),
    ]  # fmt: skip


def test_the_worst_of_those_that_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = [document(instance="a", dead=False), document(instance="b", health="stale", dead=False)]
    monkeypatch.setattr(Instances, "documents", lambda _: [dict(each) for each in found])
    assert main(["status"]) == ExitCode.STALE
    assert "a: ok (" in capsys.readouterr().out
    found[0]["health"] = "failing"
    assert main(["status"]) == ExitCode.FAILING


def test_a_machine_without_instances(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == ExitCode.USAGE
    assert "no instance runs on this machine" in capsys.readouterr().err
    assert main(["status", "-socket", "/x"]) == ExitCode.USAGE


# -watch


class Looks:
    """One after the other; then Ctrl-C."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *found: dict[str, Any] | Exception) -> None:
        self._found: Iterator[dict[str, Any] | Exception] = iter((found[0], *found))  # the first look is a check
        self.pauses: list[float] = []
        monkeypatch.setattr(sources, "ask", self._ask)
        monkeypatch.setattr(status_watch.time, "sleep", self.pauses.append)

    def _ask(self, *_: object, **__: object) -> tuple[int, dict[str, Any]]:
        found = next(self._found, None)
        if found is None:
            raise KeyboardInterrupt
        if isinstance(found, Exception):
            raise found
        return 200, found


def test_a_line_for_each_change(
    health: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ill = document(health="failing", databases=[database(replicas=[replica(state="failing", error=ILL)])])
    less = document(databases=[])
    looks = Looks(monkeypatch, document(), document(), ill, EnvironmentFault("it hangs"), less)
    assert main(["status", "-watch", "app"]) == ExitCode.OK
    at = "2027-01-15T08:03:00.100Z"
    assert capsys.readouterr().out.splitlines() == [
        f"{at} app: ok",
        f"{at} /var/lib/app/app.db: watched, TXID 000000000000000d",
        f"{at} /var/lib/app/app.db, s3: in sync, TXID 000000000000000c",
        f"{at} app: failing",
        f"{at} /var/lib/app/app.db, s3: failing, TXID 000000000000000c: is the disk mounted?",
        f"{at} status: it hangs",
        f"{at} app: ok",
        f"{at} /var/lib/app/app.db: gone",
        f"{at} /var/lib/app/app.db, s3: gone",
        f"{at} status: answers again",
    ]
    assert looks.pauses == [2.0] * 5


def test_a_terminal_is_drawn_anew(
    health: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Looks(monkeypatch, document(), document(databases=[]))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["status", "-watch", "app"]) == ExitCode.OK
    first, second = capsys.readouterr().out.split("\x1b[H")[1:]
    assert "in sync" in first and "in sync" not in second
    assert all(line.endswith("\x1b[K") for line in first.splitlines()[:-1])
    assert second.endswith("\x1b[J")


@pytest.mark.parametrize("other", ["-json", "-remote"])
def test_watch_goes_with_neither(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "-watch", other, "app"]) == ExitCode.USAGE
    assert f"-watch and {other} exclude each other" in capsys.readouterr().err


def test_nonsense_of_one_instance_is_no_traceback(
    machine: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left(machine, "mad", json.dumps({"databases": [], "health": 3, "now_ms": "soon"}))
    assert main(["status"]) == ExitCode.FAILING
    assert "mad: what it says makes no sense to this version\n" in capsys.readouterr().out
    Looks(monkeypatch, {"instance": "mad", "health": "ok", "databases": [{"path": "/x"}]})
    monkeypatch.setattr(command, "find_daemon", lambda *_: Daemon(machine / "none.sock", None))
    assert main(["status", "-watch", "mad"]) == ExitCode.OK
    assert " mad: ok\n" in capsys.readouterr().out
    Looks(monkeypatch, {"instance": "mad", "databases": [{"path": "/x"}]})
    monkeypatch.setattr(command, "find_daemon", lambda *_: Daemon(machine / "none.sock", None, "/x"))
    assert main(["status", "/x"]) == ExitCode.FAILED
    assert "makes no sense to this version" in capsys.readouterr().err
