"""Which running daemon a command means.

In: one word of the command line. Out: the path of its control socket, and of what it left when it does not run.
An instance needs no configuration to be read, so that who may not read it can ask all the same.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from litestreamd.basics.errors import UsageError
from litestreamd.cli.options import CONFIG, NO_EXPAND_ENV, Arguments, Option
from litestreamd.cli.selection import configuration, instance_file
from litestreamd.config.places import absolute, database_path
from litestreamd.database.state_paths import control_path, health_path

SOCKET = Option(
    "socket", "the control socket of the daemon (default: the INSTANCE's, else as the configuration says)", "PATH"
)
TIMEOUT = Option("timeout", "how long to wait for the daemon (default: 30s)", "TIME")
RUNNING = (CONFIG, NO_EXPAND_ENV, SOCKET)
"""The options of a command that asks a daemon."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """`socket` where it listens; `health`: its health.json, None for what is no instance; `database`: the one that was
    named, if one was."""

    socket: Path
    health: Path | None = None
    database: str | None = None


def find_daemon(word: str, arguments: Arguments, environment: Mapping[str, str] = os.environ) -> Daemon:
    """What `word`, an instance or the path of a database, means. Raises UsageError, ConfigError, RightsError."""
    database = str(database_path(word, environment)) if "/" in word else None
    given = arguments.text("socket")
    if given is not None:
        return Daemon(absolute(given, environment), None, database)
    if database is None and arguments.text("config") is None:
        source = instance_file(word)
        listens = control_path(source)
        assert listens is not None
        if not source.exists() and not listens.exists():
            raise UsageError(
                f"{word} is no instance: there is no {source} (the path of a database has a slash: ./{word})"
            )
        return Daemon(listens, health_path(source))
    config = configuration(arguments, None if database else word, environment)
    if config.socket.path is None:
        raise UsageError(f"{config.source} has no control socket: write socket: {{enabled: true, path: ...}}")
    return Daemon(config.socket.path, health_path(config.source), database)
