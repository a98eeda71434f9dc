"""A folder replica as the tests see it: names only, read without the code under test.

In: the root of a folder replica (LTX layout `ltx/<level>/<min>-<max>.ltx`). Out: its objects, ascending.
"""

import re
from dataclasses import dataclass
from pathlib import Path

NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.ltx")
LEVELS = range(10)
SNAPSHOTS = 9


@dataclass(frozen=True, slots=True, order=True)
class Listed:
    """One complete object of a replica; `size` in bytes."""

    level: int
    min_txid: int
    max_txid: int
    size: int
    path: Path


def objects(root: Path, levels: range | tuple[int, ...] = LEVELS) -> list[Listed]:
    """Every object at the given levels; an absent folder is an empty one."""
    found = []
    for level in levels:
        folder = root / "ltx" / str(level)
        for path in folder.iterdir() if folder.is_dir() else ():
            match = NAME.fullmatch(path.name)
            if match:
                found.append(Listed(level, int(match[1], 16), int(match[2], 16), _size(path), path))
    return sorted(found)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # expired while we listed
        return 0


def head(root: Path) -> int:
    """The highest TXID on the replica, 0 on an empty one."""
    return max((each.max_txid for each in objects(root)), default=0)


def total_size(root: Path) -> int:
    return sum(each.size for each in objects(root))


def level_zero(root: Path) -> list[int]:
    """The TXIDs that every program can restore exactly: at level 0, and not older than the first full image."""
    listed = objects(root)
    first = min((each.max_txid for each in listed if each.min_txid == 1), default=0)
    return [each.max_txid for each in listed if each.level == 0 and each.max_txid >= first > 0]
