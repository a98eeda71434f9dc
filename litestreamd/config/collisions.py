"""Places that must not meet: one database twice, two replicas in one place, a replica in local state.

In: all databases of a configuration with their places. Out: sentences, each with the place of the later of the two.
Two databases in one replica would overwrite the meaning of each other's TXIDs, so that neither could be restored.
Paths of this machine are compared with symbolic links followed.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from litestreamd.config.databases import PlacedDatabase
from litestreamd.config.nodes import Mark
from litestreamd.database.state_paths import state_directory
from litestreamd.replica.folder.settings import FolderSettings
from litestreamd.replica.port import StoreSettings
from litestreamd.replica.s3.dialects import host_of
from litestreamd.replica.s3.settings import S3Settings

Collision = tuple[Mark, str]


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose a folder is, and where the file says so (line 0: on the command line)."""

    database: Path
    mark: Mark

    def line(self, word: str = "") -> str:
        """` (line 7)`; nothing for the command line."""
        return f" ({word}line {self.mark.line})" if self.mark.line else ""


@dataclass(frozen=True, slots=True)
class _Root:
    """A place: `where` is "" for the folders of this machine, else what holds the paths that can meet."""

    where: str
    path: Path

    @property
    def kind(self) -> str:
        return "path" if self.where else "folder"

    def __str__(self) -> str:
        return f"{self.path} in {self.where}" if self.where else str(self.path)


_Owners = dict[Path, _Owner]
_Roots = dict[_Root, _Owner]


def find_collisions(databases: Sequence[PlacedDatabase], source: Path | None) -> Iterator[Collision]:
    """Every collision once. `source` is the configuration's path: it decides where state lives."""
    paths: _Owners = {}
    folders: _Owners = {}
    states: _Owners = {}
    for database in databases:
        owner = _Owner(database.settings.path, database.mark)
        real = _real(owner.database)
        if database.folder is not None:
            if database.folder.recursive:
                folders[real] = owner
            continue
        if real in paths:
            yield owner.mark, f"the database {owner.database} was given before{paths[real].line()}"
            continue
        paths[real] = owner
        try:
            state = state_directory(owner.database, database.settings.meta_path, source)
        except (OSError, RuntimeError):
            yield owner.mark, f"symbolic links lead in a circle at {owner.database}"
        else:
            states[_real(state)] = owner
    roots: _Roots = {}
    for database in databases:
        for replica in database.replicas:
            owner = _Owner(database.settings.path, replica.mark)
            root = _root(replica.spec.store)
            sentence = _misplaced(root, paths, folders, states) or _shared(root, owner, roots.get(root))
            if sentence:
                yield owner.mark, sentence
            roots.setdefault(root, owner)
    yield from _nested(roots)


def _root(store: StoreSettings) -> _Root:
    if isinstance(store, FolderSettings):
        return _Root("", _real(store.path))
    if isinstance(store, S3Settings):
        # "" and "." and slashes around name one place in a bucket, or two so close that nobody should want them.
        return _Root(f"s3://{store.bucket} at {_service(store)}", Path("/", store.path.strip("/")))
    return _Root(store.url, Path("/"))


def _service(store: S3Settings) -> str:
    """Who has the bucket: all of AWS has one name for it, whichever region is asked."""
    return (
        S3Settings(store.bucket).service
        if f".{host_of(store.endpoint)}".endswith((".", ".amazonaws.com", ".amazonaws.com.cn"))
        else store.service
    )


def _misplaced(root: _Root, paths: _Owners, folders: _Owners, states: _Owners) -> str | None:
    """A replica in a database file, among databases or in local state."""
    if root.where:
        return None
    for place in (root.path, *root.path.parents):
        if place in paths:
            return f"the replica folder {root} is, or lies in, the database file {place}"
        if place in folders:
            return f"the replica folder {root} lies in the folder of databases {place}{folders[place].line()}"
        if place in states:
            return f"the replica folder {root} lies in the local state of {states[place].database} ({place})"
    return None


def _shared(root: _Root, owner: _Owner, other: _Owner | None) -> str | None:
    """Two replicas at one place."""
    if other is None:
        return None
    if other.database == owner.database:
        return f"another replica of this database has the {root.kind} {root} too{other.line()}"
    return (
        f"the {root.kind} {root} is already the replica of {other.database}{other.line()}:"
        " two databases in one place would ruin each other's history"
    )


def _nested(roots: _Roots) -> Iterator[Collision]:
    """A replica's place inside another's."""
    for root, owner in roots.items():
        around = (_Root(root.where, parent) for parent in root.path.parents)
        outer = next((each for each in around if each in roots), None)
        if outer is not None:
            earlier, later = sorted((owner, roots[outer]), key=lambda one: one.mark)
            where = earlier.line("see ")
            yield later.mark, f"the replica {root.kind} {root} lies inside the replica {root.kind} {outer}{where}"


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises on a loop of links
