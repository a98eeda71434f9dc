"""Every command, configuration and link in the documentation is one that the program, or the machine, takes."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from litestreamd.basics.errors import LitestreamdError
from litestreamd.cli import main as cli
from litestreamd.cli.options import parse_arguments
from litestreamd.config.check import check_config
from tests.support.markdown import Block, anchors, blocks, links
from tests.support.programs import TREE

PAGES = sorted([*TREE.glob("*.md"), *(TREE / "docs").glob("*.md"), *(TREE / "docs" / "man").glob("*.md")])
BLOCKS = [block for page in PAGES if page.name != "CHANGELOG.md" for block in blocks(page)]
SHELL = ("", "sh", "bash", "console", "indented")
OTHERS = ("text", "dockerfile", "json", "sql", "promql", "python", "toml")
"""Languages of blocks that hold nothing of ours to run."""
PROGRAMS = ("litestreamd", "litestreamd-restore")
VARIABLE = re.compile(r"\$\{(\w+)\}")
TARGETS = set(re.findall(r"^([a-z-]+):(?!=)", (TREE / "Makefile").read_text(), re.M))
UNITS = {path.name for path in (TREE / "units").glob("litestreamd*.*")}
SECTIONS = {"Unit", "Service", "Install", "Timer", "Socket", "litestreamd"}


def lines(block: Block) -> Iterator[str]:
    """Commands: continued lines joined, prompts and here-documents removed."""
    until: str | None = None
    whole = ""
    for line in block.text.splitlines():
        if until is not None:
            until = None if line.strip() == until else until
            continue
        if block.language == "console" and not whole and not line.startswith(("$ ", "# ")):
            continue  # what it prints
        whole += line.removeprefix("$ ") if block.language == "console" else line
        if block.language == "console":
            whole = whole.removeprefix("# ")
        if whole.endswith("\\"):
            whole = whole[:-1]
            continue
        if (here := re.search(r"<<-?\s*'?(\w+)'?", whole)) is not None:
            until = here[1]
        if whole.strip():
            yield whole
        whole = ""


def commands(block: Block) -> Iterator[list[str]]:
    """Words of each simple command of a block of shell."""
    if block.language not in SHELL or (block.language == "" and "{" in block.text[:2]):
        return
    for line in lines(block):
        try:
            reader = shlex.shlex(line, posix=True, punctuation_chars=True)
            reader.whitespace_split = True
            words = list(reader)
        except ValueError:
            continue
        command: list[str] = []
        for word in [*words, ";"]:
            if set(word) <= set("();<>|&"):
                if command:
                    yield command
                command = []
            else:
                command.append(word)


def stripped(command: list[str]) -> list[str]:
    """Without what stands before the program: sudo, assignments, systemd's ExecStart=."""
    while command and (
        command[0] in ("sudo", "exec", "time", "ENTRYPOINT", "CMD") or re.match(r"[A-Z_]+=", command[0])
    ):
        command = command[1:]
    return command


CALLS = [
    pytest.param(words, id=f"{block.place} {' '.join(words)}"[:90])
    for block in BLOCKS
    for command in commands(block)
    if (words := stripped(command)) and Path(words[0]).name in PROGRAMS
]


def test_there_are_commands_to_look_at() -> None:
    assert len(CALLS) > 100


@pytest.mark.parametrize("words", CALLS)
def test_a_command_is_one(words: list[str]) -> None:
    program, *rest = words
    if Path(program).name == "litestreamd-restore":
        rest = ["restore", *rest]
    if rest in (["COMMAND", "-h"], ["-h"]) or rest == ["COMMAND"]:
        return
    command = cli.load(rest[0].removeprefix("--"))
    arguments = parse_arguments(rest[1:], command.options)
    if not arguments.help_wanted:
        command.check_words(arguments, f"litestreamd {rest[0]}")


def test_a_wrong_command_is_seen() -> None:
    for words in (["litestreamd", "restart"], ["litestreamd", "sync", "-await", "app"], ["litestreamd", "accept"]):
        with pytest.raises(LitestreamdError):
            test_a_command_is_one(words)


def test_targets_of_make_and_units_of_systemd_are_there() -> None:
    for block in BLOCKS:
        for command in commands(block):
            words = stripped(command)
            if words and words[0] == "make":
                asked = {word for word in words[1:] if "=" not in word and not word.startswith("-")}
                assert asked <= TARGETS, f"{block.place}: {words}"
            if words and words[0] in ("systemctl", "journalctl"):
                for word in words[1:]:
                    if "litestreamd" in word and "/" not in word:
                        name = re.sub(r"@[^.]*", "@", word.removeprefix("-xu").removeprefix("-u"))
                        known = {unit.removesuffix(".service") for unit in UNITS} | UNITS
                        assert name in known or name.endswith("*"), f"{block.place}: {word}"


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language in ("yaml", "yml")], ids=lambda b: b.place
)
def test_a_configuration_is_one(block: Block) -> None:
    data = yaml.safe_load(block.text)
    if isinstance(data, dict) and data.keys() & {"scrape_configs", "groups", "services", "rule_files", "alerting"}:
        return  # of others
    text = block.text
    if isinstance(data, list):
        text = f"dbs:\n{text}"
    elif "dbs" not in data:
        text = f"{text}\ndbs: [{{path: /data/app.db, replica: {{path: /backup/app}}}}]\n"
    check_config(text.encode(), Path("/etc/litestreamd/app.yml"), dict.fromkeys(VARIABLE.findall(text), "set"))


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.language in ("ini", "systemd")], ids=lambda b: b.place
)
def test_a_drop_in_has_its_shape(block: Block) -> None:
    for line in block.text.splitlines():
        if not line.strip() or line.startswith(("#", ";")):
            continue
        section = re.fullmatch(r"\[(\w+)\]", line)
        assert (section and section[1] in SECTIONS) or re.match(r"[A-Za-z][A-Za-z]*=|[a-z_]+ ?= ?", line), line


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language in ("sh", "bash")], ids=lambda b: b.place)
def test_a_script_is_one(block: Block) -> None:
    done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr


def test_every_block_says_what_it_is() -> None:
    known = {*SHELL, *OTHERS, "yaml", "ini"}
    assert [block.place for block in BLOCKS if block.language not in known] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("http:", "https:", "mailto:")):
            continue
        target, _, anchor = link.partition("#")
        file = page if not target else (page.parent / target)
        assert file.exists(), f"{page.name}: {link}"
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file), f"{page.name}: {link}"


def test_pages_are_reachable_from_the_readme() -> None:
    """In two steps: what nobody links to, nobody reads."""
    seen, edge = set(), [TREE / "README.md"]
    while edge:
        page = edge.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        edge += [(page.parent / link.partition("#")[0]).resolve() for link in links(page) if "://" not in link]
    assert {page.name for page in (TREE / "docs").glob("*.md")} <= {page.name for page in seen}
