"""Which database and which replicas a command means.

In: one word of the command line and the options that go with it. Out: `Target` values.
A word with `://` is a replica URL, one with `/` the path of a database in the configuration, every other
word an instance: the name of a configuration /etc/litestreamd/INSTANCE.yml. The configuration is that of
-config, else the instance's, else $LITESTREAM_CONFIG, else /etc/litestream.yml.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from litestreamd.basics.errors import UsageError
from litestreamd.cli.options import CONFIG, NO_EXPAND_ENV, Arguments, Option, nearest
from litestreamd.config.folders import all_databases, belongs, settings_of
from litestreamd.config.load import load_config, replica_from_url
from litestreamd.config.model import Config, DatabaseSettings
from litestreamd.config.places import absolute, database_path
from litestreamd.daemon.unit_credentials import lend_credentials
from litestreamd.daemon.units import Units
from litestreamd.database.state_paths import CONFIGURATION_DIRECTORY, instance_of
from litestreamd.replica.port import ReplicaSpec

DEFAULT_CONFIG = "/etc/litestream.yml"
_CREDENTIALS = "CREDENTIALS_DIRECTORY"
DATABASE = Option("db", "the database to take when the configuration of the instance has several", "PATH")
REPLICA = Option("replica", "only this replica, by its name in the configuration", "NAME")
SELECTION = (CONFIG, NO_EXPAND_ENV, DATABASE, REPLICA)
"""The options of a command that works on one database or replica URL."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a command works on. `database` and `source` (the configuration's path) are None for a replica URL."""

    replicas: tuple[ReplicaSpec, ...]
    database: DatabaseSettings | None = None
    source: Path | None = None


def instance_file(instance: str) -> Path:
    """The configuration of an instance. Raises UsageError for a path."""
    if "/" in instance:
        raise UsageError(f"{instance} is a path, not the name of an instance: say -config PATH")
    return CONFIGURATION_DIRECTORY / f"{instance}.yml"


def configuration(
    arguments: Arguments, instance: str | None = None, environment: Mapping[str, str] = os.environ
) -> Config:
    """The configuration that the options name. Raises ConfigError, RightsError."""
    named = arguments.text("config")
    if named is None and instance is not None:
        named = str(instance_file(instance))
    named = named or environment.get("LITESTREAM_CONFIG") or DEFAULT_CONFIG
    config = load_config(Path(named), environment, expand_env=not arguments.switch("no-expand-env"))
    _lend_credentials(instance_of(config.source))
    return config


def _lend_credentials(instance: str | None) -> None:
    """In a shell there are none: root gets those of the instance's units, so that what works there works here."""
    if instance is None or os.geteuid() != 0 or _CREDENTIALS in os.environ:
        return
    if os.environ.get("SYSTEMD_EXEC_PID") == str(os.getpid()):
        return  # a service has what it was given
    folder = lend_credentials(f"litestreamd-restore@{instance}.service", Units())
    if folder is not None:
        os.environ[_CREDENTIALS] = str(folder)


def select(word: str, arguments: Arguments, environment: Mapping[str, str] = os.environ) -> tuple[Target, ...]:
    """Everything that `word` can mean: one target for a URL or a path, all databases of an instance.

    `-db` and `-replica` narrow it. Raises UsageError, ConfigError, RightsError.
    """
    if "://" in word and not word.lower().startswith(("sqlite://", "sqlite3://")):
        for option in ("config", "db", "replica"):
            if arguments.text(option) is not None:
                raise UsageError(f"-{option} and a replica URL exclude each other")
        return (Target((replica_from_url(word, environment),)),)
    if "/" in word:
        if arguments.text("db") is not None:
            raise UsageError("-db and the path of a database exclude each other")
        return (_target(configuration(arguments, None, environment), word, arguments, environment),)
    if arguments.text("config") is None and not instance_file(word).exists():
        raise UsageError(
            f"{word} is no instance: there is no {instance_file(word)} (the path of a database has a slash: ./{word})"
        )
    config = configuration(arguments, word, environment)
    wanted = arguments.text("db")
    if wanted is not None:
        return (_target(config, wanted, arguments, environment),)
    return tuple(_narrowed(database, config, arguments) for database in all_databases(config))


def select_one(word: str, arguments: Arguments, environment: Mapping[str, str] = os.environ) -> Target:
    """As `select`, and UsageError when an instance has several databases and no -db says which."""
    targets = select(word, arguments, environment)
    if len(targets) > 1:
        paths = ", ".join(str(target.database.path) for target in targets if target.database)
        raise UsageError(f"the instance {word} has several databases: say -db PATH, one of {paths}")
    if not targets:
        raise UsageError(f"the instance {word} has no database now: say -db PATH for one that is not there any more")
    return targets[0]


def select_replicas(word: str, arguments: Arguments, environment: Mapping[str, str] = os.environ) -> Target:
    """As `select_one`, and a folder, which cannot be a database, is the root of a replica."""
    if "/" in word and "://" not in word and absolute(word, environment).is_dir():
        return Target((replica_from_url(word, environment),))
    return select_one(word, arguments, environment)


def _target(config: Config, text: str, arguments: Arguments, environment: Mapping[str, str]) -> Target:
    """The database of this path. A path through symbolic links is the same database."""
    path = database_path(text, environment)
    real = os.path.realpath(path)
    for database in config.databases:
        if database.path == path or os.path.realpath(database.path) == real:
            return _narrowed(database, config, arguments)
    for folder in config.folders:
        if belongs(folder, path):  # its file may be lost: that is when a restore is wanted
            return _narrowed(settings_of(folder, path), config, arguments)
    known = dict.fromkeys(str(database.path) for database in all_databases(config))
    raise UsageError(f"the database {path} is not in {config.source}{nearest(str(path), known)}")


def _narrowed(database: DatabaseSettings, config: Config, arguments: Arguments) -> Target:
    """The target for one database, with only the replica that -replica names."""
    name = arguments.text("replica")
    replicas = tuple(spec for spec in database.replicas if name in (None, spec.name))
    if not replicas:
        names = ", ".join(spec.name for spec in database.replicas)
        raise UsageError(f"-replica: the database {database.path} has no replica {name!r}; it has {names}")
    return Target(replicas, replace(database, replicas=replicas), config.source)
