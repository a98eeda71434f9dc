"""`verify`: whether a backup can be restored, and is what the live database holds.

A replica by its URL is restored to nowhere. For databases of a configuration a drill is made: restored to scratch,
compared, and the result kept for `status` and the metrics.
"""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from litestreamd.basics.errors import ExitCode, LitestreamdError, UsageError
from litestreamd.cli.command import Command
from litestreamd.cli.drill_barrier import barrier_of
from litestreamd.cli.options import JSON, Arguments, Option
from litestreamd.cli.progress import Progress
from litestreamd.cli.restore_report import Report, say, warn
from litestreamd.cli.selection import SELECTION, Target, configuration, select, select_replicas
from litestreamd.cli.table import print_json
from litestreamd.cli.verify_report import announce_drill, entry, failed, live_fields, print_verified
from litestreamd.config.model import DatabaseSettings
from litestreamd.config.places import absolute
from litestreamd.daemon.control_client import ask
from litestreamd.database.manifest import Manifest
from litestreamd.database.reported_damage import ReportedDamage
from litestreamd.database.state_paths import state_directory
from litestreamd.database.verified import Verified as Record
from litestreamd.database.verified import load_each, load_verified, save_verified
from litestreamd.jobs.drill import Ground, Outcome, drill, record_of, summarize
from litestreamd.jobs.events import Event
from litestreamd.jobs.expected import Look
from litestreamd.jobs.verify import Checks, verify
from litestreamd.ltx.names import parse_name
from litestreamd.replica.build import build_replica
from litestreamd.replica.port import ReplicaSpec


def run(arguments: Arguments) -> ExitCode:
    """Verify every selected replica. Damage counts more than a replica that cannot be reached."""
    entries: list[dict[str, object]] = []
    errors: list[LitestreamdError] = []
    for target in _targets(arguments.words[0], arguments):
        outcomes = _drills(target, arguments) if target.database else _verifications(target, arguments)
        for outcome in outcomes:
            entries.append(_entry(outcome, target.database))
            if outcome.error:
                errors.append(outcome.error)
    if arguments.switch("json"):
        print_json(sorted(entries, key=lambda each: each["sound"] is None))
    codes = [error.exit_code for error in errors]
    return ExitCode.DAMAGED if ExitCode.DAMAGED in codes else codes[0] if codes else ExitCode.OK


def _targets(word: str, arguments: Arguments) -> tuple[Target, ...]:
    """A replica, or all databases that are meant."""
    return (select_replicas(word, arguments),) if "/" in word else select(word, arguments)


def _verifications(target: Target, arguments: Arguments) -> Iterator[Outcome]:
    for name in ("scratch", "socket", "no-live"):
        if arguments.text(name) is not None:
            raise UsageError(f"-{name} is for databases of a configuration: a replica URL is restored to nowhere")
    as_json = arguments.switch("json")
    for spec in target.replicas:
        progress = None if as_json else Progress()
        began = time.monotonic()
        try:
            verified = verify(build_replica(spec), _checks(spec, arguments, progress), Report(as_json, True).tell)
            outcome = Outcome(spec.name, time.monotonic() - began, verified)
        except LitestreamdError as error:
            outcome = Outcome(spec.name, time.monotonic() - began, fault=error)
        _show(outcome, progress)
        yield outcome


def _drills(target: Target, arguments: Arguments) -> list[Outcome]:
    """All replicas of a database, and the record of them."""
    database = target.database
    assert database
    signal.signal(signal.SIGTERM, _stop)
    state = state_directory(database.path, database.meta_path, target.source)
    socket = _socket(arguments)
    outcomes = [_drill(spec, database, socket, state, arguments) for spec in target.replicas]
    if state.is_dir():
        try:
            now_ms = time.time_ns() // 1_000_000
            each = _each(state)
            each |= {outcome.replica: record_of(outcome, now_ms, each.get(outcome.replica)) for outcome in outcomes}
            save_verified(state, summarize(outcomes, now_ms, _last(state)), each)
        except LitestreamdError as error:
            warn(f"the result is not kept: {error}")
        _report_damage(outcomes, state, database, socket)
    return outcomes


def _report_damage(outcomes: Sequence[Outcome], state: Path, database: DatabaseSettings, socket: Path | None) -> None:
    """Leave what is damaged to the daemon, which heals it; at its next start if it does not run."""
    folder, reported = state / "replicas", False
    for outcome in outcomes:
        damage = outcome.verified.damage if outcome.verified else ()
        names = [name for each in damage if (name := parse_name(each.name)) is not None]
        if names and folder.is_dir():
            ReportedDamage(folder, outcome.replica).save(names)
            reported = True
    if reported and socket is not None:
        with suppress(LitestreamdError):
            ask(socket, "POST", "/heal", {"db": str(database.path)})


def _drill(
    spec: ReplicaSpec, database: DatabaseSettings, socket: Path | None, state: Path, arguments: Arguments
) -> Outcome:
    as_json = arguments.switch("json")
    progress = None if as_json else Progress()
    report = Report(as_json, several=True)

    def tell(event: Event) -> None:
        if progress:
            progress.clear()
        report.tell(event)
        announce_drill(event)

    ground = Ground(
        database=database.path,
        state=state,
        scratch=_scratch(state, arguments),
        barrier=barrier_of(socket, database.path, spec.name),
        compare_live=not arguments.switch("no-live"),
        checks=database.checks,
        full=arguments.switch("full"),
    )
    replica = build_replica(spec)
    manifest = Manifest(state / "replicas", spec.name, replica.description)
    try:
        outcome = drill(replica, ground, _checks(spec, arguments, progress, manifest.load), tell)
    finally:
        if progress:
            progress.clear()
    _show(outcome, progress)
    return outcome


def _checks(spec: ReplicaSpec, arguments: Arguments, progress: Progress | None, manifest: Look | None = None) -> Checks:
    return Checks(
        everything=arguments.switch("all"),
        parallelism=arguments.number("parallelism", 8, at_least=1),
        progress=progress,
        identities=spec.identities,
        manifest=manifest,
    )


def _socket(arguments: Arguments) -> Path | None:
    """Where the daemon listens; None: nowhere."""
    given, word = arguments.text("socket"), arguments.words[0]
    if given is not None:
        return absolute(given, os.environ)
    return configuration(arguments, None if "/" in word else word).socket.path


def _scratch(state: Path, arguments: Arguments) -> Path:
    """What was asked for; else the state directory, which the service may write, or, before a daemon has made that,
    where large temporary files go."""
    given = arguments.text("scratch")
    if given is not None:
        folder = absolute(given, os.environ)
        if not folder.is_dir():
            raise UsageError(f"-scratch: {folder} is not a folder")
        return folder
    return state if state.is_dir() else Path(os.environ.get("TMPDIR") or "/var/tmp")


def _last(state: Path) -> Record | None:
    try:
        return load_verified(state)
    except LitestreamdError as error:
        warn(str(error))
        return None


def _each(state: Path) -> dict[str, Record]:
    with suppress(LitestreamdError):  # `_last` has said it
        return load_each(state)
    return {}


def _show(outcome: Outcome, progress: Progress | None) -> None:
    """As text, unless JSON is wanted (then there is no progress); errors always."""
    if progress:
        progress.clear()
        if outcome.verified:
            print_verified(outcome.verified, outcome.comparison)
    if outcome.fault:
        say(f"error: replica {outcome.replica}: {outcome.fault}")


def _entry(outcome: Outcome, database: DatabaseSettings | None) -> dict[str, object]:
    place: dict[str, object] = {"db": str(database.path)} if database else {}
    if outcome.verified is None:
        assert outcome.fault
        return failed(outcome.replica, outcome.fault) | place
    live = live_fields(outcome.comparison) if outcome.comparison else {}
    return entry(outcome.verified) | live | place


def _stop(_number: int, _frame: FrameType | None) -> None:
    """SIGTERM takes the same way out as Ctrl-C, so that scratch is removed; once, so that it is removed whole."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


COMMAND = Command(
    name="verify",
    summary="prove that a backup can be restored, and equals the live database",
    synopses=("[options] DATABASE|INSTANCE|REPLICA_URL",),
    options=(
        Option("full", "restore all of it, also what the last drill has kept"),
        Option("all", "read every object to its end, not only those of the newest state"),
        Option("parallelism", "how many objects are worked on at once (default: 8)", "NUMBER"),
        Option("scratch", "where the database is restored to for a while (default: its state directory)", "DIR"),
        Option("socket", "the control socket of the daemon (default: as the configuration says)", "PATH"),
        Option("no-live", "leave the live database alone"),
        JSON,
        *SELECTION,
    ),
    run=run,
    words_min=1,
    words_max=1,
    examples=("app", "/path/to/db", "-all file:///path/to/replica"),
)
