"""The restore point that a time gives, as sentences and as JSON fields.

Times are RFC 3339. A time is its point's own when it is the last one before it to the millisecond; otherwise the points
on both sides are named, each with the option that restores it.
"""

from litestreamd.basics.clock import format_time
from litestreamd.basics.txid import format_txid
from litestreamd.plan.resolution import Named, Resolution


def point_lines(found: Resolution) -> list[str]:
    """One line, or three."""
    lines = [f"restore point: TXID {format_txid(found.point.txid)}, stored at {format_time(found.point.created_ms)}"]
    if not found.exact:
        lines.append(f"the point before: {_named(found.before)}")
        lines.append(f"the point after: {_named(found.after)}")
    return lines


def point_fields(found: Resolution) -> dict[str, object]:
    """The same for JSON; `before` and `after` are always there, null at an end of the history."""
    return {
        **_fields(found.point),
        "exact": found.exact,
        "before": _fields(found.before) if found.before else None,
        "after": _fields(found.after) if found.after else None,
    }


def _named(point: Named | None) -> str:
    if point is None:
        return "none"
    return f"TXID {format_txid(point.txid)}, stored at {format_time(point.created_ms)} ({point.argument})"


def _fields(point: Named) -> dict[str, object]:
    return {"txid": format_txid(point.txid), "timestamp": format_time(point.created_ms), "argument": point.argument}
