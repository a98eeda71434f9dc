"""What `status` prints of a daemon: a block for each instance, database by database, and what changes in it.

In: looks, the time of now (ms since 1970). Out: lines, and an exit code.
Promised: what an instance says may be anything at all, since the user of an application writes it where an instance
runs as that user: nonsense is called so, and nothing of it reaches the terminal but printable characters.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from litestreamd.basics.clock import format_time
from litestreamd.basics.errors import ExitCode
from litestreamd.basics.quantities import format_size
from litestreamd.basics.txid import format_txid
from litestreamd.cli.ages import ago, format_age
from litestreamd.cli.status_sources import Look
from litestreamd.cli.table import table_lines

Part = Mapping[str, Any]

_CODES = {"ok": ExitCode.OK, "stale": ExitCode.STALE}
_COLUMNS = ("replica", "state", "txid", "lag", "last sync", "verified", "restore points from", "to")
_NONE = "-"
_ABSENT = "there is no such file, and nothing is protected yet: is the path right, has the application run?"
_NONSENSE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def worst(looks: Sequence[Look]) -> ExitCode:
    """Of all of them."""
    return max((_code(look) for look in looks), default=ExitCode.OK)


def _code(look: Look) -> ExitCode:
    if not look.runs or look.document is None:
        return ExitCode.FAILING
    if look.document.get("reload_error"):
        return ExitCode.FAILING  # it works, as configured once: the next start will not
    return _CODES.get(str(look.document.get("health")), ExitCode.FAILING)


def report(looks: Sequence[Look], now_ms: int) -> list[str]:
    """All of it."""
    lines: list[str] = []
    for look in looks:
        if look.document is None:
            lines += [f"{look.instance}: not known"] if look.instance else []
            continue
        try:
            lines += list(_instance(look, look.document, now_ms))
        except _NONSENSE:
            lines.append(f"{look.instance}: what it says makes no sense to this version")
    return [printable(line) for line in lines]


def changes_of(looks: Sequence[Look]) -> dict[str, str]:
    """What is worth a line when it changes, by what it is about."""
    found: dict[str, str] = {}
    for look in looks:
        health = look.document.get("health") if look.document else None
        found[look.instance] = f"{health or 'not known'}" if look.runs else "does not run"
        with suppress(*_NONSENSE):
            found |= dict(_changing(look.document or {}))
    return {printable(key): printable(text) for key, text in found.items()}


def _changing(document: Part) -> Iterator[tuple[str, str]]:
    for database in document["databases"]:
        yield database["path"], _said(database)
        for replica in database["replicas"]:
            yield f"{database['path']}, {replica['name']}", _said(replica)


def printable(text: str) -> str:
    """The text without what would steer a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _said(part: Part) -> str:
    error = f": {part['error']['text']}" if part.get("error") else ""
    return f"{part['state']}, TXID {_txid(part.get('txid'))}{error}"


def _instance(look: Look, document: Part, now_ms: int) -> Iterator[str]:
    since = f", up {format_age((now_ms - document['started_ms']) / 1000)}" if look.runs else ""
    state = document["health"] if look.runs else "does not run"
    yield f"{document['instance']}: {state} (litestreamd {document['program']}, pid {document['pid']}{since})"
    if document.get("reload_error"):
        yield f"  the configuration was not reloaded: {document['reload_error']}"
    for database in document["databases"]:
        yield from _database(database, now_ms)


def _database(database: Part, now_ms: int) -> Iterator[str]:
    yield f"{database['path']}: {database['state']}{_extent(database)}"
    if database["state"] == "absent":
        yield f"  {_ABSENT}"
    yield from _trouble("", database, now_ms)
    if database["replicas"]:
        rows = [_row(database, replica, now_ms) for replica in database["replicas"]]
        yield from (f"  {line}" for line in table_lines(_COLUMNS, rows))
    for replica in database["replicas"]:
        name = f"{replica['name']}: "
        yield from _trouble(name, replica, now_ms)
        if replica.get("fence") == "weak":
            yield f"  {name}weak fence: the store cannot refuse a second writer"
        verified = _last_drill(database, replica)
        if verified and not verified["ok"]:
            yield f"  {name}the drill failed {ago(now_ms, verified['at_ms'])}: {verified.get('error')}"


def _extent(database: Part) -> str:
    """What it is; nothing of one that is paused."""
    parts = [f"TXID {format_txid(database['txid'])}"] if database.get("txid") else []
    parts += [format_size(database["size"])] if database.get("size") is not None else []
    if database.get("spool_files") is not None:
        files, quota = database["spool_files"], database.get("spool_quota")
        room = f" of {format_size(quota)}" if quota is not None else ""
        parts.append(f"spool {files} file{'' if files == 1 else 's'}, {format_size(database['spool_bytes'])}{room}")
    return "".join(f", {part}" for part in parts)


def _trouble(name: str, part: Part, now_ms: int) -> Iterator[str]:
    error = part.get("error")
    if error:
        yield f"  {name}{error['text']} (for {format_age(max(0, now_ms - error['since_ms']) / 1000)})"


def _row(database: Part, replica: Part, now_ms: int) -> tuple[str, ...]:
    window = replica.get("window") or {}
    return (
        replica["name"],
        _state(database, replica),
        _txid(replica.get("txid")),
        _lag(replica),
        ago(now_ms, replica.get("last_sync_ms")),
        _verified(_last_drill(database, replica), now_ms),
        *(format_time(window[end]) if window else _NONE for end in ("oldest_ms", "newest_ms")),
    )


def _state(database: Part, replica: Part) -> str:
    """In sync with nothing is true, and no comfort to somebody whose database has another path."""
    nothing = database["state"] == "absent" and replica["state"] == "in sync"
    return "nothing yet" if nothing else str(replica["state"])


def _txid(txid: int | None) -> str:
    return format_txid(txid) if txid else _NONE


def _lag(replica: Part) -> str:
    if not replica.get("lag_s") and not replica.get("lag_txids"):
        return "none"
    return f"{format_age(replica['lag_s'])}, {format_size(replica['lag_bytes'])}"


def _last_drill(database: Part, replica: Part) -> Part | None:
    """Of this replica; an older daemon knows only the database's last, which may have been another's."""
    if "verified" in replica:
        own: Part | None = replica["verified"]
        return own
    last: Part | None = database.get("verified")
    return last if last and last.get("replica") == replica["name"] else None


def _verified(verified: Part | None, now_ms: int) -> str:
    return "never" if verified is None else f"{'ok' if verified['ok'] else 'FAILED'} {ago(now_ms, verified['at_ms'])}"
