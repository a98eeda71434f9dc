"""Where the state of a database lives.

In: the database's path and what the configuration says. Out: one directory per database, below
`meta-path`, else /var/lib/litestreamd/INSTANCE for /etc/litestreamd/INSTANCE.yml, else
`.NAME-litestreamd` beside the database. The same answer from a shell and from the service.
"""

import hashlib
from pathlib import Path

CONFIGURATION_DIRECTORY = Path("/etc/litestreamd")
STATE_DIRECTORY = Path("/var/lib/litestreamd")


def state_root(database: Path, meta_path: Path | None, configuration: Path | None) -> Path:
    """The directory that holds the state of all databases of one configuration."""
    if meta_path is not None:
        return meta_path
    if configuration is not None and configuration.parent == CONFIGURATION_DIRECTORY and configuration.suffix == ".yml":
        return STATE_DIRECTORY / configuration.stem
    return database.with_name(f".{database.name}-litestreamd")


def state_directory(database: Path, meta_path: Path | None, configuration: Path | None) -> Path:
    """The state directory of one database: `<basename>-<8 hex of sha256 of its real path>` below the root."""
    real = database.resolve()
    digest = hashlib.sha256(str(real).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return state_root(real, meta_path, configuration) / f"{real.name}-{digest}"
