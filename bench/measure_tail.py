"""(i) Restore of a long tail: a full image and 127 level-0 objects, the same replica for both programs.

Once as we write it (with the database checksum, which is then the proof) and once as Litestream writes it (then every
file checksum is verified and SQLite asked, which Litestream does not do by itself). Seconds from start to end, peak
memory, and the bytes that the process read.
"""

import os
import statistics
from pathlib import Path

from bench.figures import Figure, Judge, at_most, times_better
from bench.ground import MIB, PROGRAMS, Ground
from bench.processes import run
from bench.tail import proven, tail

TURNS = 3


def measure(ground: Ground) -> list[Figure]:
    made = tail(ground)
    return [
        *_figures(ground, proven(made), "restore of a long tail", "4x", times_better(4)),
        *_figures(ground, made.root, "the same from Litestream's own", "", None),
    ]


def _figures(ground: Ground, root: Path, what: str, target: str, judge: Judge | None) -> list[Figure]:
    found: dict[str, list[tuple[float, int, int]]] = {program.name: [] for program in PROGRAMS}
    for turn in range(min(TURNS, ground.repetitions)):
        for program in PROGRAMS:
            ground.say(f"{what} {turn + 1}: {program.name}")
            out = ground.folder / "restored.db"
            os.sync()  # nobody pays for what another left unwritten
            found[program.name].append(run(program.restore(root, out)))
            out.unlink()
    columns = [[statistics.median(column) for column in zip(*found[program.name], strict=True)] for program in PROGRAMS]
    (our_s, our_peak, our_read), (their_s, their_peak, their_read) = columns
    return [
        Figure(what, "s", our_s, their_s, target, judge),
        Figure("  peak memory", "MiB", our_peak / MIB, their_peak / MIB, "< 150 MiB", at_most(150)),
        Figure("  bytes read", "MiB", our_read / MIB, their_read / MIB),
    ]
