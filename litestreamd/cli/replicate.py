"""`replicate`: copy databases to their replicas as they change, until told to stop."""

import os
from functools import partial

from litestreamd.basics.errors import UsageError
from litestreamd.cli import restore
from litestreamd.cli.command import Command
from litestreamd.cli.crashing import arm_crash_point
from litestreamd.cli.options import CONFIG, NO_EXPAND_ENV, Arguments, Option
from litestreamd.cli.selection import configuration
from litestreamd.config.load import config_from_urls
from litestreamd.config.model import Config
from litestreamd.daemon import log
from litestreamd.daemon.child import Child
from litestreamd.daemon.supervisor import Supervisor


def run(arguments: Arguments) -> int:
    """Replicate until SIGTERM or SIGINT, or -once, or until the child of -exec has ended; 0 when the replicas have
    everything, 73 when they have not, what the child ended with if that is not 0."""
    config = _configuration(arguments)
    command = arguments.text("exec") if arguments.text("exec") is not None else config.command
    if command is not None and arguments.switch("once"):
        raise UsageError("-once and exec exclude each other: a program runs for as long as replicate does")
    child = None if command is None else Child(command, os.environ)
    level = arguments.choice("log-level", tuple(log.LEVELS), config.logging.level)
    log.set_up(level, config.logging.type)
    for warning in config.warnings:
        log.LOGGER.warning("%s", warning)
    arm_crash_point(os.environ)
    _restore_missing(config)
    load = None if config.source is None else partial(_configuration, arguments)
    supervisor = Supervisor(config, take_over=arguments.switch("take-over"), load=load, child=child)
    code = supervisor.replicate(once=arguments.switch("once"))
    return code if child is None or not child.code else child.code


def _configuration(arguments: Arguments) -> Config:
    words = arguments.words
    if not words:
        return configuration(arguments)
    if len(words) == 1 and "/" not in words[0]:
        return configuration(arguments, words[0])
    if len(words) == 1:
        raise UsageError(f"where to? Say litestreamd replicate {words[0]} REPLICA_URL")
    if arguments.text("config") is not None:
        raise UsageError("-config and a database on the command line exclude each other")
    return config_from_urls(words[0], words[1:], os.environ)


def _restore_missing(config: Config) -> None:
    """What restore-if-db-not-exists asks for, before anything is watched. Raises the errors of a restore."""
    for database in config.databases:
        if database.restore_if_missing and not database.path.exists():
            given = {"config": str(config.source), "if-db-not-exists": "true", "if-replica-exists": "true"}
            restore.run(Arguments(given, (str(database.path),)))


COMMAND = Command(
    name="replicate",
    summary="copy databases to their replicas as they change",
    synopses=("[options]", "[options] INSTANCE", "[options] DATABASE REPLICA_URL..."),
    options=(
        CONFIG,
        NO_EXPAND_ENV,
        Option("log-level", "debug, info, warn or error; overrides the configuration", "LEVEL"),
        Option(
            "exec",
            "start this program once all is watched, pass signals on to it, and end with it, and as it ends (for "
            "containers); its words are split as a shell does, but there is no shell",
            "COMMAND",
        ),
        Option("once", "sync what is committed now to every replica, then end"),
        Option("take-over", "continue replicas that hold another history (see the manual before you do)"),
    ),
    run=run,
    words_max=None,
    examples=(
        "-config /etc/litestream.yml",
        "-exec 'gunicorn shop.wsgi' -config /etc/litestream.yml",
        "/var/lib/app/app.db file:///backup/app",
    ),
)
