"""Where measurements happen: a temporary folder, sample databases made once, and both programs to start.

In: a folder and the size of "large". Out: copies of the sample, running replicators.
Promised: nothing outside the folder is written.
"""

import os
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from bench import sample
from tests.support import folder_listing
from tests.support.programs import LITESTREAM, OURS, Program
from tests.support.replicator import Protected, Replicator

PROGRAMS = (OURS, LITESTREAM)
MIB = 1 << 20
LONG_S = 900.0


class Ground:
    """One run of the bench."""

    def __init__(self, folder: Path, size_mib: int, idle_s: float, repetitions: int) -> None:
        self.folder, self.size, self.idle_s, self.repetitions = folder, size_mib * MIB, idle_s, repetitions
        self._samples: dict[int, Path] = {}
        self._images: dict[str, tuple[Replicator, float]] = {}

    def say(self, what: str) -> None:
        """Announce the next measurement, on a disk that has nothing left to write: whoever is measured right after a
        sample was made would pay for flushing it."""
        print(f"  {what}", file=sys.stderr, flush=True)
        os.sync()

    def place(self, name: str) -> Path:
        """A new empty folder."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def database(self, folder: Path, size: int) -> Path:
        """A copy of the sample of this size, in WAL mode, all of it in the file."""
        if size not in self._samples:
            self.say(f"making a sample of {size // MIB} MiB")
            self._samples[size] = self.folder / f"sample-{size}.db"
            sample.create(self._samples[size], size)
        return Path(shutil.copyfile(self._samples[size], folder / "app.db"))

    def replicator(
        self, program: Program, folder: Path, path: Path, options: Mapping[str, object] | None = None
    ) -> Replicator:
        """Default settings unless `options` says otherwise."""
        return Replicator(program, folder, [Protected(path, (folder / "replica",), options or {})])

    def started(self, program: Program, folder: Path, path: Path) -> Replicator:
        """Running, and the whole database is on the replica."""
        replicator = self.replicator(program, folder, path)
        replicator.start().wait(lambda: has_image(program, replicator.root), "a full image", LONG_S)
        return replicator

    def imaged(self, program: Program) -> tuple[Replicator, float]:
        """A stopped replicator with the large sample on its replica; seconds from its start to the full image."""
        if program.name not in self._images:
            folder = self.place(f"image-{program.name}")
            path = self.database(folder, self.size)
            self.say(f"first image of {self.size // MIB} MiB: {program.name}")
            with self.replicator(program, folder, path) as replicator:
                began = time.monotonic()
                replicator.start().wait(lambda: has_image(program, replicator.root), "a full image", LONG_S)
                seconds = time.monotonic() - began
                replicator.stop_clean(LONG_S)
            path.unlink()
            self._images[program.name] = replicator, seconds
        return self._images[program.name]


def has_image(program: Program, root: Path) -> bool:
    """Litestream's first image is level 0, 1-1; ours a snapshot."""
    level = 0 if program is LITESTREAM else folder_listing.SNAPSHOTS
    return any(each.min_txid == 1 for each in folder_listing.objects(root, (level,)))
