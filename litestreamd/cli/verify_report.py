"""What `verify` prints, as text and as JSON, and what it tells the journal."""

import logging

from litestreamd.basics.errors import LitestreamdError
from litestreamd.basics.quantities import format_size
from litestreamd.basics.txid import format_txid
from litestreamd.cli.restore_report_v3 import reached_v3
from litestreamd.daemon.announce import announce
from litestreamd.jobs.drill_compare import Comparison, Live
from litestreamd.jobs.drill_events import DrillFailed, DrillPassed
from litestreamd.jobs.drill_further import Followed
from litestreamd.jobs.events import Event
from litestreamd.jobs.restore import Restored
from litestreamd.jobs.verify import Damage, Verified
from litestreamd.plan.restore_v3 import PlanV3

_NAMED = 8
"""Restore points that a line names one by one."""


def announce_drill(event: Event) -> None:
    """An entry of the journal for the end of a drill, when this runs as a service; nothing for other events."""
    match event:
        case DrillPassed(live=live, why=why):
            compared = "equal to the live database" if live == Live.EQUAL.value else f"{live}: {why}"
            sentence = f"{event.database}: replica {event.replica} restores, and is {compared}"
            announce("verified", sentence, logging.INFO, **_fields(event), bytes=event.size, live=live)
        case DrillFailed(error=error):
            sentence = f"{event.database}: the drill of replica {event.replica} failed: {error}"
            announce("verify-failed", sentence, logging.ERROR, **_fields(event), error_class=event.error_class)


def _fields(event: DrillPassed | DrillFailed) -> dict[str, object]:
    return {
        "event": type(event).__name__,
        "db": event.database,
        "replica": event.replica,
        "txid": None if event.txid is None else format_txid(event.txid),
        "duration_ms": round(event.seconds * 1000),
    }


def print_verified(answer: Verified, comparison: Comparison | None = None) -> None:
    """Lines for one replica."""
    name = answer.replica.name
    if answer.filled and answer.plan:
        proof = "the database checksum" if answer.filled.proven else "every file checksum"
        proof += " and an integrity check" if isinstance(answer.filled, Restored | Followed) else ""
        if isinstance(answer.filled, Followed):
            proof += f" ({answer.filled.fetched} objects were read beside the copy of the last drill)"
        print(f"replica {name}: {_reached(answer)} is sound, {format_size(answer.filled.size)}, proven by {proof}")
    if comparison and not answer.damage:
        print(f"replica {name}: {_compared(comparison)}")
    if answer.read:
        print(f"replica {name}: {answer.read} objects were read to their end")
    for finding in answer.findings:
        print(f"replica {name}: {finding.sentence}")
    for damage in answer.damage:
        print(f"replica {name}: damaged: {damage.error}{_lost(damage)}")


def _compared(comparison: Comparison) -> str:
    match comparison.live:
        case Live.EQUAL:
            return f"equal to the live database{_changed(comparison)}"
        case Live.DIFFERENT:
            return f"different from the live database: {comparison.why}"
        case Live.NOT_COMPARED:
            return f"not compared with the live database: {comparison.why}"


def _changed(comparison: Comparison) -> str:
    """` (12 pages were changed meanwhile, and arrived too)`."""
    if not comparison.changed:
        return ""
    again = f"; {comparison.restless} of them too often to be compared" if comparison.restless else ""
    return f" ({comparison.changed} pages were changed meanwhile, and arrived too{again})"


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


def entry(answer: Verified) -> dict[str, object]:
    """The JSON object of one replica."""
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


def live_fields(comparison: Comparison) -> dict[str, object]:
    """What a drill adds."""
    return {
        "live": comparison.live.value,
        "live_text": comparison.why or None,
        "pages_changed": comparison.changed,
        "pages_restless": comparison.restless,
        "pages_different": comparison.different,
        "different": list(comparison.pages),
    }


def failed(replica: str, error: LitestreamdError) -> dict[str, object]:
    """The JSON object of a replica that could not be verified."""
    return {"replica": replica, "sound": None, "error": str(error)}
