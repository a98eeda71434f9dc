"""What the control socket can ask for: the sync barrier, pause and resume.

In: paths as the configuration gives them, seconds. Out: JSON-able answers.
Promise of the barrier: everything committed before the call is durable when it says so: in the spool, and with `wait`
on every replica.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestreamd.daemon.board import Board
from litestreamd.daemon.instance import Instance
from litestreamd.daemon.protection import Protection
from litestreamd.jobs.barrier import Barrier

LOOK_S = 0.1
"""How often replicas are looked at while somebody waits, beside each time that something happens."""


class UnknownDatabase(Exception):
    """The text says which, and what there is."""


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

    def sync(self, database: str | None, wait: bool, timeout_s: float) -> Synced:
        """The barrier for one database or, with None, for all. Raises UnknownDatabase."""
        began = time.monotonic()
        deadline = began + timeout_s
        if not self._settled(timeout_s):
            return Synced(False, [], time.monotonic() - began)
        asked = [(protection, protection.barrier()) for protection in self._chosen(database)]
        for _, barrier in asked:
            barrier.wait(deadline - time.monotonic())
        if wait:
            self._wait_for_replicas(asked, deadline)
        answers = [_answer(protection, barrier, wait) for protection, barrier in asked]
        return Synced(all(answer["complete"] for answer in answers), answers, time.monotonic() - began)

    def pause(self, database: str, timeout_s: float) -> bool:
        """Let a database go. Out: whether its replicas have everything. Raises UnknownDatabase."""
        try:
            return self._instance.pause(Path(database), time.monotonic() + timeout_s)
        except KeyError:
            raise self._unknown(database) from None

    def resume(self, database: str) -> None:
        """Protect it again. Raises UnknownDatabase."""
        try:
            self._instance.resume(Path(database))
        except KeyError:
            raise self._unknown(database) from None

    def _wait_for_replicas(self, asked: list[tuple[Protection, Barrier]], deadline: float) -> None:
        def arrived() -> bool:
            return all(barrier.error or _is_everywhere(protection, barrier.txid) for protection, barrier in asked)

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

    def _unknown(self, database: str) -> UnknownDatabase:
        known = ", ".join(str(each.settings.path) for each in self._instance.protections) or "none"
        paused = any(each.path == Path(database) for each in self._instance.paused)
        what = "is paused" if paused else "is not a database of this instance"
        return UnknownDatabase(f"{database} {what}; protected are: {known}")


def _is_everywhere(protection: Protection, txid: int | None) -> bool:
    if txid is None:
        return False
    return txid == 0 or all(line.complete(txid) for line in protection.replication.lines)


def _answer(protection: Protection, barrier: Barrier, wait: bool) -> dict[str, Any]:
    lines = protection.replication.lines
    captured = barrier.txid is not None
    return {
        "path": str(protection.settings.path),
        "txid": barrier.txid,
        "error": str(barrier.error) if barrier.error else None,
        "complete": captured and (not wait or _is_everywhere(protection, barrier.txid)),
        "replicas": {line.replica.name: line.cursor for line in lines},
    }
