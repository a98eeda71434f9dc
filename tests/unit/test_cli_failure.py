"""A unit that failed: the report, the hooks, and that nobody is flooded with them."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from litestreamd.basics.errors import EnvironmentFault, ExitCode
from litestreamd.cli import failure as command
from litestreamd.cli.main import main
from litestreamd.daemon import failure_journal
from litestreamd.daemon.failure_hooks import find_hooks, run_hooks
from litestreamd.daemon.failure_report import Failure, failure_of
from litestreamd.daemon.failure_stamp import PAUSE_S, claim_report, stamp_folder
from litestreamd.daemon.journal_reader import Entry, Match
from litestreamd.daemon.messages import MESSAGE_IDS

UNIT = "litestreamd@app.service"
SHOWN = "Result=exit-code\nExecMainStatus=69\nNRestarts=3\nStatusText=1 database; s3 = behind\n"


def hook(folder: Path, name: str, *lines: str, mode: int = 0o755) -> Path:
    path = folder / name
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(mode)
    return path


def no_library(any_of: list[Match], since_us: int) -> Iterator[Entry]:
    raise EnvironmentFault("neither is installed")


def test_what_systemd_says_becomes_a_report() -> None:
    failure = failure_of(UNIT, SHOWN, {}, ["one", "two"])
    assert failure == Failure(UNIT, "exit-code", "69", "3", "1 database; s3 = behind", ["one", "two"])
    assert failure.instance == "app"
    text = failure.text()
    assert text.startswith(f"{UNIT} failed: it ended with an error (result exit-code, exit status 69)\n")
    for part in ("3 times", "1 database; s3 = behind", "  one\n  two\n", f"journalctl -xu {UNIT}"):
        assert part in text
    assert failure.fields()["MESSAGE_ID"] == MESSAGE_IDS["unit-failed"]
    assert failure.fields()["LITESTREAMD_RESULT"] == "exit-code"


def test_what_was_handed_over_counts_more_than_a_unit_that_runs_again() -> None:
    handed = {"MONITOR_UNIT": UNIT, "MONITOR_SERVICE_RESULT": "watchdog", "MONITOR_EXIT_STATUS": "ABRT"}
    failure = failure_of(UNIT, "Result=success\nExecMainStatus=0\n", handed, [])
    assert (failure.result, failure.exit_status) == ("watchdog", "ABRT")
    other = failure_of(UNIT, SHOWN, handed | {"MONITOR_UNIT": "x.service"}, [])
    assert (other.result, other.exit_status) == ("exit-code", "69")
    assert failure_of(UNIT, "", {}, []).result == "unknown"


@pytest.mark.parametrize(
    ("unit", "instance"),
    [
        ("litestreamd-restore@app.service", "app"),
        ("litestreamd@web@7.service", "web@7"),
        ("litestreamd-verify@a.b.service", "a.b"),
        ("litestreamd-metrics.service", ""),
    ],
)
def test_the_instance_of_a_unit(unit: str, instance: str) -> None:
    assert Failure(unit, "timeout", "0").instance == instance


def test_hooks_run_in_the_order_of_their_names_with_the_report(tmp_path: Path) -> None:
    told = tmp_path / "told"
    for name in ("20-b", "10-a"):
        hook(tmp_path, name, f'echo "$(basename $0) $LITESTREAMD_INSTANCE $LITESTREAMD_RESULT $(cat)" >> {told}')
    assert run_hooks(tmp_path, "report", Failure(UNIT, "signal", "9").environment()) == []
    assert told.read_text() == "10-a app signal report\n20-b app signal report\n"


def test_a_hook_that_fails_hangs_or_cannot_start_does_not_stop_the_others(tmp_path: Path) -> None:
    told, late = tmp_path / "told", tmp_path / "late"
    hook(tmp_path, "1", "exit 3")
    hook(tmp_path, "2", "(sleep 600; touch " + str(late) + ") &", "wait")
    hook(tmp_path, "3").write_text("#!/no/such/shell\n")
    hook(tmp_path, "4", f"touch {told}")
    faults = run_hooks(tmp_path, "report", {}, limit_s=0.3)
    assert [fault.partition(str(tmp_path) + "/")[2] for fault in faults] == [
        "1 ended with 3",
        "2 did not end within 0.3 s and was killed",
        "3 cannot be run: No such file or directory",
    ]
    assert told.exists()


def test_a_hook_that_ignores_the_signal_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litestreamd.daemon.failure_hooks._GRACE_S", 0.2)
    hook(tmp_path, "1", "trap '' TERM", "while :; do sleep 0.05; done")
    began = time.monotonic()
    assert "was killed" in run_hooks(tmp_path, "", {}, limit_s=0.3)[0]
    assert time.monotonic() - began < 30


def test_a_hook_need_not_read_the_report(tmp_path: Path) -> None:
    hook(tmp_path, "1", "exec true")
    assert run_hooks(tmp_path, "x" * 1_000_000, {}) == []


def test_only_what_is_meant_to_run_is_a_hook(tmp_path: Path) -> None:
    wanted = hook(tmp_path, "mail")
    hook(tmp_path, "off", mode=0o644)
    for name in (".hidden", "mail~", "mail.dpkg-old", "mail.rpmsave"):
        hook(tmp_path, name)
    (tmp_path / "folder").mkdir()
    assert find_hooks(tmp_path) == [wanted]
    assert find_hooks(tmp_path / "missing") == []


def test_one_report_in_ten_minutes_for_each_unit(tmp_path: Path) -> None:
    now = 1_700_000_000.0
    assert claim_report(tmp_path, UNIT, now)
    assert not claim_report(tmp_path, UNIT, now + PAUSE_S - 1)
    assert claim_report(tmp_path, "litestreamd@b.service", now + 1)
    assert claim_report(tmp_path, UNIT, now + PAUSE_S)
    assert claim_report(tmp_path, UNIT, now), "the clock was set back: no reason to be silent"
    assert claim_report(None, UNIT, now)


def test_where_the_stamps_are() -> None:
    assert stamp_folder({"RUNTIME_DIRECTORY": "/run/a", "STATE_DIRECTORY": "/b"}) == Path("/run/a")
    assert stamp_folder({"STATE_DIRECTORY": "/b:/c"}) == Path("/b")
    assert stamp_folder({}) is None


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Without a systemd and without libraries it still reports, on stderr, and runs the hooks."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(failure_journal, "journal", None)
    monkeypatch.setattr(failure_journal, "read_journal", no_library)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    hook(hooks, "a", "echo ran", "exit 1")
    assert main(["failure", "-hooks", str(hooks), UNIT]) == ExitCode.FAILED
    out, err = capfd.readouterr()
    assert out == "ran\n"
    assert err.startswith(f"<3>{UNIT} failed: ")
    assert f"the hook {hooks}/a ended with 1" in err
    assert main(["failure", "-hooks", str(hooks), UNIT]) == ExitCode.OK
    assert "less than ten minutes ago" in capfd.readouterr().out


def test_a_path_is_no_unit(capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("../../etc/x", ".x"):
        assert main(["failure", word]) == ExitCode.USAGE
        assert f"{word} is no unit" in capsys.readouterr().err


def test_an_entry_has_the_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, dict[str, object]]] = []
    journal = SimpleNamespace(send=lambda text, **fields: sent.append((text, fields)))
    monkeypatch.setattr(failure_journal, "journal", journal)
    failure = Failure(UNIT, "timeout", "15")
    failure_journal.write_entry(failure.text(), failure.fields())
    ((text, fields),) = sent
    assert text == failure.text()
    assert fields["PRIORITY"] == 3
    assert fields["MESSAGE_ID"] == MESSAGE_IDS["unit-failed"]
    assert fields["LITESTREAMD_UNIT"] == UNIT


def test_the_last_lines_are_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def entries(any_of: list[Match], since_us: int) -> Iterator[Entry]:
        assert ("_SYSTEMD_UNIT", UNIT) in any_of
        assert 0 < since_us < time.time_ns() // 1000
        yield from (Entry(number, {"MESSAGE": text}) for number, text in enumerate(("old", "new", "two\nlines")))

    monkeypatch.setattr(failure_journal, "read_journal", entries)
    assert failure_journal.last_lines(UNIT, 2) == ["new", "two lines"]


def test_a_journal_that_cannot_be_read_is_no_reason_to_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(any_of: list[Match], since_us: int) -> Iterator[Entry]:
        raise PermissionError

    for reader in (refuse, no_library):
        monkeypatch.setattr(failure_journal, "read_journal", reader)
        assert failure_journal.last_lines(UNIT, 2) == []


def test_systemctl_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hook(tmp_path, "systemctl", 'echo "Result=$1 $2 $3 $4"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert command._shown(UNIT).startswith("Result=show --property=Result,ExecMainStatus,NRestarts,StatusText -- ")
