"""How long ago something was, for people: never finer than its size makes useful."""

from litestreamd.basics.quantities import format_duration

_ROUNDED = ((86400.0, 3600), (3600.0, 60), (10.0, 1))


def format_age(seconds: float) -> str:
    """`0s`, `1.5s`, `42s`, `3m7s`, `2h5m`, `3d4h`."""
    if seconds < 0.05:
        return "0s"
    for least, unit in _ROUNDED:
        if seconds >= least:
            return format_duration(float(int(seconds) // unit * unit))
    return format_duration(round(seconds, 1))


def ago(now_ms: int, time_ms: int | None, never: str = "-") -> str:
    """`3m7s ago`; a time that is still to come (clocks differ) is now."""
    return never if time_ms is None else f"{format_age(max(0, now_ms - time_ms) / 1000)} ago"
