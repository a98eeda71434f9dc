"""Signs of life from work that may take long, so that who watches can tell long from stuck.

In: `beat()` wherever a piece of such work is done, `promise(seconds)` before something that has a deadline of its own.
Out: nothing, unless somebody listens (the daemon's watchdog does): the cost is one call that does nothing.
"""

from collections.abc import Callable

_told: Callable[[float], object] | None = None


def listen(told: Callable[[float], object] | None) -> None:
    """From now on `told(seconds)` is called in the thread that shows life: it will show more within that time, or was
    told 0: as soon as it usually does. None: nobody listens any more."""
    global _told  # noqa: PLW0603  one watchdog in one process
    _told = told


def beat() -> None:
    """A piece of the work is done."""
    if _told is not None:
        _told(0.0)


def promise(seconds: float) -> None:
    """Whatever happens now ends within so many seconds, for something else sees to that."""
    if _told is not None:
        _told(seconds)
