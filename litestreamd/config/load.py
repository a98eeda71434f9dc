"""Where a configuration comes from: a file, or the words of a command line.

In: a path, or a database path with replica URLs, and the environment. Out: a Config.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from litestreamd.basics.errors import ConfigError, RightsError, UsageError
from litestreamd.config.check import check_config, logging_level
from litestreamd.config.collisions import find_collisions
from litestreamd.config.databases import PlacedDatabase
from litestreamd.config.events import MAX_BYTES
from litestreamd.config.model import Config, DatabaseSettings, LoggingSettings
from litestreamd.config.nodes import Mark
from litestreamd.config.places import absolute, database_path, file_root, url_scheme
from litestreamd.config.replicas import PlacedReplica
from litestreamd.config.s3_url import s3_from_url
from litestreamd.replica.folder.settings import FolderSettings
from litestreamd.replica.port import ReplicaSpec, StoreSettings

_COMMAND_LINE = Mark(0, 0)


def load_config(path: Path, environment: Mapping[str, str], expand_env: bool = True) -> Config:
    """Read a configuration file. `expand_env`: replace ${VAR} by `environment`.

    Raises ConfigError with every fault as `path:line:column: sentence`, RightsError when the file may
    not be read.
    """
    path = absolute(str(path), environment)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"there is no configuration file {path} (-config or LITESTREAM_CONFIG names another)"
        ) from None
    except PermissionError:
        raise RightsError(f"the configuration {path} may not be read by this user") from None
    except OSError as error:
        raise ConfigError(f"the configuration {path} cannot be read: {error.strerror}") from None
    return check_config(data, path, environment, expand_env)


def config_from_urls(database: str, urls: Sequence[str], environment: Mapping[str, str]) -> Config:
    """The configuration that `replicate DB URL...` stands for, with defaults for all else. Raises UsageError."""
    path = database_path(database, environment)
    replicas = _named([replica_from_url(url, environment) for url in urls])
    settings = DatabaseSettings(path=path, replicas=replicas)
    placed = PlacedDatabase(settings, _COMMAND_LINE, tuple(PlacedReplica(spec, _COMMAND_LINE) for spec in replicas))
    for _, sentence in find_collisions([placed], None):
        raise UsageError(sentence)
    return Config(databases=(settings,), logging=LoggingSettings(level=logging_level(environment)))


def replica_from_url(url: str, environment: Mapping[str, str]) -> ReplicaSpec:
    """The replica that a URL, or the path of a folder, names; it is called by its type. Raises UsageError."""
    store: StoreSettings
    try:
        if url_scheme(url) == "s3":
            store = s3_from_url(url, on_command_line=True)
        else:
            store = FolderSettings(file_root(url, environment))
    except UsageError as error:
        raise UsageError(f"the replica URL cannot be used: {error}") from None
    return ReplicaSpec(store.kind, store)


def _named(replicas: Sequence[ReplicaSpec]) -> tuple[ReplicaSpec, ...]:
    """The second of a type gets a number."""
    seen: Counter[str] = Counter()
    named = []
    for spec in replicas:
        seen[spec.name] += 1
        number = seen[spec.name]
        named.append(spec if number == 1 else replace(spec, name=f"{spec.name}-{number}"))
    return tuple(named)
