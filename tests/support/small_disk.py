"""A disk of a few hundred KiB that can be filled to the last block; needs root (a tmpfs is mounted).

In: a folder. Out: a `SmallDisk` mounted there for the time of a block.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BLOCK = 4096

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small tmpfs takes root")


class SmallDisk:
    """`fill(blocks)` leaves exactly so many blocks free; `make_room` frees all that was filled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    @property
    def free_blocks(self) -> int:
        return os.statvfs(self.folder).f_bavail

    def fill(self, leave_blocks: int) -> None:
        with self._filler.open("ab") as file:
            file.write(bytes((self.free_blocks - leave_blocks) * BLOCK))
        assert self.free_blocks == leave_blocks

    def make_room(self) -> None:
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path, kibibytes: int) -> Iterator[SmallDisk]:
    folder.mkdir(parents=True, exist_ok=True)
    options = f"size={kibibytes}k"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
