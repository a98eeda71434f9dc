"""What the control socket can ask for: the sync barrier, pause and resume.

In: paths as the configuration gives them, seconds. Out: JSON-able answers.
Promise of the barrier: everything committed before the call is durable when it says so: in the spool, and, as it was
asked for, on every replica, on a certain one, or on the first that gets it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestreamd.daemon.board import Board
from litestreamd.daemon.instance import Instance
from litestreamd.daemon.protection import Protection
from litestreamd.jobs.barrier import Barrier
from litestreamd.jobs.ship import Line

LOOK_S = 0.1
"""How often replicas are looked at while somebody waits, beside each time that something happens."""


class Unknown(Exception):
    """There is no such database or replica; the text says which there are."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far it has to have come: into the spool; or, with `wait`, on every replica; with `replica`, on that one; with
    `first`, on any of them."""

    wait: bool = False
    replica: str | None = None
    first: bool = False

    @property
    def is_spool(self) -> bool:
        """Whether nothing has to be on a replica."""
        return not (self.wait or self.replica or self.first)

    def reached(self, lines: Sequence[Line], txid: int | None) -> bool:
        """Whether a TXID, None while it is not captured, has come so far."""
        if txid is None or txid == 0 or self.is_spool:
            return txid is not None
        complete = [line.complete(txid) for line in lines if self.replica in (None, line.replica.name)]
        return any(complete) if self.first else all(complete)


@dataclass(frozen=True, slots=True)
class Synced:
    """An answer: whether it came in time, and what became of each database."""

    complete: bool
    databases: list[dict[str, Any]]
    seconds: float


class Operations:
    """Called from the threads of the control server. `settled(seconds)`: whether all databases of the configuration are
    there within that time."""

    def __init__(self, instance: Instance, board: Board, settled: Callable[[float], bool]) -> None:
        self._instance = instance
        self._board = board
        self._settled = settled

    def sync(self, database: str | None, reach: Reach, timeout_s: float) -> Synced:
        """The barrier for one database or, with None, for all. Raises Unknown."""
        began = time.monotonic()
        deadline = began + timeout_s
        if not self._settled(timeout_s):
            return Synced(False, [], time.monotonic() - began)
        chosen = self._chosen(database)
        _refuse_unknown_replica(reach.replica, chosen)
        asked = [(protection, protection.barrier()) for protection in chosen]
        for _, barrier in asked:
            barrier.wait(deadline - time.monotonic())
        self._wait_for_replicas(asked, reach, deadline)
        answers = [_answer(protection, barrier, reach) for protection, barrier in asked]
        return Synced(all(answer["complete"] for answer in answers), answers, time.monotonic() - began)

    def pause(self, database: str, timeout_s: float) -> bool:
        """Let a database go. Out: whether its replicas have everything. Raises Unknown."""
        try:
            return self._instance.pause(Path(database), time.monotonic() + timeout_s)
        except KeyError:
            raise self._unknown(database) from None

    def resume(self, database: str) -> None:
        """Protect it again. Raises Unknown."""
        try:
            self._instance.resume(Path(database))
        except KeyError:
            raise self._unknown(database) from None

    def heal(self, database: str) -> None:
        """Look at once at what a verification has left in the state directory. Raises UnknownDatabase."""
        for protection in self._chosen(database):
            protection.wake_histories()

    def _wait_for_replicas(self, asked: list[tuple[Protection, Barrier]], reach: Reach, deadline: float) -> None:
        def arrived() -> bool:
            return all(
                barrier.error or reach.reached(protection.replication.lines, barrier.txid)
                for protection, barrier in asked
            )

        with self._board.changed:
            while not arrived() and (left := deadline - time.monotonic()) > 0:
                self._board.changed.wait(min(left, LOOK_S))

    def _chosen(self, database: str | None) -> list[Protection]:
        protections = self._instance.protections
        if database is None:
            return protections
        chosen = [each for each in protections if each.settings.path == Path(database)]
        if not chosen:
            raise self._unknown(database)
        return chosen

    def _unknown(self, database: str) -> Unknown:
        known = ", ".join(str(each.settings.path) for each in self._instance.protections) or "none"
        paused = any(each.path == Path(database) for each in self._instance.paused)
        what = "is paused" if paused else "is not a database of this instance"
        return Unknown(f"{database} {what}; protected are: {known}")


def _refuse_unknown_replica(name: str | None, chosen: Sequence[Protection]) -> None:
    """A database without this replica would be called safe there. Raises Unknown."""
    for protection in chosen if name is not None else ():
        known = [line.replica.name for line in protection.replication.lines]
        if name not in known:
            raise Unknown(f"{protection.settings.path} has no replica {name}; it has: {', '.join(known)}")


def _answer(protection: Protection, barrier: Barrier, reach: Reach) -> dict[str, Any]:
    lines = protection.replication.lines
    txid = barrier.txid
    return {
        "path": str(protection.settings.path),
        "txid": txid,
        "error": str(barrier.error) if barrier.error else None,
        "complete": reach.reached(lines, txid),
        "replicas": {line.replica.name: line.cursor for line in lines},
        "reached": [line.replica.name for line in lines if txid and line.complete(txid)],
    }
