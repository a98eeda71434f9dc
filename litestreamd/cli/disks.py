"""Which disk something lies on.

In: paths, also of what does not exist yet. Out: plain answers (proc(5), mounts; stat(2), st_dev).
"""

import re
from pathlib import Path

SHARED = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs", "fuse.glusterfs", "afs"}
"""File systems without shared memory between machines, which SQLite's WAL needs ("Write-Ahead Logging", section 1)."""


_OCTAL = re.compile(r"\\([0-7]{3})")
"""How blanks and the like are written there."""


def kind_of_mount(path: Path) -> str | None:
    """The type of the file system, by the longest mount point above it; None when that cannot be told."""
    best, kind = "", None
    for line in Path("/proc/self/mounts").read_text().splitlines():
        fields = line.split(" ")
        point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), fields[1])
        if (path == Path(point) or Path(point) in path.parents) and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


def same_disk(one: Path, other: Path) -> bool:
    """Whether they lie, or would lie, on the same file system."""
    return existing_part(one).stat().st_dev == existing_part(other).stat().st_dev


def existing_part(path: Path) -> Path:
    """The path itself, or the nearest folder above it that is there."""
    return next(each for each in (path, *path.parents) if each.exists())
