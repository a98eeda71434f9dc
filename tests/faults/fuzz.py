"""The long fuzz: `python -m tests.faults.fuzz --rounds 400 --seed 1`.

In: a number of rounds and the seed of the first (round n has seed + n). Out: one line a round, a sum, exit 0 only
without a failure. A failed round's folder is kept and the line that repeats it is printed.
"""

import argparse
import shutil
import tempfile
import time
import traceback
from pathlib import Path

from tests.faults.fuzz_plan import DAEMON_POINTS, random_plan
from tests.faults.fuzz_proof import RoundResult
from tests.faults.fuzz_round import run_round
from tests.support.programs import LITESTREAM, OURS, Program


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz")
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where rounds live (default: a temporary folder)")
    parser.add_argument("--keep", action="store_true", help="keep the folders of good rounds too")
    parser.add_argument("--stop", action="store_true", help="stop at the first failure")
    parser.add_argument("--control", action="store_true", help="put Litestream through it instead")
    return parser.parse_args()


def one(seed: int, folder: Path, program: Program) -> RoundResult:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    plan = random_plan(seed, DAEMON_POINTS if program is OURS else ())
    (folder / "plan").write_text(f"{plan}\n")
    return run_round(plan, folder, program)


def say(seed: int, result: RoundResult, seconds: float) -> None:
    own = [f"SQLite itself: {result.sqlite_lost} commits lost"] if result.sqlite_lost else []
    own += ["SQLite itself: damaged"] if result.sqlite_damaged else []
    own += ["SQLite itself: not recoverable"] if result.sqlite_unrecoverable else []
    crashes = [f"crashed at {', '.join(result.crash_points)}"] if result.crash_points else []
    details = "; ".join([*crashes, *own])
    print(
        f"round {seed}: ok, {result.commits} commits, {result.daemon_deaths}+{result.writer_deaths} deaths, "
        f"{result.restored} older points, {seconds:.1f} s{'; ' if details else ''}{details}",
        flush=True,
    )


SUMS = (
    "commits",
    "restored",
    "daemon_deaths",
    "writer_deaths",
    "sqlite_lost",
    "sqlite_damaged",
    "sqlite_unrecoverable",
)


def add(total: RoundResult, result: RoundResult) -> None:
    for name in SUMS:
        setattr(total, name, getattr(total, name) + getattr(result, name))
    total.crash_points += result.crash_points
    total.unreached += result.unreached


def summary(total: RoundResult, good: int, failed: list[int], seconds: float) -> str:
    places = {place.partition(":")[0] for place in total.crash_points}
    return (
        f"{good + len(failed)} rounds, {len(failed)} failed {failed or ''}: {total.commits} acknowledged commits, "
        f"{total.daemon_deaths} deaths of the daemon "
        f"({len(total.crash_points)} at {len(places)} of {len(DAEMON_POINTS)} crash points), "
        f"{total.writer_deaths} of writers, {total.restored} older points restored, {seconds:.0f} s; "
        f"SQLite itself lost {total.sqlite_lost} commits, damaged {total.sqlite_damaged} databases, "
        f"left {total.sqlite_unrecoverable} unrecoverable"
    )


def main() -> int:
    given = arguments()
    program = LITESTREAM if given.control else OURS
    base = given.folder or Path(tempfile.mkdtemp(prefix="fuzz-"))
    total, good, failed, began = RoundResult(), 0, [], time.monotonic()
    for seed in range(given.seed, given.seed + given.rounds):
        folder, start = base / f"round-{seed}", time.monotonic()
        try:
            result = one(seed, folder, program)
        except Exception:  # noqa: BLE001  a round that fails in any way is a finding, and the next one must run
            failed.append(seed)
            traceback.print_exc()
            print(f"round {seed}: FAILED, see {folder}")
            print(f"  again: python -m tests.faults.fuzz --rounds 1 --seed {seed}", flush=True)
            if given.stop:
                break
            continue
        good += 1
        say(seed, result, time.monotonic() - start)
        add(total, result)
        if not given.keep:
            shutil.rmtree(folder)
    print(summary(total, good, failed, time.monotonic() - began))
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
