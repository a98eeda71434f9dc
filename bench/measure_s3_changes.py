"""(s3) CPU for each GiB that went up, and memory: rows all over a database are updated, 1 MiB of pages a transaction.

Counted is all CPU from after the first image to the end of the final sync, against the bytes that the proxy saw.
"""

from bench.bucket import stage
from bench.figures import Figure
from bench.ground import LONG_S, MIB, PROGRAMS, Ground
from bench.measure_changes import change
from tests.support.programs import Program
from tests.support.replicator import cpu_seconds

MOST = 300 * MIB
GIB = 1 << 30


def measure(ground: Ground) -> list[Figure]:
    size = min(MOST, ground.size)
    ours, theirs = (_cost(ground, program, size) for program in PROGRAMS)
    what = f"{size // MIB} MiB of changes to a bucket"
    return [
        Figure(f"CPU per GiB shipped, {what}", "s", ours[0], theirs[0], "0.8x", lambda a, b: a <= 0.8 * b),
        Figure("  CPU in all", "s", ours[1], theirs[1]),
        Figure("  shipped", "MiB", ours[2] / MIB, theirs[2] / MIB),
        Figure("  peak memory", "MiB", ours[3] / MIB, theirs[3] / MIB),
    ]


def _cost(ground: Ground, program: Program, size: int) -> tuple[float, float, int, int]:
    with stage(ground, program, "s3-changes", size // 4) as where:
        where.replicator.start()
        where.wait_image()
        ground.say(f"s3-changes: {program.name}")
        before = cpu_seconds(where.replicator.pid)
        where.proxy.forget()
        change(where.path, size // MIB)
        where.replicator.stop_clean(LONG_S)
        cost = where.replicator.cost
        shipped = sum(seen.up for seen in where.proxy.requests())
    used = cost.cpu_s - before
    return used * GIB / shipped, used, shipped, cost.peak_bytes
