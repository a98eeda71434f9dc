"""What daemons say, or said last, of themselves.

In: one daemon, or the machine. Out: looks. Promised: a daemon that does not run or answer is a look as well, with the
reason; an error is what keeps us from knowing either.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestreamd.basics.errors import EnvironmentFault, RightsError, UsageError
from litestreamd.cli.ages import ago
from litestreamd.cli.running import Daemon
from litestreamd.daemon.control_client import NotRunning, ask
from litestreamd.daemon.instances import Instances
from litestreamd.daemon.status import health_of


@dataclass(frozen=True, slots=True)
class Look:
    """`document`: what it says, or said last; None: nothing is known. `why`: what is to be said of one that does not
    run."""

    instance: str
    document: dict[str, Any] | None
    runs: bool
    why: str = ""


def look_at_one(daemon: Daemon, timeout_s: float) -> Look:
    """One daemon, and of it the database that was named. UsageError, RightsError, BusyError, EnvironmentFault."""
    try:
        _, document = ask(daemon.socket, "GET", "/status", timeout_s=timeout_s)
        look = Look(str(document.get("instance")), document, runs=True)
    except NotRunning as error:
        look = _dead(daemon, error)
    if daemon.database is None or look.document is None:
        return look
    try:
        return Look(look.instance, _only(look.document, daemon.database), look.runs, look.why)
    except (AttributeError, LookupError, TypeError):
        raise EnvironmentFault(f"what {daemon.socket} says makes no sense to this version") from None


def look_at_all() -> list[Look]:
    """All instances of this machine, by name."""
    return [_look_of(document) for document in Instances().documents()]


def _look_of(document: dict[str, Any]) -> Look:
    name, dead = str(document["instance"]), document.pop("dead")
    document.pop("age_s", None)
    known = document if "databases" in document else None
    return Look(name, known, not dead, f"{name}: {_last_words(known)}" if dead else "")


def _dead(daemon: Daemon, error: NotRunning) -> Look:
    if daemon.health is None or not daemon.health.exists():
        return Look("", None, runs=False, why=f"error: {error}")  # it has left nothing: it never ran
    document = _read(daemon.health)
    return Look(str(document.get("instance")), document, runs=False, why=_last_words(document))


def _last_words(document: dict[str, Any] | None) -> str:
    if document is None:
        return "the daemon does not run or does not answer, and has left nothing that this user may read"
    said_ms = document.get("now_ms")
    when = f" {ago(time.time_ns() // 1_000_000, said_ms)}" if isinstance(said_ms, int) else ""
    return f"the daemon does not run: this is what it said{when}"


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
    return document | {"databases": chosen, "health": health_of(chosen)}
