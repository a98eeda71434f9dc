"""What `init` has to say about a setup that will work, and may not be what was meant.

In: an instance and its configuration. Out: sentences, each with the way out.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from litestreamd.basics.errors import LitestreamdError
from litestreamd.cli.disks import SHARED, kind_of_mount, same_disk
from litestreamd.config.load import load_config
from litestreamd.config.model import Config
from litestreamd.daemon.units import Units
from litestreamd.replica.folder.settings import FolderSettings
from litestreamd.replica.s3.settings import S3Settings

KEYS = Path("/etc/litestreamd/keys")
_MAGIC = b"SQLite format 3\0"


def concerns(instance: str, config: Config, credentials: bool) -> Iterator[str]:
    """All of them."""
    units = Units()
    if units.there and not units.exists(f"{instance}.service"):
        yield (
            f"there is no {instance}.service on this machine: an instance is named like the service it protects, and "
            "stands around it"
        )
    for settings in config.databases:
        if not settings.path.exists():
            waited = "it is restored, if there is a backup, or waited for"
            yield f"{settings.path} does not exist yet: {waited}{_meant(settings.path)}"
        elif kind_of_mount(settings.path.resolve()) in SHARED:
            yield f"{settings.path} lies on a network file system, where SQLite's WAL does not work"
        for spec in settings.replicas:
            if isinstance(spec.store, FolderSettings) and same_disk(spec.store.path, settings.path):
                yield f"{spec.store.path} is on the disk of the database: a replica there does not survive the disk"
    yield from _protected_already(config)
    yield from _keys(instance, config, credentials)


def _protected_already(config: Config) -> Iterator[str]:
    """What another instance has, too: the daemon that comes second is refused."""
    assert config.source is not None
    ours = {settings.path.resolve() for settings in config.databases}
    for path in sorted(config.source.parent.glob("*.yml")):
        with suppress(LitestreamdError):  # one that does not work protects nothing
            others = load_config(path, os.environ).databases if path != config.source else ()
            for settings in others:
                if settings.path.resolve() in ours:
                    yield f"{settings.path} is protected by the instance {path.stem} already: take it out of {path}"


def _meant(path: Path) -> str:
    """The databases that lie where this one does not: a name may be misspelt."""
    try:
        beside = [each.name for each in sorted(path.parent.iterdir()) if each.is_file() and _is_database(each)]
    except OSError:
        return ""
    return f" (beside it: {', '.join(beside[:5])}; was one of these meant?)" if beside else ""


def _is_database(path: Path) -> bool:
    """By the first bytes (SQLite file format, 1.3.1). Nothing has it open in this process: no lock is dropped."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _keys(instance: str, config: Config, credentials: bool) -> Iterator[str]:
    stores = [spec.store for settings in config.databases for spec in settings.replicas]
    buckets = [store for store in stores if isinstance(store, S3Settings)]
    if any(store.keys is not None for store in buckets):
        yield f"{config.source} holds access keys: better hand them over as credentials (docs/systemd.md)"
    elif buckets and not credentials and not any(store.profile for store in buckets):
        folder = KEYS / instance
        yield (
            "no access key is configured: unless a role of the machine gives one, write it into s3-access-key-id and "
            f"s3-secret-access-key (0600) in {folder}, and run this again with -credentials {folder}"
        )
