"""The program as its callers see it: exit codes, what goes to stdout, what to stderr."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from litestreamd import __version__
from litestreamd.basics.errors import ExitCode
from litestreamd.cli import main as cli
from litestreamd.cli import version
from litestreamd.cli.command import Command
from litestreamd.cli.options import Arguments
from tests.support.programs import environment

CONFIG = "dbs: [{path: /data/app.db, replica: {path: /backup/app}}]\n"


def run(*words: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """`python -m litestreamd WORDS` with a clean environment."""
    command = [sys.executable, "-m", "litestreamd", *words]
    return subprocess.run(command, env=environment(**extra), capture_output=True, text=True, check=False, timeout=60)


def test_version() -> None:
    for words in (("version",), ("-version",), ("--version",)):
        done = run(*words)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"{__version__}\n", "")
    assert f"Version:  {__version__}\nPython:" in run("version", "-verbose").stdout


def test_the_version_needs_no_library() -> None:
    """It must answer at once, and when a library is missing."""
    code = "import sys; from litestreamd.cli.main import main; main(['version']); print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    modules = set(done.stdout.splitlines()[1].split())
    assert not modules & {"yaml", "apsw", "lz4", "numpy", "litestreamd.replica", "litestreamd.config"}


@pytest.mark.parametrize("words", [["-h"], ["-help"], ["--help"], ["help"]])
def test_help_lists_every_command(words: list[str]) -> None:
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("replicate", "restore", "databases", "ltx", "version"):
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize("name", ["databases", "ltx", "version"])
def test_help_of_a_command(name: str) -> None:
    texts = {run(*words).stdout for words in ([name, "-h"], ["help", name], [name, "x", "y", "--help"])}
    assert len(texts) == 1
    text = texts.pop()
    assert f"Usage:\n  litestreamd {name} [options]" in text
    assert all(len(line) <= 80 for line in text.splitlines())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["databasse"], "unknown command databasse (did you mean databases?); litestreamd -h lists them"),
        (["help", "vrsion"], "unknown command vrsion (did you mean version?); litestreamd -h lists them"),
        (["-config", "x", "ltx"], "the command comes first, then its options: litestreamd COMMAND -config"),
        (["ltx", "-lvel", "3", "x"], "unknown option -lvel (did you mean -level?)"),
        (["ltx"], "an argument is missing: litestreamd ltx [options] DATABASE|INSTANCE|REPLICA_URL"),
        (["version", "x"], "'x' is one argument too many: litestreamd version [options]"),
        (["ltx", "-level", "10", "file:///x"], "-level: '10' is not one of 0 to 9, or all"),
    ],
)
def test_a_wrong_command_line_is_exit_64_and_one_line(words: list[str], sentence: str) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr == f"litestreamd: error: {sentence}\n"


def test_without_a_word_the_usage_is_an_error() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert "Commands:" in done.stderr


def test_a_bad_configuration_is_exit_78_and_a_line_for_each_fault(tmp_path: Path) -> None:
    path = tmp_path / "app.yml"
    path.write_text("adrr: x\n" + CONFIG + "exec: [x]\n")
    done = run("databases", "-config", str(path))
    assert done.returncode == ExitCode.CONFIG
    first, second = done.stderr.splitlines()
    assert first == f"litestreamd: error: {path}:1:1: unknown key adrr (did you mean addr?)"
    assert second.startswith(f"litestreamd: error: {path}:3:7: ")


def test_databases(tmp_path: Path) -> None:
    path = tmp_path / "app.yml"
    path.write_text(
        "dbs:\n"
        "  - {path: /data/app.db, replica: {path: /backup/app, name: x}}\n"
        "  - {path: /data/b.db, replicas: [{path: /backup/b}, {path: /nas/b, name: nas}]}\n"
    )
    done = run("databases", LITESTREAM_CONFIG=str(path))
    assert done.stdout == "path          replica\n/data/app.db  file\n/data/b.db    file,nas\n"
    done = run("databases", "-json", "--config", str(path))
    assert json.loads(done.stdout) == [
        {"path": "/data/app.db", "replica": "file"},
        {"path": "/data/b.db", "replica": "file,nas"},
    ]


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "app.yml"
    entries = "".join(f"  - {{path: /data/{n}.db, replica: {{path: /backup/{n}}}}}\n" for n in range(5000))
    path.write_text("dbs:\n" + entries)
    command = [sys.executable, "-m", "litestreamd", "databases", "-config", str(path)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(60) == ExitCode.FAILED


def carried_out(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code when a command raises `error`."""

    def fail(_: Arguments) -> ExitCode:
        raise error

    command = Command("version", "", ("[options]",), (), fail)
    monkeypatch.setattr(version, "COMMAND", command)
    return cli.main(["version"])


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, ExitCode.RIGHTS),
        (errno.EPERM, ExitCode.RIGHTS),
        (errno.EROFS, ExitCode.RIGHTS),
        (errno.ENOSPC, ExitCode.FAILED),
    ],
)
def test_an_error_of_the_system_names_the_file(
    number: int, code: ExitCode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = OSError(number, "it says no", "/data/app.db")
    assert carried_out(error, monkeypatch) == code
    assert capsys.readouterr().err == "litestreamd: error: /data/app.db: it says no\n"


def test_an_interrupt_is_130_and_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    assert carried_out(KeyboardInterrupt(), monkeypatch) == 130
    with pytest.raises(ZeroDivisionError):
        carried_out(ZeroDivisionError(), monkeypatch)


def test_restore_has_a_name_of_its_own(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["litestreamd-restore", "-nonsense", "x"])
    assert cli.run_restore() == ExitCode.USAGE
    assert capsys.readouterr().err.startswith("litestreamd: error: unknown option -nonsense")


def test_every_command_is_what_the_list_says() -> None:
    for name in cli.COMMANDS:
        command = cli.load(name)
        assert command.name == name
        assert command.summary == cli.COMMANDS[name]
