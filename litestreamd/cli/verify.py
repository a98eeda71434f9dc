"""`verify`: whether a backup can be restored, proven without writing a database."""

from litestreamd.basics.errors import ExitCode, LitestreamdError
from litestreamd.basics.quantities import format_size
from litestreamd.basics.txid import format_txid
from litestreamd.cli.command import Command
from litestreamd.cli.options import JSON, Arguments, Option
from litestreamd.cli.progress import Progress
from litestreamd.cli.restore_report import Report, say
from litestreamd.cli.restore_report_v3 import reached_v3
from litestreamd.cli.selection import SELECTION, select_replicas
from litestreamd.cli.table import print_json
from litestreamd.jobs.verify import Checks, Damage, Verified, verify
from litestreamd.plan.restore_v3 import PlanV3
from litestreamd.replica.build import build_replica
from litestreamd.replica.port import ReplicaSpec

_NAMED = 8
"""Restore points that a line names one by one."""


def run(arguments: Arguments) -> ExitCode:
    """Verify every selected replica. Damage counts more than a replica that cannot be reached."""
    as_json = arguments.switch("json")
    answers: list[Verified] = []
    errors: list[tuple[ReplicaSpec, LitestreamdError]] = []
    for spec in select_replicas(arguments.words[0], arguments).replicas:
        try:
            answers.append(_verified(spec, arguments, as_json))
        except LitestreamdError as error:
            errors.append((spec, error))
        else:
            if not as_json:
                _print(answers[-1])
    if as_json:
        print_json([_entry(answer) for answer in answers] + [_failed(*each) for each in errors])
    for spec, reason in errors:
        say(f"error: replica {spec.name}: {reason}")
    if any(answer.damage for answer in answers):
        return ExitCode.DAMAGED
    return errors[0][1].exit_code if errors else ExitCode.OK


def _verified(spec: ReplicaSpec, arguments: Arguments, as_json: bool) -> Verified:
    progress = None if as_json else Progress()
    checks = Checks(
        everything=arguments.switch("all"),
        parallelism=arguments.number("parallelism", 8, at_least=1),
        progress=progress,
        identities=spec.identities,
    )
    try:
        return verify(build_replica(spec), checks, Report(as_json, several=True).tell)
    finally:
        if progress:
            progress.clear()


def _print(answer: Verified) -> None:
    name = answer.replica.name
    if answer.filled and answer.plan:
        proof = "the database checksum" if answer.filled.proven else "every file checksum"
        print(f"replica {name}: {_reached(answer)} is sound, {format_size(answer.filled.size)}, proven by {proof}")
    if answer.read:
        print(f"replica {name}: {answer.read} objects were read to their end")
    for finding in answer.findings:
        print(f"replica {name}: {finding.sentence}")
    for damage in answer.damage:
        print(f"replica {name}: damaged: {damage.error}{_lost(damage)}")


def _reached(answer: Verified) -> str:
    plan = answer.plan
    assert plan
    return reached_v3(plan) if isinstance(plan, PlanV3) else f"TXID {format_txid(plan.max_txid)}"


def _lost(damage: Damage) -> str:
    if not damage.name:
        return ""
    if not damage.lost:
        return "; no restore point is lost with it"
    count = f"{len(damage.lost)} restore points are" if len(damage.lost) > 1 else "1 restore point is"
    named = ", ".join(format_txid(txid) for txid in damage.lost[:_NAMED])
    more = f" ... {format_txid(damage.lost[-1])}" if len(damage.lost) > _NAMED else ""
    return f"; {count} lost with it: {named}{more}"


def _entry(answer: Verified) -> dict[str, object]:
    plan, filled = answer.plan, answer.filled
    return {
        "replica": answer.replica.name,
        "sound": not answer.damage,
        "txid": format_txid(plan.max_txid) if plan and not isinstance(plan, PlanV3) else None,
        "proof": None if filled is None else "database-checksum" if filled.proven else "file-checksums",
        "size": filled.size if filled else None,
        "objects_read": answer.read,
        "findings": [{"kind": each.kind.name.lower(), "text": each.sentence} for each in answer.findings],
        "damaged": [
            {"name": each.name or None, "error": each.error, "lost": [format_txid(txid) for txid in each.lost]}
            for each in answer.damage
        ],
    }


def _failed(spec: ReplicaSpec, error: LitestreamdError) -> dict[str, object]:
    return {"replica": spec.name, "sound": None, "error": str(error)}


COMMAND = Command(
    name="verify",
    summary="prove that a backup can be restored, without writing a database",
    synopses=("[options] DATABASE|INSTANCE|REPLICA_URL",),
    options=(
        Option("all", "read every object to its end, not only those of the newest state"),
        Option("parallelism", "how many objects are worked on at once (default: 8)", "NUMBER"),
        JSON,
        *SELECTION,
    ),
    run=run,
    words_min=1,
    words_max=1,
    examples=("/path/to/db", "-all file:///path/to/replica"),
)
