"""Folders of databases (`dir:`): which files in them are databases, and what holds for each.

In: a DatabaseFolder, the disk as it is now. Out: DatabaseSettings, as if each had an entry of its own.
Promised: two databases of a folder never share a place, for each has its path below the folder appended to the places
of the template; a file that is not (yet) a database of SQLite is no database; one file with two names is one database.
A file that this process holds open is not opened again: closing it would drop SQLite's locks on it (fcntl(2): a process
loses its record locks on a file with the first descriptor of it that is closed).
"""

import fnmatch
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from litestreamd.config.model import Config, DatabaseFolder, DatabaseSettings

MAGIC = b"SQLite format 3\x00"
"""The first bytes of a database (SQLite file format, section 1.3)."""

_NOTHING_HELD: Mapping[tuple[int, int], Path] = {}
_SIDE_FILES = ("-wal", "-shm", "-journal")
_KEPT_BY_RESTORE = ".before-"


def settings_of(folder: DatabaseFolder, path: Path) -> DatabaseSettings:
    """What holds for a database below the folder, whether it exists or not."""
    below = path.relative_to(folder.directory).as_posix()
    replicas = tuple(replace(spec, store=spec.store.below(below)) for spec in folder.template.replicas)
    return replace(folder.template, path=path, replicas=replicas)


def belongs(folder: DatabaseFolder, path: Path) -> bool:
    """Whether a file of this path would be one of the folder's databases, by its name and place alone."""
    if folder.directory not in path.parents:
        return False
    between = path.relative_to(folder.directory).parts[:-1]
    if between and (not folder.recursive or any(name.startswith(".") for name in between)):
        return False
    return _is_wanted(folder, path.name)


Identity = tuple[int, int]
"""Device and inode."""


def databases_in(folder: DatabaseFolder, held: Mapping[Identity, Path] = _NOTHING_HELD) -> tuple[DatabaseSettings, ...]:
    """The databases that are there now, by path. What cannot be looked at is passed over, and looked at again. `held`:
    files that this process has open as databases, and under which path."""
    names, accepted = dict(held), []
    for path in sorted(_files(folder, folder.directory)):
        found = identity(path)
        if found is not None and names.get(found, path) == path and (found in held or _is_database(path)):
            names[found] = path
            accepted.append(settings_of(folder, path))
    return tuple(accepted)


def identity(path: Path) -> Identity | None:
    """What a path leads to; None when that is no regular file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def folders_in(folder: DatabaseFolder) -> list[Path]:
    """The folders that may hold databases: the one of the entry and, if that is wanted, all below it."""
    return [folder.directory, *(_folders(folder.directory) if folder.recursive else ())]


def all_databases(config: Config) -> tuple[DatabaseSettings, ...]:
    """Those with an entry of their own, and those that the folders hold now."""
    named = {settings.path for settings in config.databases}
    held = {file: path for path in named if (file := identity(path)) is not None}
    found = (each for folder in config.folders for each in databases_in(folder, held) if each.path not in named)
    return (*config.databases, *found)


def _is_wanted(folder: DatabaseFolder, name: str) -> bool:
    if name.endswith(_SIDE_FILES) or _KEPT_BY_RESTORE in name or name.startswith("."):
        return False
    return fnmatch.fnmatchcase(name, folder.pattern)


def _files(folder: DatabaseFolder, directory: Path) -> Iterator[Path]:
    for entry in _entries(directory):
        if _is_folder(entry):
            if folder.recursive:
                yield from _files(folder, Path(entry.path))
        elif _is_wanted(folder, entry.name):
            yield Path(entry.path)


def _folders(directory: Path) -> Iterator[Path]:
    for entry in _entries(directory):
        if _is_folder(entry):
            yield Path(entry.path)
            yield from _folders(Path(entry.path))


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError:
        return []


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """One to look into: links may lead in circles, and hidden ones hold what is not the user's (our own state)."""
    try:
        return entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
    except OSError:
        return False


def _is_database(path: Path) -> bool:
    try:
        # O_NONBLOCK: a named pipe that somebody put here must not hold us for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.read(descriptor, len(MAGIC)) == MAGIC
    except OSError:
        return False
    finally:
        os.close(descriptor)
