"""`generations`: what Litestream 0.3 left of a database on its replicas, as the stores list it."""

from litestreamd.basics.clock import format_time_ns
from litestreamd.basics.errors import ExitCode
from litestreamd.cli.command import Command
from litestreamd.cli.options import JSON, Arguments
from litestreamd.cli.selection import SELECTION, select_one
from litestreamd.cli.table import print_json, print_table
from litestreamd.plan.generations import Generation, generations
from litestreamd.replica.build import build_replica
from litestreamd.v3.names import format_index

_COLUMNS = ("replica", "generation", "snapshots", "segments", "indexes", "size", "start", "end")


def run(arguments: Arguments) -> ExitCode:
    """Print the generations of every selected replica, the least fresh one first; JSON has every object."""
    replicas = [build_replica(spec) for spec in select_one(arguments.words[0], arguments).replicas]
    found = [(replica.name, each) for replica in replicas for each in generations(replica.list_v3())]
    if arguments.switch("json"):
        print_json([_entry(name, each) for name, each in found])
    else:
        print_table(_COLUMNS, [_row(name, each) for name, each in found])
    return ExitCode.OK


def _row(replica: str, each: Generation) -> tuple[str, ...]:
    counts = (str(len(each.snapshots)), str(len(each.segments)))
    indexes = [part.index for part in each.parts]
    span = f"{format_index(min(indexes))}-{format_index(max(indexes))}"
    times = (format_time_ns(each.first_ns), format_time_ns(each.last_ns))
    return (replica, each.name, *counts, span, str(each.size), *times)


def _entry(replica: str, each: Generation) -> dict[str, object]:
    return {
        "replica": replica,
        "generation": each.name,
        "start": format_time_ns(each.first_ns),
        "end": format_time_ns(each.last_ns),
        "snapshots": [
            {
                "index": format_index(snapshot.index),
                "size": snapshot.stored.size,
                "timestamp": format_time_ns(snapshot.created_ns),
            }
            for snapshot in each.snapshots
        ],
        "wal": [
            {
                "index": format_index(segment.index),
                "offset": segment.offset,
                "size": segment.stored.size,
                "timestamp": format_time_ns(segment.created_ns),
            }
            for segment in each.segments
        ],
    }


COMMAND = Command(
    name="generations",
    summary="list what Litestream 0.3 left of a database on its replicas",
    synopses=("[options] DATABASE|INSTANCE|REPLICA_URL",),
    options=(*SELECTION, JSON),
    run=run,
    words_min=1,
    words_max=1,
    examples=("/path/to/db", "-json file:///path/to/replica"),
)
