"""`replicate`: copy databases to their replicas as they change, until told to stop."""

import os
import signal
from functools import partial
from threading import Event

from litestreamd.basics import crash_points
from litestreamd.basics.errors import ExitCode, UsageError
from litestreamd.cli import restore
from litestreamd.cli.command import Command
from litestreamd.cli.options import CONFIG, NO_EXPAND_ENV, Arguments, Option
from litestreamd.cli.selection import configuration
from litestreamd.config.load import config_from_urls
from litestreamd.config.model import Config
from litestreamd.daemon import log
from litestreamd.daemon.supervisor import Supervisor

CRASH_VARIABLE = "LITESTREAMD_CRASH_AT"


def run(arguments: Arguments) -> ExitCode:
    """Replicate until SIGTERM or SIGINT; 0 when the replicas have everything, 73 when data was left behind."""
    config = _configuration(arguments)
    level = arguments.choice("log-level", tuple(log.LEVELS), config.logging.level)
    log.set_up(level, config.logging.type)
    for warning in config.warnings:
        log.LOGGER.warning("%s", warning)
    _arm_crash_point(os.environ.get(CRASH_VARIABLE))
    _restore_missing(config)
    load = None if config.source is None else partial(_configuration, arguments)
    return Supervisor(config, take_over=arguments.switch("take-over"), load=load).replicate()


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


def _arm_crash_point(text: str | None) -> None:
    """For tests: die by SIGKILL at a named point (basics.crash_points), `name` or `name:n` for the n-th passing; with
    `name:n:freeze` the thread that passes stands still for ever."""
    if text:
        name, passing, what = (*text.split(":"), "", "")[:3]
        action = Event().wait if what == "freeze" else partial(os.kill, os.getpid(), signal.SIGKILL)
        crash_points.arm(name, int(passing or "1"), action)


COMMAND = Command(
    name="replicate",
    summary="copy databases to their replicas as they change",
    synopses=("[options]", "[options] INSTANCE", "[options] DATABASE REPLICA_URL..."),
    options=(
        CONFIG,
        NO_EXPAND_ENV,
        Option("log-level", "debug, info, warn or error; overrides the configuration", "LEVEL"),
        Option("take-over", "continue replicas that hold another history (see the manual before you do)"),
    ),
    run=run,
    words_max=None,
    examples=("-config /etc/litestream.yml", "/var/lib/app/app.db file:///backup/app"),
)
