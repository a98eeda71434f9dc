"""The configuration that `init` makes from a command line.

In: -db and -replica. Out: a Draft, checked by our own reader; the file, unless it says the same already. Promised:
what says something else is refused with the difference, or with -force kept beside; a key in the environment or a file
stays there.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from litestreamd.basics.clock import format_time
from litestreamd.basics.errors import ConfigError, ConflictError, UsageError
from litestreamd.cli.init_files import give_to_service, replace_file
from litestreamd.cli.options import Arguments
from litestreamd.cli.selection import instance_file
from litestreamd.config.check import check_config
from litestreamd.config.load import load_config
from litestreamd.config.model import Config
from litestreamd.config.new_configuration import new_configuration
from litestreamd.config.owner_dropin import Owner
from litestreamd.config.places import database_path
from litestreamd.replica.port import StoreSettings
from litestreamd.replica.s3.settings import S3Settings


@dataclass(frozen=True, slots=True)
class Draft:
    """text: of the file. config: what it means, or what the file that is there means. there: it says the same. kept:
    where one that says something else goes."""

    text: str
    config: Config
    there: bool
    kept: Path | None

    def write(self, owner: Owner, dry: bool) -> list[str]:
        """Put it in place; out: what was done."""
        path = self.config.source
        assert path is not None
        if self.there:
            return [f"{path}: right already"]
        done = "would be written" if dry else "written"
        if not dry:
            if self.kept is not None:
                os.link(path, self.kept)  # there is a configuration at every moment
            replace_file(path, self.text, 0o640)
            give_to_service(path, owner)
        kept = f", what was there is kept as {self.kept}" if self.kept is not None else ""
        return [f"{path}: {done}{kept}"]


def draft_of(instance: str, arguments: Arguments) -> Draft | None:
    """What the command line asks for; None: it names no database. Raises UsageError, ConfigError, ConflictError."""
    databases, replicas = arguments.texts("db"), arguments.texts("replica")
    if not databases and not replicas:
        return None
    if not databases or not replicas:
        missing = "-replica URL" if databases else "-db PATH"
        raise UsageError(f"a new configuration takes both: {missing} is missing")
    path = instance_file(instance)
    paths = [database_path(text, os.environ) for text in databases]
    text = new_configuration(instance, paths, replicas, os.environ)
    config = check_config(text.encode(), path, os.environ)
    if not path.exists():
        return Draft(text, config, there=False, kept=None)
    try:
        present = load_config(path, os.environ, expand_env=not arguments.switch("no-expand-env"))
    except ConfigError:
        if not arguments.switch("force"):
            raise
        difference: str | None = "cannot be read"
    else:
        difference = next(_differences(config, present), None)
        if difference is None:
            return Draft(text, present, there=True, kept=None)
    if not arguments.switch("force"):
        raise ConflictError(f"{path} is there and {difference}: edit it, or replace it with -force (it is kept beside)")
    stamp = format_time(time.time_ns() // 1_000_000).replace(":", "")
    return Draft(text, config, there=False, kept=path.with_name(f"{path.name}.before-{stamp}"))


def _differences(wanted: Config, present: Config) -> Iterator[str]:
    """What the file that is there lacks, or says otherwise; other keys are its owner's business."""
    known = {settings.path: settings for settings in present.databases}
    for settings in wanted.databases:
        if settings.path not in known:
            yield f"has no database {settings.path}"
            continue
        there = {spec.store.url: _without_keys(spec.store) for spec in known[settings.path].replicas}
        for spec in settings.replicas:
            if spec.store.url not in there:
                yield f"has no replica {spec.store.url} of {settings.path}"
            elif there[spec.store.url] != spec.store:
                yield f"has other settings for the replica {spec.store.url} of {settings.path}"


def _without_keys(store: StoreSettings) -> StoreSettings:
    """Where keys come from is its owner's business."""
    return replace(store, keys=None, profile=None) if isinstance(store, S3Settings) else store
