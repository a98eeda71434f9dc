"""`restore`: bring a database back from a replica.

In: a replica URL, the folder of a replica, or a database of a configuration. Out: the database file, a report on
stdout (text, or JSON with Litestream's fields), warnings on stderr.
"""

import os
import signal
import time
from pathlib import Path
from types import FrameType

from litestreamd.basics.clock import parse_moment_ns
from litestreamd.basics.errors import (
    DamagedData,
    ExitCode,
    LitestreamdError,
    StoreError,
    StoreMissing,
    UsageError,
)
from litestreamd.basics.quantities import format_duration
from litestreamd.basics.txid import parse_txid
from litestreamd.cli import rollback
from litestreamd.cli.command import Command
from litestreamd.cli.crashing import arm_crash_point
from litestreamd.cli.options import JSON, Arguments, Option
from litestreamd.cli.progress import Progress
from litestreamd.cli.restore_owner import asked_ownership
from litestreamd.cli.restore_report import Report, say, warn
from litestreamd.cli.restore_waiting import Waiting
from litestreamd.cli.selection import SELECTION, Target, select, select_replicas
from litestreamd.config.places import absolute
from litestreamd.daemon.announce import announce
from litestreamd.database.rollback_note import RollbackNote
from litestreamd.database.state_paths import state_directory
from litestreamd.jobs.events import Event
from litestreamd.jobs.restore import Integrity, Request, restore
from litestreamd.jobs.restore_choice import Candidate, CandidateV3, NoBackup, Wish, choose
from litestreamd.jobs.restore_fill import survey
from litestreamd.jobs.restore_owner import Ownership
from litestreamd.jobs.rollback import pass_gate, ways_out
from litestreamd.plan.restore import AtTxid, Before, Latest
from litestreamd.plan.restore_v3 import TargetV3
from litestreamd.replica.build import build_replica
from litestreamd.v3.names import parse_generation, parse_index

_INTEGRITY = tuple(mode.value for mode in Integrity)


def run(arguments: Arguments) -> ExitCode:
    """Restore, or with -dry-run print what would be done."""
    arm_crash_point(os.environ)
    signal.signal(signal.SIGTERM, _stop)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # of nohup
        signal.signal(signal.SIGHUP, _stop)
    if arguments.switch("resume") or arguments.switch("abort"):
        return rollback.finish(arguments)
    moment = _moment(arguments)
    failures: list[LitestreamdError] = []
    targets = _targets(arguments)
    if len(targets) == 1 and rollback.is_meant(targets[0], arguments):
        return rollback.run(targets[0], moment, arguments)
    for chosen in targets:
        try:
            _restore_one(chosen, moment, arguments)
        except LitestreamdError as error:
            failures.append(error)  # the others are wanted all the same
    for another in failures[1:]:
        say(f"error: {another}")
    if failures:
        raise failures[0]
    return ExitCode.OK


def _targets(arguments: Arguments) -> tuple[Target, ...]:
    """One; with -if-db-not-exists all of an instance, for nothing that is there is touched."""
    word = arguments.words[0]
    if "/" in word or not arguments.switch("if-db-not-exists") or arguments.text("o") is not None:
        return (select_replicas(word, arguments),)
    return select(word, arguments)


def _restore_one(chosen: Target, moment: Wish, arguments: Arguments) -> None:
    output = _output(chosen, arguments.words[0], arguments)
    _look_for_rollback(chosen, output)
    if arguments.switch("if-db-not-exists") and output.exists():
        say(f"{output} exists already, nothing to restore")
        return
    waiting = Waiting(str(output), arguments.duration("retry-for", 0.0))
    try:
        waiting.run(lambda: _restore(chosen, moment, output, arguments, waiting))
    except NoBackup as error:
        _refuse_forgotten(chosen, error)
        if not arguments.switch("if-replica-exists"):
            raise
        say(f"{error}, nothing to restore")


def _look_for_rollback(chosen: Target, output: Path) -> None:
    """One that was broken off comes first: what it has begun is finished, or nothing is restored past it."""
    state = _state_of(chosen) if _is_own_place(chosen, output) else None
    if state is None or (plan := pass_gate(state, output)) is None:
        return
    if not RollbackNote(state, output).is_held:  # else it is going on, and has started us
        warn(f"{output}: a rollback planned at {plan.stamp} is not finished: {ways_out(plan)}")


def _restore(chosen: Target, moment: Wish, output: Path, arguments: Arguments, waiting: Waiting) -> None:
    replicas = [build_replica(spec) for spec in chosen.replicas]
    report = Report(arguments.switch("json"), several=len(replicas) > 1)
    parallelism = arguments.number("parallelism", 8, at_least=1)
    if arguments.switch("dry-run"):
        order = choose(replicas, moment, str(output), report.tell)
        report.plan(arguments.words[0], str(output), order, moment, _survey(order[0], parallelism))
        return
    progress = Progress(told=waiting.progress)

    def tell(event: Event) -> None:
        progress.clear()
        report.tell(event)

    request = Request(
        target=moment,
        output=output,
        force=arguments.switch("force"),
        parallelism=parallelism,
        integrity=Integrity(arguments.choice("integrity-check", _INTEGRITY, Integrity.AUTO.value)),
        ownership=asked_ownership(chosen.database.restore) if chosen.database else Ownership(),
        state_directory=_state_of(chosen) if _is_own_place(chosen, output) else None,
        progress=None if arguments.switch("json") else progress,
        identities={spec.name: spec.identities for spec in chosen.replicas},
    )
    began = time.monotonic()
    try:
        done = restore(replicas, request, tell, now_ms=time.time_ns() // 1_000_000)
    finally:
        progress.clear()
    seconds = time.monotonic() - began
    report.result(str(output), done, seconds)
    announce(
        "restored", f"{output} was restored in {format_duration(seconds)}",
        db=output, duration_ms=round(seconds * 1000), bytes=output.stat().st_size,
    )  # fmt: skip


def _survey(best: Candidate | CandidateV3, parallelism: int) -> list[int] | None:
    """Bytes to fetch of each object; None when an object cannot say (a restore would tell why)."""
    if isinstance(best, CandidateV3):
        return None
    try:
        return survey(best.replica, best.plan, parallelism)
    except (DamagedData, StoreError) as error:
        warn(str(error))
        return None


def _output(chosen: Target, word: str, arguments: Arguments) -> Path:
    """Where to; symbolic links are followed, so that a link to the database stays one."""
    text = arguments.text("o")
    if text is not None:
        return absolute(text, os.environ).resolve()
    if chosen.database is None:
        raise UsageError(f"-o is needed with a replica URL: litestreamd restore -o /path/to/db {word}")
    return chosen.database.path.resolve()


def _moment(arguments: Arguments) -> Wish:
    txid = arguments.read("txid", parse_txid)
    before_ns = arguments.read("timestamp", lambda text: parse_moment_ns(text, time.time_ns()))
    _refuse_two(arguments)
    generation, index = arguments.read("generation", parse_generation), arguments.read("index", parse_index)
    if generation is not None or index is not None:
        if txid is not None:
            raise UsageError("-txid does not go with -generation or -index: Litestream 0.3 has no TXIDs")
        if index is not None and before_ns is not None:
            raise UsageError("-index and -timestamp exclude each other")
        return TargetV3(generation, index, before_ns)
    if txid is not None:
        return AtTxid(txid)
    return Latest() if before_ns is None else Before(before_ns / 1_000_000, before_ns)


def _refuse_two(arguments: Arguments) -> None:
    """What to restore is said once."""
    given = [f"-{name}" for name in ("txid", "timestamp") if arguments.text(name) is not None]
    if arguments.switch("latest"):
        given.append("-latest")
        given += [f"-{name}" for name in ("generation", "index") if arguments.text(name) is not None]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} exclude each other")


def _is_own_place(chosen: Target, output: Path) -> bool:
    return chosen.database is not None and chosen.database.path.resolve() == output


def _state_of(chosen: Target) -> Path | None:
    database = chosen.database
    return state_directory(database.path, database.meta_path, chosen.source) if database else None


def _refuse_forgotten(chosen: Target, error: NoBackup) -> None:
    """An empty replica that this machine remembers having filled is a wrong disk, not "no backup yet"."""
    state = _state_of(chosen)
    if state is None:
        return
    for spec in chosen.replicas:
        cursor = state / "replicas" / f"{spec.name}.json"
        if cursor.exists():
            raise StoreMissing(
                f"{error}, but {cursor} says that there was one: is the right disk mounted? "
                "(remove that file if the replica was emptied on purpose)"
            ) from error


def _stop(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM, and a terminal that is lost, take the same way out as Ctrl-C: what is unfinished is removed, what was
    stopped is started."""
    raise KeyboardInterrupt


COMMAND = Command(
    name="restore",
    summary="bring a database back from a replica",
    synopses=(
        "[options] DATABASE|INSTANCE",
        "[options] -timestamp TIME DATABASE|INSTANCE",
        "-resume|-abort DATABASE|INSTANCE",
        "[options] -o PATH REPLICA_URL",
    ),
    options=(
        Option("o", "where to (default: the database's own path)", "PATH", also=("output",)),
        Option("txid", "exactly this transaction (1 to 16 hex digits; default: the latest)", "TXID"),
        Option(
            "timestamp",
            "the last state stored before this time: 2026-04-18T09:15:00Z, 2026-04-18T11:15:00.5+02:00, or a while "
            "back, such as 5m ago, 1h30m ago, 2d ago",
            "TIME",
        ),
        Option("latest", "the newest state (the default)"),
        Option("generation", "of a Litestream 0.3 backup: from this generation (default: the freshest)", "GENERATION"),
        Option("index", "of a Litestream 0.3 backup: up to the end of this WAL (hex digits)", "INDEX"),
        Option("if-db-not-exists", "exit with 0 when the database exists already"),
        Option("if-replica-exists", "exit with 0 when no replica holds anything yet"),
        Option("retry-for", "how long to go on while the store does not answer (default: one try)", "TIME"),
        Option("dry-run", "print the plan and write nothing"),
        Option("yes", "roll back a database in use without asking"),
        Option("resume", "finish a rollback that was broken off"),
        Option("abort", "give up a rollback that was broken off"),
        Option("timeout", "of a rollback: how long the sync of the present may take (default: 60s)", "TIME"),
        Option("force", "replace an existing database; it is kept beside as NAME.before-TIME"),
        Option("parallelism", "how many objects are worked on at once (default: 8)", "NUMBER"),
        Option(
            "integrity-check",
            "auto, none, quick or full (default: auto, which is full unless the database checksum proves the result)",
            "MODE",
        ),
        JSON,
        *SELECTION,
    ),
    run=run,
    words_min=1,
    words_max=1,
    examples=(
        "/path/to/db",
        "-timestamp 2026-04-18T09:15:00Z app",
        "-timestamp 2026-04-18T09:15:00Z -o /tmp/then.db /path/to/db",
        "-o /tmp/copy.db file:///path/to/replica",
        "-dry-run -o /tmp/copy.db file:///path/to/replica",
    ),
)
