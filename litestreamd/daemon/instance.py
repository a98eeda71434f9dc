"""All databases that this process protects: they come, go, are changed and pause while the others go on.

In: settings of databases. Out: Protections that run, by the path that the configuration gives.
Promise: one database is begun, ended or changed by one thread at a time, and is never protected twice; what was ended
had its final sync, and what that left behind is said.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from litestreamd.config.model import DatabaseSettings
from litestreamd.daemon.protection import Protection
from litestreamd.daemon.staff import Staff
from litestreamd.database.state_paths import state_directory
from litestreamd.jobs.events import Observer
from litestreamd.jobs.replicate import Replication
from litestreamd.jobs.settings import Settings
from litestreamd.plan.checkpoint import Limits
from litestreamd.replica.build import build_replica
from litestreamd.replica.writers import Writer

ENDING_AT_ONCE = 8


class SystemClock:
    """The machine's time."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


class Instance:
    """`source`: the configuration's path, which decides where state lives. `forget` is told of a database that went."""

    def __init__(
        self, source: Path | None, take_over: bool, staff: Staff, observe: Observer, forget: Callable[[str], None]
    ) -> None:
        self._source = source
        self._take_over = take_over
        self._staff = staff
        self._observe = observe
        self._forget = forget
        self._node_id = int.from_bytes(os.urandom(8), "big")
        self._protections: dict[Path, Protection] = {}
        self._paused: dict[Path, DatabaseSettings] = {}
        self._ends: dict[Path, Future[bool]] = {}
        self._turn = threading.RLock()
        self._enders = ThreadPoolExecutor(ENDING_AT_ONCE, thread_name_prefix="end")

    @property
    def name(self) -> str:
        """The instance, as units and journal call it."""
        return self._source.stem if self._source else "litestreamd"

    @property
    def protections(self) -> list[Protection]:
        """Those that run now."""
        return list(self._protections.values())

    @property
    def paths(self) -> list[str]:
        """Those of the databases that are protected now."""
        return [str(path) for path in self._protections]

    @property
    def paused(self) -> list[DatabaseSettings]:
        """Those that an operator has paused."""
        return list(self._paused.values())

    def state_of(self, settings: DatabaseSettings) -> Path:
        """The state directory of a database."""
        return state_directory(settings.path, settings.meta_path, self._source)

    def add(self, settings: DatabaseSettings) -> None:
        """Protect a database from now on, unless it is protected or paused already. One that is just being ended is
        waited for."""
        with self._turn:
            path = settings.path
            if path in self._paused:
                self._paused[path] = settings
                return
            if path in self._protections:
                return
            if (ending := self._ends.pop(path, None)) is not None:
                ending.result()
            protection = Protection(settings, self._replication(settings), self._staff)
            self._protections[path] = protection
            protection.begin()

    def remove(self, path: Path, deadline: float) -> Future[bool]:
        """Let a database go, after a final sync until the deadline (monotonic seconds). Out: whether the replicas have
        everything, once that is known; True for one that is not protected."""
        with self._turn:
            self._paused.pop(path, None)
            return self._end(path, deadline)

    def change(self, settings: DatabaseSettings, deadline: float) -> None:
        """Go on with other settings."""
        with self._turn:
            if settings.path in self._protections:
                self._end(settings.path, deadline).result()
            self.add(settings)

    def pause(self, path: Path, deadline: float) -> bool:
        """Let a database go until `resume`. Out: whether the replicas have everything. Raises KeyError."""
        with self._turn:
            if path in self._paused:
                return True
            self._paused[path] = self._protections[path].settings
            ending = self._end(path, deadline)
        return ending.result()

    def resume(self, path: Path) -> None:
        """Protect it again. Raises KeyError for one that is not known."""
        with self._turn:
            if path in self._protections:
                return
            self.add(self._paused.pop(path))

    def end(self, deadline: float) -> bool:
        """Let all go, at once. Out: whether the replicas have everything."""
        last = dict(self._protections)
        for protection in last.values():
            protection.hurry(deadline)
        with self._turn:
            self._forget = _nothing  # what is told of them last stays true
            ends = [*self._ends.values(), *(self._end(path, deadline) for path in last)]
        complete = all(_outcomes(ends))
        self._protections = last
        return complete

    def _end(self, path: Path, deadline: float) -> Future[bool]:
        protection = self._protections.pop(path, None)
        if protection is None:
            return self._ends.get(path) or _done()
        ending = self._ends[path] = self._enders.submit(self._end_one, protection, deadline)
        if ending.done():
            self._ends.pop(path, None)  # it was faster than we
        return ending

    def _end_one(self, protection: Protection, deadline: float) -> bool:
        path = protection.settings.path
        complete = protection.end(deadline)
        self._forget(str(path))
        self._ends.pop(path, None)
        return complete

    def _replication(self, settings: DatabaseSettings) -> Replication:
        replicas = [(build_replica(spec, settings.path), spec.rules) for spec in settings.replicas]
        return Replication(
            Settings(
                database=settings.path,
                state=self.state_of(settings),
                writer=_writer(self._node_id, self._source.stem if self._source else settings.path.name),
                limits=Limits(settings.min_checkpoint_pages, settings.truncate_pages, settings.checkpoint_interval_s),
                sync_interval_s=min(spec.sync_interval_s for spec in settings.replicas),
                busy_timeout_s=settings.busy_timeout_s,
                max_sync_wal_bytes=settings.max_sync_wal_bytes,
                switch_to_wal=settings.journal_mode == "wal",
                take_over=self._take_over,
                image_wal_bytes=settings.wal_limit,
                spool_quota=settings.spool_quota,
            ),
            replicas,
            SystemClock(),
            self._observe,
            self._staff.signal,
        )


def _outcomes(ends: Iterable[Future[bool]]) -> list[bool]:
    """All of them, so that one that failed does not cut the others short; a bug is raised."""
    ended = list(ends)
    for each in ended:
        each.exception()
    return [each.result() for each in ended]


def _nothing(_: str) -> None:
    """The process ends."""


def _done() -> Future[bool]:
    done: Future[bool] = Future()
    done.set_result(True)
    return done


def _writer(node_id: int, instance: str) -> Writer:
    try:
        machine = Path("/etc/machine-id").read_text("ascii").strip()
    except OSError:
        machine = ""
    return Writer(node_id, machine, socket.gethostname(), instance, time.time_ns() // 1_000_000, 0)
