"""`ltx`: the LTX files of a database on its replicas, as the stores list them."""

from litestreamd.basics.clock import format_time
from litestreamd.basics.errors import ExitCode, UsageError
from litestreamd.basics.txid import format_txid
from litestreamd.cli.command import Command
from litestreamd.cli.options import JSON, Arguments, Option
from litestreamd.cli.selection import SELECTION, select_one
from litestreamd.cli.table import print_json, print_table
from litestreamd.ltx.names import SNAPSHOT_LEVEL
from litestreamd.replica.build import build_replica
from litestreamd.replica.port import StoredObject

_COLUMNS = ("level", "min_txid", "max_txid", "size", "created")


def run(arguments: Arguments) -> ExitCode:
    """Print the files of one level (or all) of every selected replica; several replicas get a column of their own."""
    level = _level(arguments.text("level") or "0")
    replicas = [build_replica(spec) for spec in select_one(arguments.words[0], arguments).replicas]
    found = [(replica.name, stored) for replica in replicas for stored in replica.list(level)]
    if arguments.switch("json"):
        print_json([_entry(name, stored) for name, stored in found])
    elif len(replicas) > 1:
        print_table(("replica", *_COLUMNS), [(name, *_row(stored)) for name, stored in found])
    else:
        print_table(_COLUMNS, [_row(stored) for _, stored in found])
    return ExitCode.OK


def _level(text: str) -> int | None:
    """The level to list, None for all."""
    if text == "all":
        return None
    if len(text) == 1 and text in "0123456789" and int(text) <= SNAPSHOT_LEVEL:
        return int(text)
    raise UsageError(f"-level: {text!r} is not one of 0 to {SNAPSHOT_LEVEL}, or all")


def _row(stored: StoredObject) -> tuple[str, ...]:
    name = stored.name
    created = format_time(stored.created_ms)
    return (str(name.level), format_txid(name.min_txid), format_txid(name.max_txid), str(stored.size), created)


def _entry(replica: str, stored: StoredObject) -> dict[str, object]:
    """Litestream's fields, and the replica's name."""
    return {
        "replica": replica,
        "level": stored.name.level,
        "min_txid": format_txid(stored.name.min_txid),
        "max_txid": format_txid(stored.name.max_txid),
        "size": stored.size,
        "timestamp": format_time(stored.created_ms),
    }


COMMAND = Command(
    name="ltx",
    summary="list the LTX files of a database on its replicas",
    synopses=("[options] DATABASE|INSTANCE|REPLICA_URL",),
    options=(*SELECTION, Option("level", "0 to 9, where 9 holds snapshots, or all (default: 0)", "LEVEL"), JSON),
    run=run,
    words_min=1,
    words_max=1,
    examples=("/path/to/db", "-level all file:///path/to/replica"),
)
