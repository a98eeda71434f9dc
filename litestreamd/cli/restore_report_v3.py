"""What `restore` prints of a backup that Litestream 0.3 made: the plan and the result, as JSON fields or sentences.

Times are RFC 3339 with every digit that counts for `-timestamp`, sizes bytes, WAL indexes hex digits as in names.
"""

from litestreamd.basics.clock import format_time_ns
from litestreamd.cli.table import print_table
from litestreamd.plan.generations import Segment, Snapshot
from litestreamd.plan.restore_v3 import PlanV3
from litestreamd.v3.names import format_index

FORMAT = "litestream-0.3"
_COLUMNS = ("kind", "index", "offset", "size", "timestamp")


def head_v3(plan: PlanV3) -> dict[str, object]:
    """What a plan leads to, for JSON."""
    return {
        "format": FORMAT,
        "generation": plan.generation,
        "index": format_index(plan.index),
        "timestamp": format_time_ns(plan.created_ns),
    }


def files_v3(plan: PlanV3) -> list[dict[str, object]]:
    """The objects of a plan in the order of use, for JSON."""
    return [{"name": str(each.stored.name), **_fields(each)} for each in plan.parts]


def print_plan_v3(source: str, target: str, replica: str, plan: PlanV3) -> None:
    """The plan as text."""
    print("Restore plan (Litestream 0.3):")
    print(f"  source: {source}\n  target: {target}\n  replica: {replica}")
    print(f"  generation: {plan.generation}, index: {format_index(plan.index)}")
    print(f"  state of: {format_time_ns(plan.created_ns)}\n")
    print("Files to fetch:")
    print_table(_COLUMNS, [[str(cell) for cell in _fields(each).values()] for each in plan.parts])


def reached_v3(plan: PlanV3) -> str:
    """What was restored, for a sentence."""
    return (
        f"generation {plan.generation} of Litestream 0.3, index {format_index(plan.index)} "
        f"({format_time_ns(plan.created_ns)})"
    )


def _fields(each: Snapshot | Segment) -> dict[str, object]:
    return {
        "kind": "wal" if isinstance(each, Segment) else "snapshot",
        "index": format_index(each.index),
        "offset": each.offset if isinstance(each, Segment) else 0,
        "size": each.stored.size,
        "timestamp": format_time_ns(each.created_ns),
    }
