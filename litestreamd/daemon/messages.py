"""Events as journal fields, and the fixed MESSAGE_IDs of those that matter to an operator.

In: an event of jobs/events. Out: fields of LITESTREAMD_*, and MESSAGE_ID where the journal's catalog
(units/litestreamd.catalog, held equal by a test) explains what it means and what to do.
"""

from dataclasses import fields
from typing import Any

from litestreamd.basics.txid import format_txid
from litestreamd.jobs import events

_FAMILY = "7d1f3c9a5b2e4f60a8c4d2e19b7f0a"

MESSAGE_IDS = {
    "protected": _FAMILY + "01",
    "absent": _FAMILY + "02",
    "switched-to-wal": _FAMILY + "03",
    "summary": _FAMILY + "04",
    "failing": _FAMILY + "05",
    "recovered": _FAMILY + "06",
    "second-writer": _FAMILY + "07",
    "spool-full": _FAMILY + "08",
    "damaged": _FAMILY + "09",
    "healed": _FAMILY + "0a",
    "retention-stopped": _FAMILY + "0b",
    "wal-released": _FAMILY + "0c",
    "left-behind": _FAMILY + "0d",
    "reload-refused": _FAMILY + "0e",
    "restored": _FAMILY + "0f",
    "restore-waiting": _FAMILY + "10",
    "verified": _FAMILY + "11",
    "verify-failed": _FAMILY + "12",
    "unit-failed": _FAMILY + "13",
    "weak-fence": _FAMILY + "14",
    "rolled-back": _FAMILY + "15",
}

_OF_EVENTS: dict[type[events.Event], str] = {
    events.DatabaseOpened: "protected",
    events.DatabaseAwaited: "absent",
    events.WalModeSwitched: "switched-to-wal",
    events.Problem: "failing",
    events.Recovered: "recovered",
    events.SpoolFull: "spool-full",
    events.ObjectDamaged: "damaged",
    events.Healed: "healed",
    events.RetentionStopped: "retention-stopped",
    events.ValveOpened: "wal-released",
}

_NAMES = {"database": "DB", "size": "BYTES", "error_class": "ERROR_CLASS", "max_txid": "TXID", "head": "TXID"}
_TXIDS = frozenset({"txid", "min_txid", "max_txid", "head", "through"})


def message_id(event: events.Event) -> str | None:
    """The id of an operator's event; None for the others."""
    if isinstance(event, events.Problem) and event.error_class == "ConflictError":
        return MESSAGE_IDS["second-writer"]
    if isinstance(event, events.Closed):
        return MESSAGE_IDS["left-behind"] if event.behind else None
    name = _OF_EVENTS.get(type(event))
    return None if name is None else MESSAGE_IDS[name]


def journal_fields(event: events.Event) -> dict[str, str]:
    """What the journal keeps of an event beside its text. Sizes in bytes, durations in ms, TXIDs in 16 hex digits."""
    found = {"LITESTREAMD_EVENT": type(event).__name__}
    for field in fields(event):
        value = getattr(event, field.name)
        if value is not None and field.name != "behind":
            name, text = _field(field.name, value)
            found[f"LITESTREAMD_{name}"] = text
    known = message_id(event)
    return found | {"MESSAGE_ID": known} if known else found


def _field(name: str, value: Any) -> tuple[str, str]:
    if name in _TXIDS:
        return _NAMES.get(name, name.upper()), format_txid(value)
    if name == "seconds" or name.endswith("_seconds"):
        return f"{name.removesuffix('seconds')}DURATION_MS".upper(), f"{value * 1000:.0f}"
    return _NAMES.get(name, name.upper()), str(value)
