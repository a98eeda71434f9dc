"""Full images read slowly while everything moves: `python -m tests.faults.image_fuzz --rounds 1000 --seed 1`.

In: a seed. Out: a round's figures, or AssertionError. One round: an application (another process) and the engine take
turns at random: commits, VACUUM, shrinking and growing, spilled and rolled-back transactions, checkpoints of all modes
by either, readers that stay, kills; in between one or two images are read a few pages at a time.
Promised: every image is, byte for byte, what the application saw when it began, and has the head's checksum.
"""

import argparse
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from litestreamd.basics.checksum import page_checksum, rolling
from litestreamd.basics.errors import EnvironmentFault
from litestreamd.database import moving_image
from litestreamd.database.followers import Followers
from litestreamd.database.moving_image import MovingImage
from litestreamd.wal.index import IndexHeader
from tests.faults.image_fuzz_live import run_live_round
from tests.support import images
from tests.support.live import NEW, STOCK, App, Engine, SqlError, create, insert

PAGE_SIZES = (512, 1024, 4096, 4096, 8192, 65536)
MOST_BYTES = 3 << 20


@dataclass
class Reading:
    """An image on its way, and what it has to become."""

    image: MovingImage
    expected: bytes
    checksum: int
    pages: list[tuple[int, bytes]] = field(default_factory=list)

    def go_on(self, portions: int) -> bool:
        """Out: whether it is complete."""
        for _ in range(portions):
            found = self.image.read()
            self.pages += found
            if not found:
                return True
        return False


class Meddled(Followers):
    """Something happens between the begin of the next guard and the moment its readers are told."""

    def __init__(self, meddle: Callable[[], None]) -> None:
        super().__init__()
        self._meddle = meddle

    def follow(self, header: IndexHeader) -> None:
        self._meddle()
        super().follow(header)


class Round:
    """One database, from the seed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.path = folder / "app.db"
        self.page_size = self.chance.choice(PAGE_SIZES)
        self.library = self.chance.choice((STOCK, NEW))
        vacuum = self.chance.choice(("NONE", "FULL", "INCREMENTAL"))
        create(self.path, self.page_size, vacuum, rows=self.chance.choice((50, 500, 2000)))
        self.app = self._new_app()
        self.reader: App | None = None
        self.engine = Engine(self.path)
        self.engine.live.followers = Meddled(self._meddle)
        self.engine.open()
        self.readings: list[Reading] = []
        self.figures: Counter[str] = Counter()

    def run(self, steps: int) -> Counter[str]:
        try:
            for _ in range(steps):
                self._step()
            while self.readings:
                self.chance.choice((self._act, self._keep_house))()
                self._read(8)
        finally:
            for app in (self.app, self.reader):
                if app is not None:
                    app.kill()
            self.engine.close()
        return self.figures

    def _step(self) -> None:
        if len(self.readings) < 2 and self.chance.random() < 0.2:
            self._begin()
        self.chance.choice((self._act, self._act, self._keep_house))()
        self._read(self.chance.choice((0, 0, 1, 3)))

    def _begin(self) -> None:
        header = self.engine.header
        self.engine.capture.take(header, self.engine.tick())
        image = self.engine.capture.image(header)
        self.readings.append(Reading(image, self.app.image(), self.engine.capture.head.checksum))

    def _read(self, portions: int) -> None:
        for reading in list(self.readings):
            self.figures["kept"] += reading.image.kept_bytes > 0
            if reading.go_on(portions):
                self._prove(reading)
                self.readings.remove(reading)

    def _prove(self, reading: Reading) -> None:
        found = b"".join(page for _, page in reading.pages)
        difference = images.first_difference(found, reading.expected, self.page_size)
        assert not difference, difference
        assert rolling(page_checksum(*page) for page in reading.pages) == reading.checksum
        self.figures["images"] += 1

    # The application

    def _meddle(self) -> None:
        if self.chance.random() < 0.5:
            with suppress(SqlError):
                self.app.write("UPDATE t SET b = randomblob(length(b)) WHERE id % 5 = 0")
            with suppress(SqlError):
                self._checkpoint()

    def _act(self) -> None:
        deeds = (self._grow, self._change, self._change, self._shrink, self._rewrite, self._undo, self._checkpoint,
                 self._checkpoint, self._read_on, self._die)  # fmt: skip
        try:
            self.chance.choice(deeds)()
        except SqlError:
            self.figures["refused"] += 1
            with suppress(SqlError):
                self.app.run("ROLLBACK")

    def _grow(self) -> None:
        if self.app.run("PRAGMA page_count")[0][0] * self.page_size < MOST_BYTES:
            self.app.write(insert(self.chance.choice((1, 50, 500)), self.chance.choice((50, 400, 4000))))

    def _change(self) -> None:
        share, which = self.chance.choice((2, 10, 100)), self.chance.randrange(100)
        self.app.write(f"UPDATE t SET b = randomblob(length(b)) WHERE id % {share} = {which % share}")

    def _shrink(self) -> None:
        self.app.write(f"DELETE FROM t WHERE id % 4 <> {self.chance.randrange(4)}")
        self.app.run(self.chance.choice(("VACUUM", "PRAGMA incremental_vacuum(100)", "SELECT 1")))

    def _rewrite(self) -> None:
        self.app.run("VACUUM")

    def _undo(self) -> None:
        """Spilled, rolled back in part, written over."""
        self.app.run(f"PRAGMA cache_size={self.chance.choice((10, 2000))}")
        self.app.run("BEGIN IMMEDIATE")
        self.app.run(insert(self.chance.choice((10, 300))))
        self.app.run("SAVEPOINT s")
        self.app.run("UPDATE t SET b = randomblob(length(b))")
        self.app.run(self.chance.choice(("ROLLBACK TO s", "RELEASE s")))
        self.app.run(insert(3))
        self.app.run(self.chance.choice(("COMMIT", "COMMIT", "ROLLBACK")))

    def _checkpoint(self) -> None:
        self.app.checkpoint(self.chance.choice(("PASSIVE", "FULL", "RESTART", "TRUNCATE")))

    def _read_on(self) -> None:
        if self.reader is None:
            self.reader = self._new_app()
            self.reader.run("BEGIN")
            self.reader.run("SELECT count(*) FROM t")
        else:
            self.reader.kill()
            self.reader = None

    def _die(self) -> None:
        if self.chance.random() < 0.3:
            self.app.run("BEGIN IMMEDIATE")
            self.app.run("UPDATE t SET b = randomblob(length(b))")
            self.app.kill()
            self.app = self._new_app()

    def _new_app(self) -> App:
        return App(self.path, self.library, autocheckpoint=self.chance.choice((0, 0, 1, 50)))

    # The engine

    def _keep_house(self) -> None:
        engine = self.engine
        salts, marks = engine.header.salts, engine.keeper.may_stand_on_zero
        deed: Any = self.chance.choice(
            (engine.keeper.refresh, engine.keeper.refresh, engine.keeper.checkpoint, engine.keeper.truncate, self._take)
        )
        deed(engine.tick())
        self.figures["restarts"] += engine.header.salts != salts
        self.figures["off mark 0"] += marks and not engine.keeper.may_stand_on_zero

    def _take(self, now_ms: int) -> None:
        header = self.engine.header
        self.engine.capture.take(header, now_ms)
        if self.chance.random() < 0.3:
            self.engine.live.followers.follow(header)  # ahead of the guard is allowed too


def run_round(seed: int, folder: Path, steps: int = 40) -> Counter[str]:
    """One round; out: how often what was met. Raises AssertionError."""
    portion = random.Random(seed).choice((1, 16384, 65536))
    try:
        with patch.object(moving_image, "PORTION", portion):
            return Round(seed, folder).run(steps)
    except EnvironmentFault as error:
        raise AssertionError(f"an image was given up: {error}") from error


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.image_fuzz")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--live", action="store_true", help="beside applications that do not wait for their turn")
    given = parser.parse_args()
    total: Counter[str] = Counter()
    for seed in range(given.seed, given.seed + given.rounds):
        folder = Path(tempfile.mkdtemp(prefix="image-fuzz-"))
        try:
            total += run_live_round(seed, folder) if given.live else run_round(seed, folder)
        except BaseException:
            print(f"round {seed} failed; its folder is kept: {folder}", flush=True)
            raise
        shutil.rmtree(folder)
        if seed % 50 == 0:
            print(f"round {seed}: {dict(total)}", flush=True)
    print(f"{given.rounds} rounds: {dict(total)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
