"""`status -remote`: what the replicas themselves say, held against what this machine has captured. Needs no daemon.

In: the words of the command. Out: a block for each database, or JSON; an exit code.
Exit codes: 2 a replica lacks something for more than a minute, 3 one cannot be read, or holds what no restore reaches.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from litestreamd.basics.errors import ExitCode, LitestreamdError, UsageError
from litestreamd.cli.options import Arguments
from litestreamd.cli.restore_report import warn
from litestreamd.cli.selection import Target, select
from litestreamd.cli.status_remote_report import Asked, entry, lines
from litestreamd.cli.table import print_json
from litestreamd.daemon.status import STALE_S
from litestreamd.database.captured_here import CapturedHere, captured_here
from litestreamd.database.state_paths import CONFIGURATION_DIRECTORY, state_directory
from litestreamd.jobs.inquiry import inquire
from litestreamd.plan.findings import Kind
from litestreamd.replica.build import build_replica
from litestreamd.replica.port import ReplicaSpec

_AT_ONCE = 16


def look_at_replicas(arguments: Arguments) -> ExitCode:
    """Ask all replicas that are meant, and print what they say."""
    if arguments.text("socket") is not None:
        raise UsageError("-socket and -remote exclude each other: no daemon is asked")
    targets = list(_targets(arguments))
    now_ms = time.time_ns() // 1_000_000
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = [[pool.submit(_ask, target, spec, now_ms) for spec in target.replicas] for target in targets]
        answered = [
            (target, [each.result() for each in futures]) for target, futures in zip(targets, asked, strict=True)
        ]
    if arguments.switch("json"):
        print_json([entry(target, found) for target, found in answered])
    else:
        for target, found in answered:
            for line in lines(target, found, now_ms):
                print(line)
    return max((_code(each) for _, found in answered for each in found), default=ExitCode.OK)


def _targets(arguments: Arguments) -> Iterator[Target]:
    if arguments.words:
        yield from select(arguments.words[0], arguments)
        return
    instances = sorted(path.stem for path in CONFIGURATION_DIRECTORY.glob("*.yml"))
    if not instances:
        raise UsageError(f"{CONFIGURATION_DIRECTORY} configures no instance: name the path of a database")
    for instance in instances:
        yield from select(instance, arguments)


def _ask(target: Target, spec: ReplicaSpec, now_ms: int) -> Asked:
    try:
        return Asked(spec, inquire(build_replica(spec), partial(_here, target), now_ms))
    except LitestreamdError as error:
        return Asked(spec, None, error)


def _here(target: Target) -> CapturedHere | None:
    """None also where this user may not look: what the replica holds is worth telling all the same."""
    database = target.database
    if database is None:
        return None
    try:
        return captured_here(state_directory(database.path, database.meta_path, target.source))
    except LitestreamdError as error:
        warn(f"{database.path}: what is captured here is not known: {error}")
        return None


def _code(asked: Asked) -> ExitCode:
    answer = asked.answer
    if answer is None or any(each.kind is Kind.UNREACHABLE for each in answer.findings):
        return ExitCode.FAILING
    if answer.lag and (answer.lag.seconds > STALE_S or answer.lag.txids < 0):
        return ExitCode.STALE if answer.lag.txids > 0 else ExitCode.FAILING
    return ExitCode.OK
