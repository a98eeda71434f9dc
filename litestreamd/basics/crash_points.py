"""Named places where a crash is interesting, so that tests can die exactly there.

In: the name of a place, each time the program passes it. Out: nothing, unless a test armed the
place (the command line does that from LITESTREAMD_CRASH_AT: see cli/replicate.py); then the given action
runs at the n-th passing. Production never arms anything: the cost is one comparison.
"""

from collections.abc import Callable
from typing import Any

NAMES = (
    "capture.before-spool",
    "file.written",
    "file.renamed",
    "spool.written",
    "spool.renamed",
    "spool.synced",
    "pages.updated",
    "settle.pages-synced",
    "settle.state-written",
    "settle.cursors-written",
    "settle.spool-trimmed",
    "guard.moved",
    "checkpoint.bulk-done",
    "checkpoint.locked",
    "checkpoint.done",
    "checkpoint.truncated",
    "push.before-create",
    "push.created",
    "image.head-created",
    "image.half-way",
    "image.kept",
    "image.moved",
    "image.created",
    "compact.created",
    "expire.deleted",
    "join.epoch-opened",
    "folder.written",
    "folder.linked",
    "close.drained",
    "restore.filled",
    "restore.sidecars-moved",
    "restore.kept",
    "restore.installed",
    "rollback.planned",
    "rollback.synced",
    "rollback.restored",
    "rollback.users-stopped",
    "rollback.present-synced",
    "rollback.stopped",
    "rollback.exchanged",
    "rollback.released",
    "rollback.started",
    "rollback.given-up",
    "rollback.put-back",
)

_armed: tuple[str, int, Callable[[], Any]] | None = None


def arm(name: str, passing: int, action: Callable[[], Any]) -> None:
    """Run `action` at the given passing (1 = first) of the place. Raises KeyError for an unknown name."""
    global _armed  # noqa: PLW0603  one place in one process: a test's process
    if name not in NAMES:
        raise KeyError(name)
    _armed = (name, passing, action)


def passing(name: str) -> None:
    """Called by the program where a crash is interesting."""
    global _armed  # noqa: PLW0603
    if _armed is None or _armed[0] != name:
        return
    place, left, action = _armed
    if left > 1:
        _armed = (place, left - 1, action)
    else:
        action()
