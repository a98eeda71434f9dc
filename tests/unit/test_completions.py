"""Completions of the shells: what is shipped is what the program says today, and real shells complete with it."""

import os
import pty
import runpy
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from litestreamd.cli import main as cli
from tests.support.programs import TREE

FOLDER = TREE / "packaging" / "completions"
BASH = r"""
source "$1/litestreamd.bash"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_litestreamd 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
"""
ZSH = """
fpath=({folder} $fpath)
autoload -U compinit && compinit -u -D
bindkey '^I' complete-word
show() {{ print -r -- "BUFFER=[$BUFFER]"; exit }}
zle -N show && bindkey '^X' show
PS1='re''ady> '
"""


def shell(name: str) -> str:
    if (found := shutil.which(name)) is None:
        pytest.skip(f"{name} is missing: apt-get install {name}")
    return found


def run(*words: str | Path, home: Path) -> str:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_shipped_is_what_the_program_says() -> None:
    for name, write in runpy.run_path(str(FOLDER / "generate.py"))["WRITTEN"].items():
        assert (FOLDER / name).read_text() == write(), f"{name}: run packaging/completions/generate.py"


CASES = [
    ("litestreamd re", {"replicate", "restore"}),
    ("litestreamd restore -ti", {"-timestamp", "-timeout"}),
    ("litestreamd restore --integ", {"--integrity-check"}),
    ("litestreamd-restore -integrity-check f", {"full"}),
    ("litestreamd ltx -level a", {"all"}),
    ("litestreamd ", set(cli.COMMANDS)),
]


@pytest.mark.parametrize(("line", "wanted"), CASES)
def test_bash(line: str, wanted: set[str], tmp_path: Path) -> None:
    told = run(shell("bash"), "-c", BASH, "bash", FOLDER, *line.split(" "), home=tmp_path)
    assert set(told.split()) == wanted


@pytest.mark.parametrize(("line", "wanted"), CASES)
def test_fish(line: str, wanted: set[str], tmp_path: Path) -> None:
    script = f'source "{FOLDER}/litestreamd.fish"; complete -C "{line}"'
    told = run(shell("fish"), "--no-config", "-c", script, home=tmp_path)
    assert {each.split("\t")[0] for each in told.splitlines()} == wanted


INSTANCES = [("litestreamd status ", {"app", "shop"}), ("litestreamd-restore sh", {"shop"})]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The completions as they would be on a machine with two instances."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "home").mkdir()
    for name in ("app.yml", "shop.yml", "notes.txt"):
        (tmp_path / "etc" / name).touch()
    for path in FOLDER.iterdir():
        text = path.read_text()
        if path.suffix != ".py":
            assert "/etc/litestreamd/*.yml" in text
            (tmp_path / path.name).write_text(text.replace("/etc/litestreamd", f"{tmp_path}/etc"))
    return tmp_path


@pytest.mark.parametrize(("line", "wanted"), INSTANCES)
def test_bash_knows_the_instances(line: str, wanted: set[str], folder: Path) -> None:
    script = 'cd "$HOME"\n' + BASH
    assert (
        set(run(shell("bash"), "-c", script, "bash", folder, *line.split(" "), home=folder / "home").split()) == wanted
    )


@pytest.mark.parametrize(("line", "wanted"), INSTANCES)
def test_fish_knows_the_instances(line: str, wanted: set[str], folder: Path) -> None:
    script = f'cd "{folder}/home"; source "{folder}/litestreamd.fish"; complete -C "{line}"'
    told = run(shell("fish"), "--no-config", "-c", script, home=folder / "home")
    assert {each.split("\t")[0] for each in told.splitlines()} == wanted


@pytest.mark.parametrize(
    ("line", "whole"),
    [("litestreamd status sh", "litestreamd status shop "), ("litestreamd-restore a", "litestreamd-restore app ")],
)
def test_zsh_knows_the_instances(line: str, whole: str, folder: Path) -> None:
    assert completed_by_zsh(line, folder, folder / "home") == whole


@pytest.mark.parametrize(
    ("line", "wanted"), [("litestreamd status -config fi", "file 1.yml"), ("litestreamd status fi", "file 1.yml")]
)
def test_files_are_completed(line: str, wanted: str, tmp_path: Path) -> None:
    (tmp_path / "file 1.yml").touch()
    script = 'cd "$HOME"\n' + BASH
    assert run(shell("bash"), "-c", script, "bash", FOLDER, *line.split(" "), home=tmp_path).splitlines() == [wanted]
    script = f'cd "{tmp_path}"; source "{FOLDER}/litestreamd.fish"; complete -C "{line}"'
    told = run(shell("fish"), "--no-config", "-c", script, home=tmp_path)
    assert [each.split("\t")[0].replace("\\", "") for each in told.splitlines()] == [wanted]


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("litestreamd repl", "litestreamd replicate "),
        ("litestreamd restore -integ", "litestreamd restore -integrity-check "),
        ("litestreamd-restore -integrity-check f", "litestreamd-restore -integrity-check full "),
        ("litestreamd ltx -level a", "litestreamd ltx -level all "),
    ],
)
def test_zsh(line: str, whole: str, tmp_path: Path) -> None:
    assert completed_by_zsh(line, FOLDER, tmp_path) == whole
    run(shell("zsh"), "-n", FOLDER / "_litestreamd", home=tmp_path)


def completed_by_zsh(line: str, folder: Path, home: Path) -> str:
    """The line after the tabulator, at a prompt in `home`: its completion runs nowhere else."""
    path = shell("zsh")
    (home / ".zshrc").write_text(ZSH.format(folder=folder) + f"cd '{home}'\n")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(path, ["zsh", "-d", "-i"], {"PATH": "/usr/bin:/bin", "ZDOTDIR": str(home), "TERM": "dumb"})
    try:
        read_until(terminal, "ready> ")
        os.write(terminal, f"{line}\t\x18".encode())
        return read_until(terminal, "]\r\n").partition("BUFFER=[")[2].partition("]")[0]
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)


def read_until(terminal: int, mark: str, deadline_s: float = 60.0) -> str:
    seen, end = "", time.monotonic() + deadline_s
    while mark not in seen:
        assert select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0], seen
        seen += os.read(terminal, 4096).decode()
    return seen


def test_they_are_installed_where_the_shells_look(tmp_path: Path) -> None:
    for _ in range(2):  # again into the same tree, as `make install` may be run again
        subprocess.run([TREE / "packaging" / "completions.sh", tmp_path], check=True, timeout=60)
    files = {str(path.relative_to(tmp_path / "usr/share")) for path in tmp_path.rglob("*") if not path.is_dir()}
    assert files == {
        "bash-completion/completions/litestreamd",
        "bash-completion/completions/litestreamd-restore",
        "zsh/vendor-completions/_litestreamd",
        "fish/vendor_completions.d/litestreamd.fish",
        "fish/vendor_completions.d/litestreamd-restore.fish",
    }
