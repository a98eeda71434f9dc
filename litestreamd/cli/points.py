"""`points`: the moments that can be restored, and which of them retention takes next.

In: what names a database or a replica. Out: a table or JSON of every replica that can be listed. Promised: one that
cannot is told, and decides the exit code, and the others are printed all the same.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from litestreamd.basics.clock import format_time
from litestreamd.basics.errors import ExitCode, LitestreamdError
from litestreamd.basics.txid import format_txid
from litestreamd.cli.command import Command
from litestreamd.cli.options import JSON, Arguments
from litestreamd.cli.restore_report import say
from litestreamd.cli.selection import SELECTION, select_replicas
from litestreamd.cli.table import print_json, print_table
from litestreamd.jobs.object_times import dated
from litestreamd.plan.points import Loss, Point, next_loss, restore_points
from litestreamd.replica.build import build_replica
from litestreamd.replica.port import ReplicaSpec

_COLUMNS = ("time", "txid", "level", "size")


@dataclass(frozen=True, slots=True)
class _Listed:
    """One replica: its points, ascending, and what retention takes next (None: nothing)."""

    name: str
    points: Sequence[Point]
    loss: Loss | None


def run(arguments: Arguments) -> ExitCode:
    """Print one line a point; several replicas get a column of their own."""
    now_ms = time.time_ns() // 1_000_000
    specs = select_replicas(arguments.words[0], arguments).replicas
    listed: list[_Listed] = []
    failures: list[tuple[str, LitestreamdError]] = []
    for spec in specs:
        try:
            listed.append(_look(spec, now_ms))
        except LitestreamdError as error:
            failures.append((spec.name, error))
    if arguments.switch("json"):
        print_json([_entry(each, point) for each in listed for point in each.points])
    elif listed:
        _print(listed, several=len(specs) > 1)
    for name, failure in failures:
        say(f"error: replica {name}: {failure}")
    return failures[0][1].exit_code if failures else ExitCode.OK


def _print(listed: Sequence[_Listed], several: bool) -> None:
    columns = ("replica", *_COLUMNS) if several else _COLUMNS
    print_table(columns, [_row(each, point, several) for each in listed for point in each.points])
    for each in listed:
        for line in _footer(each, f"replica {each.name}: " if several else ""):
            say(line)


def _look(spec: ReplicaSpec, now_ms: int) -> _Listed:
    replica = build_replica(spec)
    found = dated(replica, tuple(replica.list()))
    if found.from_headers:
        say(f"replica {spec.name}: its files have lost their times (a copy?); those in their headers are used")
    return _Listed(spec.name, restore_points(found.objects), next_loss(found.objects, spec.rules, now_ms))


def _footer(each: _Listed, head: str) -> list[str]:
    if not each.points:
        return [f"{head}there is no restore point"]
    first, last = each.points[0], each.points[-1]
    count = f"{len(each.points)} restore points" if len(each.points) > 1 else "1 restore point"
    lines = [f"{head}{count} from {format_time(first.created_ms)} to {format_time(last.created_ms)}"]
    lines.append(f"{head}restore one with -txid TXID, or with -timestamp and a time one millisecond later")
    if each.loss and each.loss.points:
        first, last = each.loss.points[0], each.loss.points[-1]
        span = f"TXID {format_txid(first.txid)}"
        if len(each.loss.points) > 1:
            span = f"{len(each.loss.points)} points from {span} to {format_txid(last.txid)}"
        lines.append(f"{head}retention takes {span} next, at {format_time(each.loss.when_ms)}")
    return lines


def _row(each: _Listed, point: Point, several: bool) -> tuple[str, ...]:
    row = (format_time(point.created_ms), format_txid(point.txid), str(point.level), str(point.size))
    return (each.name, *row) if several else row


def _entry(each: _Listed, point: Point) -> dict[str, object]:
    """`dropped`: when retention takes it, as far as the next run is concerned."""
    lost = each.loss is not None and any(point.txid == gone.txid for gone in each.loss.points)
    return {
        "replica": each.name,
        "timestamp": format_time(point.created_ms),
        "restore_timestamp": format_time(point.created_ms + 1),
        "txid": format_txid(point.txid),
        "level": point.level,
        "size": point.size,
        "dropped": format_time(each.loss.when_ms) if lost and each.loss else None,
    }


COMMAND = Command(
    name="points",
    summary="list the moments that can be restored",
    synopses=("[options] DATABASE|INSTANCE|REPLICA_URL",),
    options=(*SELECTION, JSON),
    run=run,
    words_min=1,
    words_max=1,
    examples=("/path/to/db", "-json file:///path/to/replica"),
)
