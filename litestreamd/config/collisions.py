"""Places that must not meet: one database twice, two replicas in one folder, a replica in local state.

In: all databases of a configuration with their places. Out: faults at the later of the two.
Two databases in one replica folder would overwrite the meaning of each other's TXIDs, so that neither
could be restored. Paths are compared with symbolic links followed.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from litestreamd.config.databases import PlacedDatabase
from litestreamd.config.faults import Faults
from litestreamd.config.nodes import Mark
from litestreamd.database.state_paths import state_directory


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose a folder is, and where the file says so."""

    database: Path
    mark: Mark


def check_collisions(databases: Iterable[PlacedDatabase], source: Path | None, faults: Faults) -> None:
    """Note a fault for every collision. `source` is the configuration's path: it decides where state lives."""
    databases = list(databases)
    paths: dict[Path, _Owner] = {}
    states: dict[Path, _Owner] = {}
    for database in databases:
        owner = _Owner(database.settings.path, database.mark)
        real = _real(owner.database)
        if real in paths:
            faults.add(owner.mark, f"the database {owner.database} was given before, on line {paths[real].mark.line}")
            continue
        paths[real] = owner
        try:
            state = state_directory(owner.database, database.settings.meta_path, source)
        except (OSError, RuntimeError):
            faults.add(owner.mark, f"symbolic links lead in a circle at {owner.database}")
        else:
            states[_real(state)] = owner
    _check_roots(databases, paths, states, faults)


def _check_roots(
    databases: list[PlacedDatabase], paths: dict[Path, _Owner], states: dict[Path, _Owner], faults: Faults
) -> None:
    """Hold every replica's folder against databases, state and the folders of all other replicas."""
    roots: dict[Path, _Owner] = {}
    for database in databases:
        for replica in database.replicas:
            owner = _Owner(database.settings.path, replica.mark)
            root = _real(Path(replica.spec.path))
            fault = _fault_of(root, owner, roots, paths, states)
            if fault is not None:
                faults.add(owner.mark, fault)
            roots.setdefault(root, owner)
    for root, owner in roots.items():
        outer = next((parent for parent in root.parents if parent in roots), None)
        if outer is not None:
            later, earlier = sorted((owner.mark, roots[outer].mark), reverse=True)
            faults.add(
                later, f"the replica folder {root} lies inside the replica folder {outer} (see line {earlier.line})"
            )


def _fault_of(
    root: Path, owner: _Owner, roots: dict[Path, _Owner], paths: dict[Path, _Owner], states: dict[Path, _Owner]
) -> str | None:
    """Why this folder cannot be a replica's; nesting of replicas is looked at when all are known."""
    for place in (root, *root.parents):
        if place in paths:
            return f"the replica folder {root} is, or lies in, the database file {place}"
        if place in states:
            return f"the replica folder {root} lies in the local state of {states[place].database} ({place})"
    other = roots.get(root)
    if other is None:
        return None
    if other.database == owner.database:
        return f"another replica of this database has the folder {root} too (line {other.mark.line})"
    return (
        f"the folder {root} is already the replica of {other.database} (line {other.mark.line}):"
        " two databases in one folder would ruin each other's history"
    )


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve raises on a loop of links
