"""(s3) Restore of a large database from the bucket, each program from its own replica; CPU of the restoring process
beside the time, for the server shares the machine."""

import os
import statistics
import subprocess
import time

from bench.bucket import Stage, stage
from bench.figures import Figure, times_better
from bench.ground import LONG_S, MIB, PROGRAMS, Ground
from tests.support.programs import Program, access_to, environment

TURNS, MOST = 3, 500 * MIB


def measure(ground: Ground) -> list[Figure]:
    size = min(MOST, ground.size)
    ours, theirs = (_medians(ground, program, size) for program in PROGRAMS)
    what = f"restore from a bucket, {size // MIB} MiB"
    return [
        Figure(what, "s", ours[0], theirs[0], "2x", times_better(2)),
        Figure("  CPU of the program", "s", ours[1], theirs[1]),
        Figure("  requests", "", ours[2], theirs[2]),
        Figure("  bytes fetched", "MiB", ours[3] / MIB, theirs[3] / MIB),
    ]


def _medians(ground: Ground, program: Program, size: int) -> list[float]:
    with stage(ground, program, "s3-restore", size) as where:
        ground.say(f"s3-restore, the replica: {program.name}")
        where.replicator.start()
        where.wait_image()
        where.replicator.stop_clean(LONG_S)
        found = [_once(ground, where) for _ in range(TURNS)]
    return [statistics.median(each) for each in zip(*found, strict=True)]


def _once(ground: Ground, where: Stage) -> tuple[float, float, int, int]:
    program = where.replicator.program
    ground.say(f"s3-restore: {program.name}")
    where.proxy.forget()
    out = ground.folder / "restored.db"
    env = environment(**access_to(where.root))
    began = time.monotonic()
    with subprocess.Popen(program.restore(where.root, out), stdout=subprocess.DEVNULL, env=env) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    assert process.returncode == 0
    assert out.stat().st_size == where.path.stat().st_size
    out.unlink()
    seen = where.proxy.requests()
    return seconds, used.ru_utime + used.ru_stime, len(seen), sum(each.down for each in seen)
