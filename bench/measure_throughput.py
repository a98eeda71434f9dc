"""(d) What protection costs an application at full speed: its commits per second alone and beside each program.

The three take turns, several times over; medians are told.
"""

import statistics
import subprocess
import sys
from contextlib import nullcontext

from bench.figures import Figure
from bench.ground import MIB, PROGRAMS, Ground
from tests.support.programs import Program, environment

SECONDS = 6.0
ALONE = "alone"


def measure(ground: Ground) -> list[Figure]:
    found: dict[str, list[tuple[float, float]]] = {ALONE: [], **{program.name: [] for program in PROGRAMS}}
    for turn in range(ground.repetitions):
        for program in (None, *PROGRAMS):
            name = program.name if program else ALONE
            ground.say(f"throughput {turn + 1} of {ground.repetitions}: {name}")
            found[name].append(_run(ground, program))
    rate = {name: statistics.median(each[0] for each in pairs) for name, pairs in found.items()}
    slow = {name: statistics.median(each[1] for each in pairs) for name, pairs in found.items()}
    ours, theirs = (program.name for program in PROGRAMS)
    return [
        Figure(
            f"commits/s beside it (alone {rate[ALONE]:.0f})",
            "/s",
            rate[ours],
            rate[theirs],
            "no slower",
            lambda a, b: a >= b,
        ),
        Figure(f"  p99 of a commit (alone {slow[ALONE]:.3g} ms)", "ms", slow[ours], slow[theirs]),
    ]


def _run(ground: Ground, program: Program | None) -> tuple[float, float]:
    folder = ground.place("throughput")
    path = ground.database(folder, 10 * MIB)
    with ground.started(program, folder, path) if program else nullcontext():
        command = [sys.executable, "-m", "bench.full_speed", str(path), str(SECONDS)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment(), check=True)
    rate, slow = map(float, done.stdout.split())
    return rate, slow
