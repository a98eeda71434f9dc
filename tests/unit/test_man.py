"""The man pages say what the program does: commands, options, ways to call, exit codes, keys of the configuration."""

import gzip
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from litestreamd import __version__
from litestreamd.basics.errors import ExitCode
from litestreamd.cli import main as cli
from tests.support.programs import TREE

PAGES = TREE / "docs" / "man"
CODES = {str(code.value): code for code in ExitCode}


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text()


def section(text: str, title: str) -> str:
    """Up to the next one; empty when there is none."""
    return (text + "\n# ").partition(f"\n# {title}\n")[2].partition("\n# ")[0]


def plain(text: str) -> str:
    return text.replace("*", "").replace("\\", "")


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_is_described_as_it_is(name: str) -> None:
    command, text = cli.load(name), page(f"litestreamd-{name}.1")
    assert section(text, "NAME").strip() == f"litestreamd-{name} - {command.summary}"
    calls = {line for line in plain(section(text, "SYNOPSIS")).splitlines() if line}
    assert calls - {"litestreamd-restore ..."} == {f"litestreamd {name} {way}".strip() for way in command.synopses}
    told = section(text, "OPTIONS")
    known = set()
    for option in command.options:
        for each in (option.name, *option.also):
            written = f"**-{each}** *{option.value}*" if option.value else f"**-{each}**"
            assert written in told, f"{name}: {written}"
            known.add(each)
    heads = [
        line for line, after in zip(told.splitlines(), told.splitlines()[1:], strict=False) if after.startswith(":   ")
    ]
    assert set(re.findall(r"\*\*-([a-z-]+)\*\*", "\n".join(heads))) == known


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_its_exit_codes_are_codes_of_ours(name: str) -> None:
    told = re.findall(r"^\*\*(\d+)\*\*$", section(page(f"litestreamd-{name}.1"), "EXIT STATUS"), re.M)
    assert told[0] == "0" and "64" in told and set(told) <= CODES.keys()


def test_the_main_page_has_all_commands_and_codes() -> None:
    text = page("litestreamd.1")
    assert re.findall(r"^\*\*litestreamd-([a-z-]+)\*\*\(1\)$", section(text, "COMMANDS"), re.M) == list(cli.COMMANDS)
    assert re.findall(r"^\*\*(\d+)\*\*$", section(text, "EXIT STATUS"), re.M) == [str(each.value) for each in ExitCode]


@pytest.mark.parametrize("path", sorted(PAGES.glob("*.md")), ids=lambda path: path.stem)
def test_a_page_has_its_title_and_refers_to_pages_that_are(path: Path) -> None:
    text, (name, number) = path.read_text(), path.stem.rsplit(".", 1)
    assert text.startswith(f"% {name.upper()}({number}) litestreamd | ")
    for title in ("NAME", "DESCRIPTION", "SEE ALSO"):
        assert section(text, title), title
    for other, where in re.findall(r"\*\*(litestreamd[^*]*)\*\*\((\d)\)", text):
        assert (PAGES / f"{other}.{where}.md").exists(), f"{other}({where})"


@pytest.mark.skipif(shutil.which("pandoc") is None, reason="pandoc is missing (apt-get install pandoc)")
def test_pages_are_made_of_them_the_same_each_time(tmp_path: Path) -> None:
    made = []
    for tree in (tmp_path / "one", tmp_path / "two"):
        subprocess.run(
            [TREE / "packaging" / "manpages.sh", tree], check=True, timeout=120,
            env={"PATH": "/usr/bin:/bin", "SOURCE_DATE_EPOCH": "1776470400"},
        )  # fmt: skip
        found = sorted((tree / "usr/share/man").rglob("*.gz"))
        made.append({file.relative_to(tree).name: file.read_bytes() for file in found})
    assert made[0] == made[1]
    assert {f"{path.stem}.gz" for path in PAGES.glob("*.md")} == made[0].keys()
    for name, data in made[0].items():
        text = gzip.decompress(data).decode()
        assert f"litestreamd {__version__}" in text and "2026-04-18" in text, name
        if shutil.which("mandoc"):
            linted = subprocess.run(
                ["mandoc", "-T", "lint", "-W", "error"],
                input=text,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert linted.returncode == 0, f"{name}: {linted.stdout}"
        if shutil.which("man"):
            file = tmp_path / name.removesuffix(".gz")
            file.write_text(text)
            seen = subprocess.run(
                ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(file)], capture_output=True, text=True,
                env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}, check=False, timeout=60,
            )  # fmt: skip
            assert (seen.returncode, seen.stderr) == (0, ""), name
