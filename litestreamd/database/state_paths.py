"""Where the state of a database lives.

In: the database's path and what the configuration says. Out: one directory per database, below
`meta-path`, else /var/lib/litestreamd/INSTANCE for /etc/litestreamd/INSTANCE.yml, else
`.NAME-litestreamd` beside the database. The same answer from a shell and from the service.
"""

import hashlib
from pathlib import Path

CONFIGURATION_DIRECTORY = Path("/etc/litestreamd")
STATE_DIRECTORY = Path("/var/lib/litestreamd")
RUNTIME_DIRECTORY = Path("/run/litestreamd")


def state_root(database: Path, meta_path: Path | None, configuration: Path | None) -> Path:
    """The directory that holds the state of all databases of one configuration."""
    if meta_path is not None:
        return meta_path
    if (instance := instance_of(configuration)) is not None:
        return STATE_DIRECTORY / instance
    return database.with_name(f".{database.name}-litestreamd")


def health_path(configuration: Path | None) -> Path | None:
    """Where an instance says how it is, for those who may not look into its state; None for what is no instance."""
    instance = instance_of(configuration)
    return None if instance is None else STATE_DIRECTORY / instance / "health.json"


def control_path(configuration: Path | None) -> Path | None:
    """Where an instance listens, unless its configuration says otherwise; None for what is no instance."""
    instance = instance_of(configuration)
    return None if instance is None else RUNTIME_DIRECTORY / instance / "control.sock"


def instance_of(configuration: Path | None) -> str | None:
    """The instance that /etc/litestreamd/INSTANCE.yml configures; None for other files."""
    if configuration is None or configuration.parent != CONFIGURATION_DIRECTORY or configuration.suffix != ".yml":
        return None
    return configuration.stem


def state_directory(database: Path, meta_path: Path | None, configuration: Path | None) -> Path:
    """The state directory of one database: `<basename>-<8 hex of sha256 of its real path>` below the root."""
    real = database.resolve()
    digest = hashlib.sha256(str(real).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return state_root(real, meta_path, configuration) / f"{real.name}-{digest}"
