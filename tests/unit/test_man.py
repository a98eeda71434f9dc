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


MADE_FROM = ("docs/man", "packaging/manpages.sh", "litestreamd/__init__.py", "litestreamd/cli/main.py", "CHANGELOG.md")
NEEDS_PANDOC = pytest.mark.skipif(shutil.which("pandoc") is None, reason="pandoc is missing (apt-get install pandoc)")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The pages as a package has them, by their names."""
    return make(TREE, tmp_path_factory.mktemp("pages"), SOURCE_DATE_EPOCH="1776470400")


def make(source: Path, tree: Path, **environment: str) -> dict[str, bytes]:
    subprocess.run(
        [source / "packaging" / "manpages.sh", tree], check=True, timeout=120, capture_output=True,
        env={"PATH": "/usr/bin:/bin", **environment},
    )  # fmt: skip
    files = [path for path in tree.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == {"man1", "man5", "man7", "man8"}
    assert all(path.parent.name == f"man{path.name.split('.')[-2]}" for path in files)
    return {path.name: path.read_bytes() for path in files}


@NEEDS_PANDOC
def test_pages_are_made_of_them_the_same_each_time(made: dict[str, bytes], tmp_path: Path) -> None:
    assert {f"{path.stem}.gz" for path in PAGES.glob("*.md")} == made.keys()
    assert make(TREE, tmp_path, SOURCE_DATE_EPOCH="1776470400") == made
    for name, data in made.items():
        text = gzip.decompress(data).decode()
        assert f"litestreamd {__version__}" in text and "2026-04-18" in text, name


@NEEDS_PANDOC
@pytest.mark.skipif(shutil.which("mandoc") is None, reason="mandoc is missing (apt-get install mandoc)")
def test_mandoc_has_nothing_to_say(made: dict[str, bytes]) -> None:
    for name, data in made.items():
        linted = subprocess.run(
            ["mandoc", "-T", "lint", "-W", "warning"], input=gzip.decompress(data), capture_output=True, check=False,
            timeout=60,
        )  # fmt: skip
        assert (linted.returncode, linted.stdout) == (0, b""), name


@NEEDS_PANDOC
@pytest.mark.skipif(
    shutil.which("man") is None or shutil.which("groff") is None,
    reason="man or groff is missing (apt-get install man-db groff)",
)
def test_man_has_nothing_to_say(made: dict[str, bytes], tmp_path: Path) -> None:
    for name, data in made.items():
        file = tmp_path / name.removesuffix(".gz")
        file.write_bytes(gzip.decompress(data))
        seen = subprocess.run(
            ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", str(file)], capture_output=True, text=True,
            env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}, check=False, timeout=60,
        )  # fmt: skip
        assert (seen.returncode, seen.stderr) == (0, ""), name
        assert seen.stdout.rstrip().splitlines()[-1].startswith(f"litestreamd {__version__} "), name  # to its end


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What the pages are made from, to be changed."""
    for name in (
        "docs/man",
        "packaging/manpages.sh",
        "litestreamd/__init__.py",
        "litestreamd/cli/main.py",
        "CHANGELOG.md",
    ):
        target = tmp_path / "source" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (TREE / name).is_dir():
            shutil.copytree(TREE / name, target)
        else:
            shutil.copy2(TREE / name, target)
    return tmp_path / "source"


@pytest.mark.parametrize("name", ["litestreamd-restore.1", "litestreamd-migrate-config.1", "litestreamd.7"])
def test_none_is_made_when_one_is_missing(copy: Path, tmp_path: Path, name: str) -> None:
    (copy / "docs" / "man" / f"{name}.md").unlink()
    done = subprocess.run(
        [copy / "packaging" / "manpages.sh", tmp_path / "tree"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr == f"manpages.sh: docs/man/{name}.md is missing\n"
    assert not (tmp_path / "tree").exists()


@NEEDS_PANDOC
def test_the_day_is_that_of_the_newest_version(copy: Path, tmp_path: Path) -> None:
    for page in (copy / "docs" / "man").glob("*.md"):
        page.write_text(page.read_text().partition("# SYNOPSIS")[0])  # they are made faster
    (copy / "CHANGELOG.md").write_text("## [Unreleased]\n\n## [9.8.7] - 2031-02-03\n\n## [9.8.6] - 2030-01-01\n")
    for name, data in make(copy, tmp_path / "tree").items():
        assert b"2031-02-03" in gzip.decompress(data), name


def test_a_page_that_pandoc_cannot_make_is_a_failure(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pandoc").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "bin" / "pandoc").chmod(0o755)
    done = subprocess.run(
        [copy / "packaging" / "manpages.sh", tmp_path / "tree"], capture_output=True, check=False, timeout=60,
        env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 3
