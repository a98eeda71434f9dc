"""`init`: make the units of an instance run as the owner of its databases, with nothing but their folders.

In: an instance, its configuration, who owns the databases. Out: a drop-in for each of its units, and the rights of the
configuration file. Promised: everything is checked before the first file is written, what is right already is left
alone, and a drop-in that was not written by this command is never replaced.
"""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from litestreamd.basics.errors import ExitCode
from litestreamd.cli.command import Command
from litestreamd.cli.init_files import check_replaceable, foreign_contents, guard_configuration, write_dropin
from litestreamd.cli.init_owner import find_owner
from litestreamd.cli.options import NO_EXPAND_ENV, Arguments, Option
from litestreamd.cli.selection import configuration
from litestreamd.config.model import Config
from litestreamd.config.owner_dropin import Owner, owner_dropin
from litestreamd.config.unit_values import check_instance
from litestreamd.config.used_folders import used_folders

UNIT_DIRECTORY = Path("/etc/systemd/system")
DAEMON = "litestreamd"
UNITS = (DAEMON, "litestreamd-restore", "litestreamd-verify", "litestreamd-verify-all")


def run(arguments: Arguments) -> ExitCode:
    """Write the drop-ins, or with -dry-run print them."""
    instance = arguments.words[0]
    check_instance(instance, "litestreamd-failure@litestreamd-restore@.service.service")
    config = configuration(arguments, instance)
    owner = find_owner(config, arguments.text("user"), arguments.text("group"))
    folders, may_chown = used_folders(config, owner), _other_owner_wanted(config)
    texts = {
        UNIT_DIRECTORY / f"{unit}@{instance}.service.d" / "owner.conf": owner_dropin(
            instance, owner, folders, may_chown, firm=unit == DAEMON
        )
        for unit in UNITS
    }
    for path in texts:
        check_replaceable(path)
    dry = arguments.switch("dry-run")
    assert config.source is not None
    lines = guard_configuration(config.source, owner, dry)
    lines += [write_dropin(path, text, dry) for path, text in texts.items()]
    sys.stdout.write("\n".join(lines) + "\n")
    if dry:
        sys.stdout.writelines(f"\n{path}:\n{text}" for path, text in texts.items())
    else:
        _next(instance, foreign_contents(folders.replicas, owner), owner)
    return ExitCode.OK


def _other_owner_wanted(config: Config) -> bool:
    entries = (*config.databases, *(folder.template for folder in config.folders))
    return any(entry.restore.owner or entry.restore.group for entry in entries)


def _next(instance: str, foreign: Sequence[Path], owner: Owner) -> None:
    service = f"'{DAEMON}@{instance}.service'"
    steps = ["systemctl daemon-reload", f"systemctl enable {service}", f"systemctl restart {service}"]
    if foreign:  # from the time when the service ran as somebody else
        folders = " ".join(shlex.quote(str(path)) for path in foreign)
        steps[1:1] = [f"systemctl stop {service}", f"chown -R {owner.user}:{owner.group} {folders}"]
    sys.stdout.write("".join(f"{line}\n" for line in ("next:", *(f"  {step}" for step in steps))))


COMMAND = Command(
    name="init",
    summary="let systemd run an instance as the owner of its databases",
    synopses=("[options] INSTANCE",),
    options=(
        Option("user", "the user to run as (default: the owner of the databases)", "NAME"),
        Option("group", "the group to run as (default: the group of the databases, or of -user)", "NAME"),
        Option("dry-run", "print what would be written, and write nothing"),
        NO_EXPAND_ENV,
    ),
    run=run,
    words_min=1,
    words_max=1,
    examples=("app", "-dry-run app"),
)
