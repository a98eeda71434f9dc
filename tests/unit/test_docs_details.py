"""What the documentation says in passing: commands in sentences and units, directives, values, rules of Prometheus."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from litestreamd.basics.clock import parse_moment_ns
from litestreamd.basics.errors import LitestreamdError
from litestreamd.basics.quantities import parse_duration
from litestreamd.basics.txid import parse_txid
from litestreamd.cli import main as cli
from litestreamd.cli.options import Arguments, parse_arguments
from litestreamd.v3.names import parse_generation
from tests.support.markdown import Block, without_blocks
from tests.support.programs import TREE
from tests.unit.test_docs_commands import BLOCKS, CALLS, commands, stripped

PAGES = sorted([*TREE.glob("*.md"), *(TREE / "docs").glob("*.md")])
INLINE = re.compile(r"`(litestreamd(?:-restore)? [^`]+)`")
EXEC = re.compile(r"^Exec\w+=[-+@!:]*(\S.*)$", re.MULTILINE)
CALLED = re.compile(r"(?:/usr/bin/)?(litestreamd(?:-restore)?(?: [^\"'&;|]*)?)")
PLACEHOLDERS = ("TIME", "TXID", "NUMBER", "GENERATION")
VERBS = {
    "cat", "daemon-reload", "disable", "edit", "enable", "is-active", "is-enabled", "is-failed", "list-dependencies",
    "list-timers", "list-units", "mask", "reload", "reset-failed", "restart", "show", "start", "status", "stop",
    "unmask",
}  # fmt: skip
NOW_NS = 1_800_000_000_000_000_000
UNITS = [
    block for block in BLOCKS if block.language == "ini" and re.search(r"^\[(Unit|Service|Timer)\]", block.text, re.M)
]
FOREIGN = [
    block for block in BLOCKS
    if block.language == "yaml" and re.search(r"^(groups|scrape_configs):", block.text, re.M)
]  # fmt: skip


def understood(words: list[str]) -> Arguments | None:
    """By the real parser; a mention in a sentence may leave arguments out. Raises LitestreamdError."""
    program, *rest = words
    if program.endswith("-restore"):
        rest = ["restore", *rest]
    if not rest:
        return None
    return parse_arguments(rest[1:], cli.load(rest[0].removeprefix("--")).options)


def mentions() -> Iterator[tuple[str, list[str]]]:
    """Commands in the text of the pages and in the Exec lines of units; what is optional is looked at too."""
    for page in PAGES:
        for text in INLINE.findall(" ".join(without_blocks(page).split())):
            shown = re.sub(r"[\[\]|]", " ", text) if "[" in text else text.partition("|")[0]
            yield page.name, [*shlex.split(shown), "TIME"]  # a sentence may end at an option that takes a value
    for block in BLOCKS:
        for line in EXEC.findall(block.text):
            for call in CALLED.findall(line):
                yield block.place, shlex.split(call)


MENTIONS = [pytest.param(words, id=f"{place} {' '.join(words)}"[:90]) for place, words in mentions()]


def test_there_are_mentions_to_look_at() -> None:
    assert len(MENTIONS) > 40
    assert sum("ExecStart" in block.text for block in BLOCKS) > 2


@pytest.mark.parametrize("words", MENTIONS)
def test_a_command_that_is_mentioned_is_one(words: list[str]) -> None:
    understood(words)


@pytest.mark.parametrize("words", CALLS + MENTIONS)
def test_values_of_options_are_ones(words: list[str]) -> None:
    """The parser of the command line knows no types; a wrong time is seen only when the command runs."""
    arguments = understood(words) if words[1:] not in (["COMMAND", "-h"], ["-h"]) else None
    if arguments is None:
        return
    for name, value in arguments.given.items():
        if value in PLACEHOLDERS:
            continue
        if name in ("timestamp", "since"):
            parse_moment_ns(value, NOW_NS)
        elif name in ("retry-for", "timeout", "idle"):
            parse_duration(value)
        elif name == "txid":
            parse_txid(value)
        elif name == "generation":
            parse_generation(value)


def test_what_is_wrong_is_seen() -> None:
    for words in (["litestreamd", "verfy", "app"], ["litestreamd", "sync", "-wiat"]):
        with pytest.raises(LitestreamdError):
            test_a_command_that_is_mentioned_is_one(words)
    for option in ("-timestamp=2 hours ago", "-txid=xyz", "-retry-for=15"):
        with pytest.raises(LitestreamdError):
            test_values_of_options_are_ones(["litestreamd-restore", option, "app"])


def test_systemctl_is_told_what_it_knows() -> None:
    for block in BLOCKS:
        for command in commands(block):
            words = [word for word in stripped(command) if not word.startswith("-")]
            if words[:1] == ["systemctl"] and len(words) > 1:
                assert words[1] in VERBS, f"{block.place}: {command}"


def complaints(block: Block, folder: Path) -> str:
    """What systemd says of a unit, or of a drop-in in a unit of its own."""
    text = re.sub(r"/usr/bin/litestreamd(-restore)?\b", "/bin/true", block.text)
    if "[Timer]" in text:
        (folder / "page.service").write_text("[Service]\nExecStart=/bin/true\n")
        unit = folder / "page.timer"
    else:
        unit = folder / "page.service"
        if "ExecStart=" not in text:
            text += "\n[Service]\nExecStart=/bin/true\n"
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "--man=no", "verify", unit], capture_output=True, text=True, check=False, timeout=60
    )
    return "\n".join(line for line in done.stderr.splitlines() if str(unit) in line)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
@pytest.mark.parametrize("block", UNITS, ids=lambda block: block.place)
def test_systemd_knows_the_directives(block: Block, tmp_path: Path) -> None:
    assert complaints(block, tmp_path) == ""


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
def test_a_directive_that_there_is_not_is_seen(tmp_path: Path) -> None:
    for text in ("[Service]\nPrivatNetwork=yes\n", "[Timer]\nOnCalendar=every now and then\n"):
        assert complaints(Block(tmp_path, 1, "ini", text), tmp_path)


def judged(block: Block, folder: Path) -> subprocess.CompletedProcess[str]:
    """By promtool: a configuration of Prometheus, or rules. Installed rules are those of the tree."""
    installed = "/usr/share/litestreamd/prometheus"
    file = folder / "page.yml"
    file.write_text(block.text.replace(installed, str(TREE / "packaging" / "prometheus")))
    what = "rules" if "groups" in yaml.safe_load(block.text) else "config"
    return subprocess.run(["promtool", "check", what, file], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing (package prometheus)")
@pytest.mark.parametrize("block", FOREIGN, ids=lambda block: block.place)
def test_prometheus_understands_its_part(block: Block, tmp_path: Path) -> None:
    done = judged(block, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing (package prometheus)")
def test_a_rule_that_is_none_is_seen(tmp_path: Path) -> None:
    text = "groups: [{name: a, rules: [{alert: A, exprr: up == 0}]}]\n"
    assert judged(Block(tmp_path, 1, "yaml", text), tmp_path).returncode != 0
