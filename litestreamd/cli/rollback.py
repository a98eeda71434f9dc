"""A restore to an earlier state of a database that is in use: `restore -timestamp T app`.

In: a database of a configuration that exists, a moment. Out: the plan, a question, the rollback (jobs/rollback.py).
`-resume` and `-abort` end one that was broken off.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from litestreamd.basics.clock import format_time
from litestreamd.basics.errors import ExitCode, NotAvailable, UsageError
from litestreamd.basics.quantities import format_duration, format_size
from litestreamd.basics.txid import format_txid
from litestreamd.cli.options import Arguments
from litestreamd.cli.progress import Progress
from litestreamd.cli.restore_report import Report, say, warn
from litestreamd.cli.rollback_world import Ground, World
from litestreamd.cli.selection import Target, configuration, select
from litestreamd.daemon.announce import record
from litestreamd.daemon.units import Units
from litestreamd.database.rollback_note import RollbackNote
from litestreamd.database.state_paths import instance_of, state_directory
from litestreamd.jobs.events import Event
from litestreamd.jobs.restore import Integrity
from litestreamd.jobs.restore_choice import Candidate, Wish, choose
from litestreamd.jobs.rollback import Ended, abort, roll_back, ways_out
from litestreamd.plan.resolution import resolve
from litestreamd.plan.restore import Before
from litestreamd.plan.rollback import InPlace, RollbackPlan
from litestreamd.replica.build import build_replica

_YES = frozenset({"y", "yes"})


def is_meant(chosen: Target, arguments: Arguments) -> bool:
    """Whether a restore of this target is a rollback: to an earlier moment, of a database that is there."""
    if chosen.database is None or not any(arguments.text(name) for name in ("timestamp", "txid")):
        return False
    if any(arguments.text(name) is not None for name in ("o", "force", "if-db-not-exists")):
        return False
    return chosen.database.path.exists()


def run(chosen: Target, moment: Wish, arguments: Arguments) -> ExitCode:
    """Show the plan, ask, carry it out."""
    note, world, report = _scene(chosen, arguments)
    _refuse_unfinished(note)
    best = choose(world.replicas, moment, str(world.ground.database), report.tell)[0]
    if not isinstance(best, Candidate):
        raise NotAvailable(
            "a backup of Litestream 0.3 cannot be rolled back to: restore it with -o, or stop application and daemon "
            "and use -force"
        )
    plan = _plan(best, moment, world)
    _show(plan, best, world, arguments)
    if arguments.switch("dry-run"):
        return ExitCode.OK
    _ask(arguments)
    with note.held():  # the answer may have taken its time
        _refuse_unfinished(note)
        plan = replace(plan, running=world.running())
        note.save(plan)
        began = time.monotonic()
        with naming_ways_out(note):
            ended = roll_back(plan, note, world, _teller(world))
        return _ended(ended, plan, world, began, arguments)


def finish(arguments: Arguments) -> ExitCode:
    """Carry on (`-resume`) or give up (`-abort`) what was broken off."""
    deed = abort if arguments.switch("abort") else roll_back
    if arguments.switch("abort") and arguments.switch("resume"):
        raise UsageError("-resume and -abort exclude each other")
    codes = []
    for chosen in select(arguments.words[0], arguments):
        if chosen.database is not None:
            note, world, _ = _scene(chosen, arguments)
            if note.load() is not None:
                codes.append(_finish(deed, note, world, arguments))
    if not codes:
        raise UsageError(f"no rollback of {arguments.words[0]} was broken off: there is nothing to do")
    return max(codes)


def _finish(
    deed: Callable[[RollbackPlan, RollbackNote, World, Callable[[str], object]], Ended],
    note: RollbackNote,
    world: World,
    arguments: Arguments,
) -> ExitCode:
    with note.held():
        plan = note.load()
        if plan is None:
            return ExitCode.OK
        plan = world.believed(plan, note.author)
        began = time.monotonic()
        with naming_ways_out(note):
            ended = deed(plan, note, world, _teller(world))
        code = _ended(ended, plan, world, began, arguments)
    if arguments.switch("abort") and ended.in_place is InPlace.RESTORED:
        warn("it was too late to give it up: the restored database was in place and may have been used; go back with"
             f" another rollback, or to {plan.kept}")  # fmt: skip
        return ExitCode.FAILED
    return code


def _scene(chosen: Target, arguments: Arguments) -> tuple[RollbackNote, World, Report]:
    database = chosen.database
    assert database is not None
    real = database.path.resolve()
    instance, units = instance_of(chosen.source), Units()
    daemon = None if instance is None else f"litestreamd@{instance}.service"
    if daemon is not None and not units.exists(daemon):
        daemon = None
    socket = configuration(arguments, None if "/" in arguments.words[0] else arguments.words[0]).socket.path
    if daemon is not None and socket is None:
        raise UsageError(
            f"{chosen.source} has no control socket, which a rollback needs: write socket: {{enabled: true}}"
        )
    ground = Ground(
        configured=database.path,
        database=real,
        source=chosen.source,
        instance=instance,
        daemon=daemon,
        application=None if daemon is None else f"{instance}.service",
        socket=socket,
        sync_s=arguments.duration("timeout", 60.0),
    )
    as_json = arguments.switch("json")
    progress = None if as_json else Progress()
    report = Report(as_json, several=len(chosen.replicas) > 1)

    def tell(event: Event) -> None:
        if progress is not None:
            progress.clear()
        report.tell(event)

    replicas = [build_replica(spec) for spec in chosen.replicas]
    world = World(
        ground,
        replicas,
        tell,
        progress,
        arguments.number("parallelism", 8, at_least=1),
        Integrity(arguments.choice("integrity-check", tuple(mode.value for mode in Integrity), Integrity.AUTO.value)),
        units,
    )
    state = state_directory(database.path, database.meta_path, chosen.source)
    return RollbackNote(state, real), world, report


def _refuse_unfinished(note: RollbackNote) -> None:
    if (unfinished := note.load()) is not None:
        raise UsageError(f"a rollback planned at {unfinished.stamp} is not finished: {ways_out(unfinished)}")


@contextmanager
def naming_ways_out(note: RollbackNote) -> Iterator[None]:
    """Whoever is left with services that stand still is told what to do."""
    try:
        yield
    except BaseException:
        if (plan := note.load()) is not None:
            warn(f"the rollback planned at {plan.stamp} is not finished: {ways_out(plan)}")
        raise


def _plan(best: Candidate, moment: Wish, world: World) -> RollbackPlan:
    created_ms = best.plan.steps[-1].created_ms
    if isinstance(moment, Before):
        created_ms = resolve(best.objects, best.plan, moment).point.created_ms
    return RollbackPlan(
        stamp=format_time(time.time_ns() // 1_000_000).replace(":", ""),
        database=str(world.ground.database),
        txid=best.plan.max_txid,
        created_ms=created_ms,
        replica=best.replica.name,
        source=None if world.ground.source is None else str(world.ground.source),
        running=world.running(),
    )


def _show(plan: RollbackPlan, best: Candidate, world: World, arguments: Arguments) -> None:
    """What stops, which restore point, what moves where."""
    if arguments.switch("json"):
        if arguments.switch("dry-run"):
            print(json.dumps(_fields(plan), indent=2))
        return
    stops = ", ".join(plan.running) or "nothing (no service has it open)"
    sync = world.ground.daemon or "a process of its own"
    print(f"Rollback of {plan.database}:")
    print(f"  restore point: TXID {format_txid(plan.txid)}, stored at {format_time(plan.created_ms)}")
    print(f"  from: replica {plan.replica} ({best.replica.description}), {format_size(best.plan.size)}")
    for number, step in enumerate(
        (
            f"the present is synced to {plan.replica} by {sync}: it stays restorable",
            f"the restored database is made as {plan.beside}, and proven",
            f"stopped: {stops}",
            f"the present is kept as {plan.kept}, and the restored database takes its place",
            *([f"started again: {', '.join(plan.running)}"] if plan.running else []),
        ),
        1,
    ):
        print(f"  {number}. {step}")
    sys.stdout.flush()


def _ask(arguments: Arguments) -> None:
    """On a terminal; elsewhere -yes has to be given. Raises UsageError."""
    if arguments.switch("yes"):
        return
    if not sys.stdin.isatty():
        raise UsageError("nothing was changed: this is a rollback of a database in use, so say -yes (or -dry-run)")
    sys.stderr.write("Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in _YES:
        raise UsageError("nothing was changed")


def _teller(world: World) -> Callable[[str], object]:
    def tell(step: str) -> None:
        if world.progress is not None:
            world.progress.clear()
            say(step)

    return tell


def _ended(ended: Ended, plan: RollbackPlan, world: World, began: float, arguments: Arguments) -> ExitCode:
    seconds = time.monotonic() - began
    for path in ended.aside:
        if str(path) != plan.kept:
            warn(f"kept what was there before as {path}")
    for pid in ended.late:
        warn(f"process {pid} opened the old database at the last moment and still uses it: restart it")
    restored = ended.in_place is InPlace.RESTORED
    stood_s = _stood(world)
    if arguments.switch("json"):
        more = {"in_place": "restored" if restored else "present", "duration_ms": round(seconds * 1000)}
        print(json.dumps(_fields(plan) | more | {"stopped_ms": round(stood_s * 1000)}, indent=2))
        return ExitCode.OK
    if not restored:
        print(f"{plan.database} is as it was: the rollback was given up")
        return ExitCode.OK
    sentence = (
        f"rolled back {plan.database} to TXID {format_txid(plan.txid)}, stored at {format_time(plan.created_ms)}, in "
        f"{format_duration(seconds)}" + (f" (stopped for {format_duration(stood_s)})" if stood_s else "")
    )
    print(f"{sentence}; what was there is kept as {plan.kept}, and on replica {plan.replica}")
    record(
        "rolled-back", sentence, db=plan.database, txid=format_txid(plan.txid), kept=plan.kept,
        duration_ms=round(seconds * 1000), instance=world.ground.instance,
    )  # fmt: skip
    return ExitCode.OK


def _stood(world: World) -> float:
    """For how long nobody could use the database, seconds."""
    if world.stopped_at is None or world.started_at is None:
        return 0.0
    return world.started_at - world.stopped_at


def _fields(plan: RollbackPlan) -> dict[str, object]:
    return {
        "db_path": plan.database,
        "txid": format_txid(plan.txid),
        "timestamp": format_time(plan.created_ms),
        "replica": plan.replica,
        "stops": list(plan.running),
        "restored_as": plan.beside,
        "kept_as": plan.kept,
    }
