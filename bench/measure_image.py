"""(b) The first full image: seconds from the start of the program until the replica can be restored."""

from bench.figures import Figure, times_better
from bench.ground import MIB, PROGRAMS, Ground


def measure(ground: Ground) -> list[Figure]:
    (ours, our_seconds), (theirs, their_seconds) = (ground.imaged(program) for program in PROGRAMS)
    size = f"{ground.size // MIB} MiB"
    return [
        Figure(f"first image, {size}", "s", our_seconds, their_seconds, "3x", times_better(3)),
        Figure("  its CPU", "s", ours.cost.cpu_s, theirs.cost.cpu_s),
        Figure("  its peak memory", "MiB", ours.cost.peak_bytes / MIB, theirs.cost.peak_bytes / MIB),
    ]
