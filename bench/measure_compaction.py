"""(h) Compaction of level 0 into level 1: the long tail alone, and with the full image below it.

The same objects for both. Litestream compacts at wall-clock multiples of an interval: it is started again on a database
at rest, and timed from the moment its temporary file of level 1 appears to the moment the object has its name; bytes
are what its process read and wrote meanwhile (/proc/PID/io), memory its peak since the start. Ours is one Compaction
into a folder replica, in a process of its own, its bytes counted at the replica. Both end with fsync and rename.
Throughput is told in MiB of input objects a second. The programs take turns; medians are told.
"""

import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.figures import Figure, at_least
from bench.ground import LONG_S, MIB, Ground
from bench.processes import bytes_read, peak_memory
from bench.tail import FIRST, Tail, tail
from tests.support import folder_listing
from tests.support.programs import environment
from tests.support.waiting import until

TURNS = 3
INTERVAL = "5s"


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds, bytes of peak memory, bytes read."""

    seconds: float
    peak: int
    read: int


def measure(ground: Ground) -> list[Figure]:
    made = tail(ground)
    return [*_figures(made, with_image=False), *_figures(made, with_image=True)]


def _figures(made: Tail, with_image: bool) -> list[Figure]:
    sources = [each for each in folder_listing.objects(made.root, (0,)) if with_image or each.min_txid > 1]
    size = sum(each.size for each in sources) / MIB
    ours, theirs = [], []
    for turn in range(1 if with_image else min(TURNS, made.ground.repetitions)):
        what = f"compaction of {len(sources)} objects, {size:.0f} MiB"
        made.ground.say(f"{what}, {turn + 1}: litestreamd")
        ours.append(_ours(made, sources[0].min_txid, sources[-1].max_txid))
        made.ground.say(f"{what}, {turn + 1}: Litestream")
        theirs.append(_theirs(made, with_image))

    def median(of: Callable[[Run], float]) -> tuple[float, float]:
        return statistics.median(map(of, ours)), statistics.median(map(of, theirs))

    return [
        Figure(what, "MiB/s", *median(lambda run: size / run.seconds), "2x", at_least(2)),
        Figure("  peak memory", "MiB", *median(lambda run: run.peak / MIB)),
        Figure("  bytes read", "MiB", *median(lambda run: run.read / MIB)),
    ]


def _ours(made: Tail, first: int, last: int) -> Run:
    out = made.ground.place("compacted")
    command = [sys.executable, "-m", "bench.compact_once", str(made.root), str(out / "replica"), str(first), str(last)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONG_S, env=environment(), check=True)
    seconds, peak, read = done.stdout.split()
    shutil.rmtree(out)
    return Run(float(seconds), int(peak), int(read))


def _theirs(made: Tail, with_image: bool) -> Run:
    level = made.root / "ltx" / "1"
    shutil.rmtree(level, ignore_errors=True)
    level.mkdir()
    if not with_image:
        shutil.copy2(made.root / "ltx" / "0" / FIRST.file_name, level)
    known = set(level.iterdir())
    with made.litestream([{"interval": INTERVAL}]) as litestream:
        litestream.start()
        until(lambda: set(level.iterdir()) - known, "the temporary file of level 1", LONG_S)
        began, read = time.monotonic(), bytes_read(litestream.pid)
        until(lambda: set(level.glob("*.ltx")) - known, "the object of level 1", LONG_S)
        run = Run(time.monotonic() - began, peak_memory(litestream.pid), bytes_read(litestream.pid) - read)
        litestream.stop_clean(LONG_S)
    shutil.rmtree(level)
    return run
