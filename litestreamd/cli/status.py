"""`status`: where every database and replica of an instance stands.

In: an instance, or the path of a database. Out: a table or JSON, from the running daemon, else from what it left.
Exit codes: 0 all is well, 2 a replica lags, 3 something does not work or the daemon does not run.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from litestreamd.basics.clock import format_time
from litestreamd.basics.errors import EnvironmentFault, ExitCode, RightsError, UsageError
from litestreamd.basics.quantities import format_duration, format_size
from litestreamd.basics.txid import format_txid
from litestreamd.cli.command import Command
from litestreamd.cli.options import JSON, Arguments
from litestreamd.cli.restore_report import say
from litestreamd.cli.running import RUNNING, TIMEOUT, Daemon, find_daemon
from litestreamd.cli.table import print_table
from litestreamd.daemon.control_client import NotRunning, ask

_CODES = {"ok": ExitCode.OK, "stale": ExitCode.STALE, "failing": ExitCode.FAILING}
_NONE = "-"


def run(arguments: Arguments) -> ExitCode:
    """Print it."""
    daemon = find_daemon(arguments.words[0], arguments)
    try:
        document, runs = _document(daemon, arguments.duration("timeout", 30.0))
    except NotRunning as error:  # and it has left nothing: it never ran
        say(f"error: {error}")
        return ExitCode.FAILING
    if daemon.database is not None:
        document = _only(document, daemon.database)
    if arguments.switch("json"):
        print(json.dumps(document | {"running": runs}, indent=2))
    else:
        _print(document)
    if not runs:
        say(f"the daemon does not run: this is what it said at {format_time(document['now_ms'])}")
        return ExitCode.FAILING
    return _CODES.get(document["health"], ExitCode.FAILING)


def _document(daemon: Daemon, timeout_s: float) -> tuple[dict[str, Any], bool]:
    """What the daemon says, or said last; and whether it runs."""
    try:
        _, document = ask(daemon.socket, "GET", "/status", timeout_s=timeout_s)
    except NotRunning:
        if daemon.health is None or not daemon.health.exists():
            raise
        return _read(daemon.health), False
    return document, True


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except PermissionError:
        raise RightsError(f"{path} may not be read by this user (group litestreamd may)") from None
    except (OSError, ValueError) as error:
        raise EnvironmentFault(f"{path} cannot be read: {error}") from None
    if not isinstance(document, dict):
        raise EnvironmentFault(f"{path} cannot be read: not an object of JSON")
    return document


def _only(document: dict[str, Any], database: str) -> dict[str, Any]:
    chosen = [each for each in document["databases"] if each["path"] == database]
    if not chosen:
        known = ", ".join(each["path"] for each in document["databases"]) or "none"
        raise UsageError(f"{database} is not protected by this daemon; it has: {known}")
    return document | {"databases": chosen}


def _print(document: Mapping[str, Any]) -> None:
    rows = []
    for database in document["databases"]:
        for replica in database["replicas"] or [{}]:
            rows.append(_row(database, replica))
    columns = ("database", "state", "txid", "replica", "replica state", "replica txid", "lag", "last sync", "verified")
    print_table(columns, rows)
    for database in document["databases"]:
        for each in (database, *database["replicas"]):
            if each.get("error"):
                where = database["path"] + (f", {each['name']}" if "name" in each else "")
                print(f"{where}: {each['error']['text']} (since {format_time(each['error']['since_ms'])})")
            if each.get("fence") == "weak":
                print(f"{database['path']}, {each['name']}: weak fence: the store cannot refuse a second writer")
    if document.get("reload_error"):
        print(f"the configuration was not reloaded: {document['reload_error']}")


def _row(database: Mapping[str, Any], replica: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        database["path"],
        database["state"],
        _txid(database.get("txid")),
        replica.get("name", _NONE),
        replica.get("state", _NONE),
        _txid(replica.get("txid")),
        _lag(replica),
        _ago(replica.get("last_sync_ms")),
        _verified(database.get("verified")),
    )


def _txid(txid: int | None) -> str:
    return format_txid(txid) if txid else _NONE


def _lag(replica: Mapping[str, Any]) -> str:
    if not replica.get("lag_s") and not replica.get("lag_txids"):
        return "none" if replica else _NONE
    return f"{format_duration(replica['lag_s'])}, {format_size(replica['lag_bytes'])}"


def _ago(time_ms: int | None) -> str:
    return _NONE if time_ms is None else f"{format_duration(max(0.0, round(time.time() - time_ms / 1000)))} ago"


def _verified(verified: Mapping[str, Any] | None) -> str:
    if verified is None:
        return "never"
    return f"{'ok' if verified['ok'] else 'FAILED'} {_ago(verified['at_ms'])}"


COMMAND = Command(
    name="status",
    summary="show where every database and replica of a running daemon stands",
    synopses=("[options] INSTANCE|DATABASE",),
    options=(JSON, TIMEOUT, *RUNNING),
    run=run,
    words_min=1,
    words_max=1,
    examples=("app", "-json app"),
)
