"""(f) Doing nothing with 1 and with 100 databases: CPU, memory, descriptors. Both programs idle side by side."""

import time
from contextlib import ExitStack

from bench.figures import Figure, at_most, no_worse
from bench.ground import MIB, PROGRAMS, Ground, has_image
from tests.support.programs import Program
from tests.support.replicator import Protected, Replicator, cpu_seconds, descriptors, resident
from tests.support.workload import create_database

COUNTS = (1, 100)
SETTLE_S = 35.0
"""Longer than Litestream's first level interval."""


def measure(ground: Ground) -> list[Figure]:
    figures = []
    open_files: dict[int, tuple[float, ...]] = {}
    for count in COUNTS:
        ours, theirs = _idle(ground, count)
        label = f"idle, {count} database{'s' if count > 1 else ''}"
        figures += [
            Figure(f"{label}: CPU", "%", ours[0], theirs[0], "no more", no_worse),
            Figure(f"{label}: memory", "MiB", ours[1], theirs[1]),
        ]
        open_files[count] = (ours[2], theirs[2])
    few, many = COUNTS
    each = [(more - less) / (many - few) for less, more in zip(open_files[few], open_files[many], strict=True)]
    return [*figures, Figure("idle: descriptors a database", "", each[0], each[1], "<= 6", at_most(6))]


def _idle(ground: Ground, count: int) -> list[tuple[float, float, float]]:
    """For each program: CPU in percent, memory in MiB, open descriptors."""
    with ExitStack() as stack:
        running = [stack.enter_context(_start(ground, program, count)) for program in PROGRAMS]
        ground.say(f"idle: {count} databases, {SETTLE_S + ground.idle_s:g} s")
        time.sleep(SETTLE_S)
        before = [cpu_seconds(each.pid) for each in running]
        time.sleep(ground.idle_s)
        used = [cpu_seconds(each.pid) - began for each, began in zip(running, before, strict=True)]
        return [
            (cpu / ground.idle_s * 100, resident(each.pid) / MIB, float(descriptors(each.pid)))
            for each, cpu in zip(running, used, strict=True)
        ]


def _start(ground: Ground, program: Program, count: int) -> Replicator:
    folder = ground.place(f"idle-{program.name}")
    databases = []
    for number in range(count):
        path = folder / f"app-{number}.db"
        create_database(path)
        databases.append(Protected(path, (folder / f"replica-{number}",)))
    replicator = Replicator(program, folder, databases).start()
    roots = [each.roots[0] for each in databases]
    replicator.wait(lambda: all(has_image(program, root) for root in roots), "an image of every database", 120)
    return replicator
