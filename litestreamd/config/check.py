"""A parsed document to a Config: every key judged, every value typed, all faults told at once.

In: the bytes of a configuration, its name and path, the environment. Out: a Config, or one ConfigError.
"""

from collections.abc import Mapping
from pathlib import Path

from litestreamd.basics.errors import UsageError
from litestreamd.config import nodes
from litestreamd.config.collisions import find_collisions
from litestreamd.config.compose import compose
from litestreamd.config.databases import DatabaseReader
from litestreamd.config.faults import Faults, shown
from litestreamd.config.keys import Place
from litestreamd.config.listening import address, socket_settings
from litestreamd.config.model import Config, LoggingSettings, LogLevel, LogType
from litestreamd.config.nodes import Mark
from litestreamd.config.reading import Reading
from litestreamd.config.section import Section

_LEVELS: Mapping[str, LogLevel] = {
    "debug": "debug",
    "info": "info",
    "warn": "warn",
    "error": "error",
    "trace": "debug",  # Litestream has one more level below debug
}
_TYPES: Mapping[str, LogType] = {"text": "text", "json": "json"}
_START = Mark(1, 1)


def check_config(data: bytes, source: Path, environment: Mapping[str, str], expand_env: bool = True) -> Config:
    """Read a whole configuration. Raises ConfigError with one line a fault, `source:line:column: sentence`."""
    faults = Faults(str(source))
    reading = Reading(faults, environment if expand_env else None)
    top = Section(_top(data, faults), Place.GLOBAL, reading)
    databases = DatabaseReader(reading, environment, top).read_all(top)
    for mark, sentence in find_collisions(databases, source):
        faults.add(mark, sentence)
    config = Config(
        databases=tuple(database.settings for database in databases if database.folder is None),
        folders=tuple(database.folder for database in databases if database.folder is not None),
        socket=socket_settings(top, source, environment),
        addr=address(top),
        litestream_names=top.section("metrics").flag("litestream-names", False),
        source=source,
        logging=_logging(top, environment),
        command=top.text("exec"),
        shutdown_sync_timeout_s=top.duration("shutdown-sync-timeout", 30.0),
        warnings=faults.warnings(),
    )
    faults.raise_any()
    return config


def logging_level(environment: Mapping[str, str], configured: LogLevel = "info") -> LogLevel:
    """The level that counts: LOG_LEVEL, when it is set, else the configured one. Raises UsageError."""
    text = environment.get("LOG_LEVEL")
    if not text:
        return configured
    if text.lower() not in _LEVELS:
        raise UsageError(f"LOG_LEVEL in the environment: {shown(text)} is not one of {', '.join(_LEVELS)}")
    return _LEVELS[text.lower()]


def _top(data: bytes, faults: Faults) -> nodes.Mapping:
    """The mapping that is the file; every other kind of file is a ConfigError."""
    root = compose(data, faults)
    if isinstance(root, nodes.Mapping):
        return root
    if root is not None:
        faults.add(root.mark, f"a configuration is a mapping that begins with dbs:, not {nodes.kind_of(root)}")
    faults.raise_any()
    faults.add(_START, "the file is empty: add dbs, a list with path and replica")
    raise faults.error()


def _logging(top: Section, environment: Mapping[str, str]) -> LoggingSettings:
    section = top.section("logging")
    level = section.choice("level", _LEVELS, "info")
    try:
        level = logging_level(environment, level)
    except UsageError as error:
        section.fault("level", str(error))
    return LoggingSettings(level, section.choice("type", _TYPES, "text"))
