"""`init`: set an instance up: its configuration, and units that run as the owner of its databases.

In: an instance; databases and replicas, or a configuration that is there. Out: the configuration (new, or left as it
is) and its rights, drop-ins for each of its units. Promised: everything is checked before the first file is written,
what is right already is left alone, nothing that says something else is overwritten unasked, and a drop-in that was
not written by this command never.
"""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from litestreamd.basics.errors import ExitCode, UsageError
from litestreamd.cli.command import Command
from litestreamd.cli.init_concerns import concerns
from litestreamd.cli.init_configuration import draft_of
from litestreamd.cli.init_files import check_replaceable, foreign_contents, guard_configuration, write_dropin
from litestreamd.cli.init_owner import find_owner
from litestreamd.cli.options import NO_EXPAND_ENV, Arguments, Option
from litestreamd.cli.restore_report import warn
from litestreamd.cli.selection import instance_file
from litestreamd.config.credentials_dropin import credentials_dropin
from litestreamd.config.load import load_config
from litestreamd.config.model import Config
from litestreamd.config.owner_dropin import Folders, Owner, owner_dropin
from litestreamd.config.places import absolute
from litestreamd.config.unit_values import check_instance
from litestreamd.config.used_folders import used_folders

UNIT_DIRECTORY = Path("/etc/systemd/system")
DAEMON = "litestreamd"
UNITS = (DAEMON, "litestreamd-restore", "litestreamd-verify", "litestreamd-verify-all")


def run(arguments: Arguments) -> ExitCode:
    """Write what is missing, or with -dry-run print it."""
    instance, dry = arguments.words[0], arguments.switch("dry-run")
    check_instance(instance, "litestreamd-failure@litestreamd-restore@.service.service")
    draft = draft_of(instance, arguments)
    config = draft.config if draft is not None else _configuration(instance, arguments)
    owner = find_owner(config, arguments.text("user"), arguments.text("group"))
    folders = used_folders(config, owner)
    texts = _owner_dropins(instance, config, owner, folders) if owner.user != "root" else {}
    if not texts and draft is None:
        raise UsageError("the databases belong to root, as whom the service runs without a drop-in: say -user if not")
    if (directory := arguments.text("credentials")) is not None:
        text = credentials_dropin(instance, absolute(directory, os.environ))
        texts |= {_dropin(unit, instance, "credentials"): text for unit in UNITS}
    for path in texts:
        check_replaceable(path)
    foreign = foreign_contents(folders.replicas, owner) if owner.user != "root" else []
    lines = draft.write(owner, dry) if draft is not None else []
    assert config.source is not None
    if draft is None or not dry:
        lines += guard_configuration(config.source, owner, dry)
    lines += [write_dropin(path, text, dry) for path, text in texts.items()]
    sys.stdout.write("\n".join(lines) + "\n")
    if dry:
        shown = {config.source: draft.text} if draft is not None else {}
        sys.stdout.writelines(f"\n{path}:\n{text}" for path, text in (shown | texts).items())
    known = directory is not None or _dropin(DAEMON, instance, "credentials").exists()
    for sentence in concerns(instance, config, credentials=known):
        warn(sentence)
    if not dry:
        _next(instance, foreign, owner)
    return ExitCode.OK


def _configuration(instance: str, arguments: Arguments) -> Config:
    """Without the credentials that its units have: they may be what is to be replaced."""
    return load_config(instance_file(instance), os.environ, expand_env=not arguments.switch("no-expand-env"))


def _owner_dropins(instance: str, config: Config, owner: Owner, folders: Folders) -> dict[Path, str]:
    may_chown = _other_owner_wanted(config)
    return {
        _dropin(unit, instance, "owner"): owner_dropin(instance, owner, folders, may_chown, firm=unit == DAEMON)
        for unit in UNITS
    }


def _dropin(unit: str, instance: str, name: str) -> Path:
    return UNIT_DIRECTORY / f"{unit}@{instance}.service.d" / f"{name}.conf"


def _other_owner_wanted(config: Config) -> bool:
    entries = (*config.databases, *(folder.template for folder in config.folders))
    return any(entry.restore.owner or entry.restore.group for entry in entries)


def _next(instance: str, foreign: Sequence[Path], owner: Owner) -> None:
    """Two commands: everything into effect, and whether it is well."""
    service = f"'{DAEMON}@{instance}.service'"
    steps = ["systemctl daemon-reload", f"systemctl enable {service}", f"systemctl restart {service}"]
    if foreign:  # from the time when the service ran as somebody else
        folders = " ".join(shlex.quote(str(path)) for path in foreign)
        steps[1:1] = [f"systemctl stop {service}", f"chown -R {owner.user}:{owner.group} {folders}"]
    sys.stdout.write(f"next:\n  {' && '.join(steps)}\n  litestreamd doctor {instance}\n")


COMMAND = Command(
    name="init",
    summary="set an instance up: its configuration, and units that run as the owner of its databases",
    synopses=("[options] INSTANCE", "[options] -db PATH -replica URL INSTANCE"),
    options=(
        Option("db", "a database of a new configuration; may be given several times", "PATH"),
        Option("replica", "where it is copied to, a folder or a URL; may be given several times", "URL"),
        Option("credentials", "a folder with access keys, which systemd hands to the service", "DIR"),
        Option("force", "replace a configuration that says something else; it is kept as NAME.before-TIME"),
        Option("user", "the user to run as (default: the owner of the databases)", "NAME"),
        Option("group", "the group to run as (default: the group of the databases, or of -user)", "NAME"),
        Option("dry-run", "print what would be written, and write nothing"),
        NO_EXPAND_ENV,
    ),
    run=run,
    words_min=1,
    words_max=1,
    examples=(
        "-db /var/lib/app/app.db -replica /mnt/backup/app app",
        "-db /var/lib/app/app.db -replica s3://backups/app -credentials /etc/litestreamd/keys/app app",
        "app",
    ),
)
