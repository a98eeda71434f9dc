"""Places that must not meet: one database twice, two replicas in one folder, a replica in local state.

In: all databases of a configuration with their places. Out: sentences, each with the place of the later of the two.
Two databases in one replica folder would overwrite the meaning of each other's TXIDs, so that neither
could be restored. Paths are compared with symbolic links followed.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from litestreamd.config.databases import PlacedDatabase
from litestreamd.config.nodes import Mark
from litestreamd.database.state_paths import state_directory

Collision = tuple[Mark, str]


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose a folder is, and where the file says so (line 0: on the command line)."""

    database: Path
    mark: Mark

    def line(self, word: str = "") -> str:
        """` (line 7)`; nothing for the command line."""
        return f" ({word}line {self.mark.line})" if self.mark.line else ""


_Owners = dict[Path, _Owner]


def find_collisions(databases: Sequence[PlacedDatabase], source: Path | None) -> Iterator[Collision]:
    """Every collision once. `source` is the configuration's path: it decides where state lives."""
    paths: _Owners = {}
    states: _Owners = {}
    for database in databases:
        owner = _Owner(database.settings.path, database.mark)
        real = _real(owner.database)
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
    roots: _Owners = {}
    for database in databases:
        for replica in database.replicas:
            owner = _Owner(database.settings.path, replica.mark)
            root = _real(Path(replica.spec.path))
            sentence = _misplaced(root, paths, states) or _shared(root, owner, roots.get(root))
            if sentence:
                yield owner.mark, sentence
            roots.setdefault(root, owner)
    yield from _nested(roots)


def _misplaced(root: Path, paths: _Owners, states: _Owners) -> str | None:
    """A replica in a database file or in local state."""
    for place in (root, *root.parents):
        if place in paths:
            return f"the replica folder {root} is, or lies in, the database file {place}"
        if place in states:
            return f"the replica folder {root} lies in the local state of {states[place].database} ({place})"
    return None


def _shared(root: Path, owner: _Owner, other: _Owner | None) -> str | None:
    """Two replicas in one folder."""
    if other is None:
        return None
    if other.database == owner.database:
        return f"another replica of this database has the folder {root} too{other.line()}"
    return (
        f"the folder {root} is already the replica of {other.database}{other.line()}:"
        " two databases in one folder would ruin each other's history"
    )


def _nested(roots: _Owners) -> Iterator[Collision]:
    """A replica's folder inside another's."""
    for root, owner in roots.items():
        outer = next((parent for parent in root.parents if parent in roots), None)
        if outer is not None:
            earlier, later = sorted((owner, roots[outer]), key=lambda one: one.mark)
            yield later.mark, f"the replica folder {root} lies inside the replica folder {outer}{earlier.line('see ')}"


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises on a loop of links
