"""`migrate-config`: a configuration of Litestream 0.3 or 0.5 becomes one of ours.

In: the path of a file. Out: the new one on stdout or in a file; what changed, key by key, on stderr. Exit code 78 when
it cannot be taken over, or would not be read.
"""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from litestreamd.basics.errors import ConfigError, ExitCode, UsageError
from litestreamd.cli.command import Command
from litestreamd.cli.options import JSON, Arguments, Option
from litestreamd.cli.restore_report import say
from litestreamd.cli.table import print_json
from litestreamd.config.check import check_config
from litestreamd.config.compose import compose
from litestreamd.config.events import MAX_BYTES, decode
from litestreamd.config.faults import Faults
from litestreamd.config.migration import Migrated, Note, migrate
from litestreamd.config.places import absolute

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def run(arguments: Arguments) -> ExitCode:
    """Read, rewrite, check, print."""
    path = absolute(arguments.words[0], os.environ)
    text = _read(path)
    migrated = migrate(text)
    if arguments.switch("json"):
        print_json([_entry(note) for note in migrated.notes])
    else:
        for note in migrated.notes:
            say(f"{path}:{note.line}: {note.key}: {note.kind.value}: {note.sentence}")
    if not migrated.is_possible:
        raise ConfigError(f"{path} cannot be taken over as it is: see above")
    _check(migrated, path)
    _write(migrated, arguments)
    _close(text, migrated, path)
    return ExitCode.OK


def _check(migrated: Migrated, path: Path) -> None:
    """By our own reader. A value from a variable that is not set in this shell cannot be judged. Raises ConfigError."""
    _look(migrated.text, path)
    names = set(_VARIABLE.findall(migrated.text))
    unset = {name: "placeholder" for name in names if name not in os.environ}
    try:
        check_config(migrated.text.encode(), path, {**os.environ, **unset})
    except ConfigError as error:
        lines = migrated.text.split("\n")
        faults = [fault for fault in str(error).splitlines() if not _depends(fault, lines, unset)]
        if faults:
            raise ConfigError("\n".join(faults)) from None


def _depends(fault: str, lines: list[str], unset: Mapping[str, str]) -> bool:
    """Whether it is about a line with one of these variables."""
    place = re.search(r":(\d+):\d+: ", fault)
    return place is not None and any(f"${{{name}}}" in lines[int(place[1]) - 1] for name in unset)


def _read(path: Path) -> str:
    """The text, which our own reader takes for YAML: it has bounds, and its words repeat nothing of the file."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration file {path}") from None
    faults = Faults(str(path))
    text = decode(data, faults)
    faults.raise_any()
    assert text is not None
    _look(text, path)
    return text


def _look(text: str, path: Path) -> None:
    """Raises ConfigError for what is no YAML."""
    faults = Faults(str(path))
    compose(text.encode(), faults)
    faults.raise_any()


def _write(migrated: Migrated, arguments: Arguments) -> None:
    output = arguments.text("o")
    if output is None:
        if not arguments.switch("json"):
            sys.stdout.write(migrated.text)
        return
    target = absolute(output, os.environ)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640)
    except FileExistsError:
        raise UsageError(f"{target} exists already: give another name, or move it away") from None
    with os.fdopen(descriptor, "w") as file:
        file.write(migrated.text)
    say(f"written to {target}")


def _close(text: str, migrated: Migrated, path: Path) -> None:
    if migrated.text == text:
        say(f"{path} needs no change")
    if migrated.has_secrets:
        say("it holds access keys: better hand them over as credentials (litestreamd init -credentials DIR)")


def _entry(note: Note) -> dict[str, object]:
    return {"line": note.line, "key": note.key, "kind": note.kind.value, "text": note.sentence}


COMMAND = Command(
    name="migrate-config",
    summary="turn a configuration of Litestream 0.3 or 0.5 into one for litestreamd",
    synopses=("[options] PATH",),
    options=(Option("o", "where to, a file that is not there yet (default: stdout)", "PATH", also=("output",)), JSON),
    run=run,
    words_min=1,
    words_max=1,
    examples=("/etc/litestream.yml", "-o /etc/litestreamd/app.yml /etc/litestream.yml"),
)
