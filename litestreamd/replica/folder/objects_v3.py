"""What Litestream 0.3 left in a folder replica.

In: a descriptor of the root. Out: its snapshots and WAL segments with their sizes and times. Other names are ignored,
as 0.3 ignores them; a folder that cannot be read is an error (OSError, which the caller translates).
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress

from litestreamd.replica.port import StoredV3
from litestreamd.v3.names import FOLDER, V3Name, is_generation, parse_segment, parse_snapshot

_KINDS: tuple[tuple[str, Callable[[str, str], V3Name | None]], ...] = (
    ("snapshots", parse_snapshot),
    ("wal", parse_segment),
)


def objects_v3(root: int) -> list[StoredV3]:
    """All objects: by generation its snapshots, then its segments, ascending."""
    found: list[StoredV3] = []
    for generation in sorted(filter(is_generation, _names(root, FOLDER))):
        for folder, parse in _KINDS:
            found += sorted(_seen(root, f"{FOLDER}/{generation}/{folder}", generation, parse), key=_place)
    return found


def _place(stored: StoredV3) -> tuple[int, int]:
    return stored.name.index, getattr(stored.name, "offset", 0)


def _seen(root: int, folder: str, generation: str, parse: Callable[[str, str], V3Name | None]) -> Iterator[StoredV3]:
    try:
        descriptor = _open(root, folder)
    except FileNotFoundError:
        return
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                name = parse(generation, entry.name)
                if name is None or not entry.is_file():
                    continue
                # Retention of a 0.3 at work may delete between the scan and the stat.
                with suppress(FileNotFoundError):
                    status = entry.stat()
                    yield StoredV3(name, status.st_size, status.st_mtime_ns, status.st_mode & 0o777)
    finally:
        os.close(descriptor)


def _names(root: int, folder: str) -> list[str]:
    try:
        descriptor = _open(root, folder)
    except FileNotFoundError:
        return []
    try:
        return os.listdir(descriptor)
    finally:
        os.close(descriptor)


def _open(root: int, folder: str) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
