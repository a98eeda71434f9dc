"""(c) Restore of a large database, each program from its own replica; both end with fsync and rename."""

import statistics
import time

from bench.figures import Figure, times_better
from bench.ground import LONG_S, MIB, PROGRAMS, Ground
from tests.support.programs import Program, restore

TURNS = 3


def measure(ground: Ground) -> list[Figure]:
    """Medians of several restores, the programs taking turns."""
    found: dict[str, list[float]] = {program.name: [] for program in PROGRAMS}
    for turn in range(min(TURNS, ground.repetitions)):
        for program in PROGRAMS:
            ground.say(f"restore {turn + 1}: {program.name}")
            found[program.name].append(_seconds(ground, program))
    ours, theirs = (statistics.median(found[program.name]) for program in PROGRAMS)
    return [Figure(f"restore, {ground.size // MIB} MiB", "s", ours, theirs, "4x", times_better(4))]


def _seconds(ground: Ground, program: Program) -> float:
    replicator, _ = ground.imaged(program)
    out = ground.folder / "restored.db"
    began = time.monotonic()
    restore(program, replicator.root, out, deadline_s=LONG_S)
    seconds = time.monotonic() - began
    out.unlink()
    return seconds
