"""(c) Restore of a large database, each program from its own replica; both end with fsync and rename."""

import time

from bench.figures import Figure, times_better
from bench.ground import LONG_S, MIB, PROGRAMS, Ground
from tests.support.programs import Program, restore


def measure(ground: Ground) -> list[Figure]:
    ours, theirs = (_seconds(ground, program) for program in PROGRAMS)
    return [Figure(f"restore, {ground.size // MIB} MiB", "s", ours, theirs, "4x", times_better(4))]


def _seconds(ground: Ground, program: Program) -> float:
    replicator, _ = ground.imaged(program)
    ground.say(f"restore: {program.name}")
    out = ground.folder / "restored.db"
    began = time.monotonic()
    restore(program, replicator.root, out, deadline_s=LONG_S)
    seconds = time.monotonic() - began
    out.unlink()
    return seconds
