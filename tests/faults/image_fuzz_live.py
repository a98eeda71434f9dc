"""Full images read slowly by a thread of their own, beside applications that do not wait for their turn.

In: a seed. Out: how many images were proven. Raises AssertionError when one does not give the checksum that was
captured at its begin (that captured states are right is the other fuzz's matter).
"""

import random
import threading
import time
from collections import Counter
from pathlib import Path

from litestreamd.basics.checksum import page_checksum, rolling
from litestreamd.basics.errors import BusyError, EnvironmentFault
from tests.support.habits import NEW, random_habits
from tests.support.live import Engine
from tests.support.workload import Writers, create_database

PAGE_SIZES = (512, 4096, 4096, 16384)


class SlowReader(threading.Thread):
    """One image from begin to end; `outcome` when it is over."""

    def __init__(self, engine: Engine, pause_s: float) -> None:
        super().__init__()
        header = engine.header
        engine.capture.take(header, engine.tick())
        self.image, self.checksum = engine.capture.image(header), engine.capture.head.checksum
        self.pause_s, self.outcome = pause_s, ""
        self.start()

    def run(self) -> None:
        checksums: list[int] = []
        try:
            while found := self.image.read():
                checksums += (page_checksum(pgno, page) for pgno, page in found)
                time.sleep(self.pause_s)
        except EnvironmentFault as error:
            self.outcome = str(error)
        else:
            self.outcome = "images" if rolling(checksums) == self.checksum else "wrong"


def run_live_round(seed: int, folder: Path, seconds: float = 2.0) -> Counter[str]:
    """Images one after the other for so long; out: how they ended."""
    chance, path = random.Random(seed), folder / "app.db"
    figures: Counter[str] = Counter()
    create_database(path, chance.choice(PAGE_SIZES), chance.randrange(3))
    habits = [random_habits(chance, libraries=(NEW,)) for _ in range(chance.choice((1, 2, 3)))]
    with Writers(path, folder / "acknowledged", seed) as writers, Engine(path) as engine:
        for each in habits:
            writers.start(each)
        writers.wait_acknowledged(5)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            reader = SlowReader(engine, chance.choice((0.0, 0.002, 0.02)))
            while reader.is_alive():
                _keep_up(engine, chance, figures)
            figures[reader.outcome] += 1
            if chance.random() < 0.2:
                writers.kill(chance.choice(writers.living))
                writers.start(chance.choice(habits))
        writers.stop()
    assert not figures["wrong"], f"{figures}"
    assert figures["images"], f"{figures}"
    return figures


def _keep_up(engine: Engine, chance: random.Random, figures: Counter[str]) -> None:
    """What a replication does, at random moments."""
    try:
        header = engine.header
        if engine.live.checkpointer_waits() or engine.keeper.needs_refresh(header):
            engine.refresh()
        if chance.random() < 0.3:
            figures["checkpoints"] += engine.keeper.checkpoint(engine.tick()).complete
        if chance.random() < 0.1:
            engine.keeper.truncate(engine.tick())
        engine.take()
    except BusyError:
        figures["busy"] += 1
    time.sleep(chance.random() * 0.01)
