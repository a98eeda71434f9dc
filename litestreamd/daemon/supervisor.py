"""The long-running process: from a configuration to running tasks, and back to an exit code.

In: a Config. Out: databases replicated until SIGTERM or SIGINT; then a final sync under one deadline for all.
Promise: exit code 0 means that every replica of every database has everything committed before the signal.
"""

import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from litestreamd.basics.errors import ExitCode, LitestreamdError
from litestreamd.config.model import Config, DatabaseSettings
from litestreamd.daemon.log import LOGGER, EventLog
from litestreamd.daemon.scheduler import Task
from litestreamd.daemon.staff import Staff
from litestreamd.daemon.watch import Watcher
from litestreamd.database.state_paths import state_directory
from litestreamd.jobs.events import Event, Problem
from litestreamd.jobs.history import History
from litestreamd.jobs.replicate import Replication
from litestreamd.jobs.settings import Settings
from litestreamd.jobs.ship import Line
from litestreamd.plan.checkpoint import Limits
from litestreamd.replica.build import build_replica
from litestreamd.replica.writers import Writer

FINISHING_AT_ONCE = 8
FINAL_LOOK_S = 0.5
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class SystemClock:
    """The machine's time."""

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


class Supervisor:
    """One process. `replicate` blocks until a signal."""

    def __init__(self, config: Config, take_over: bool = False) -> None:
        self._config = config
        self._failure: BaseException | None = None
        self._watcher = Watcher(self._signal, self._watch_limited)
        self._log = EventLog()
        services = [spec.store.service for settings in config.databases for spec in settings.replicas]
        self._staff = Staff(len(config.databases), services, self._arm, self._crashed)
        node_id = int.from_bytes(os.urandom(8), "big")
        self._replications = [self._replication(settings, node_id, take_over) for settings in config.databases]

    def replicate(self) -> ExitCode:
        """Run until SIGTERM or SIGINT, then bring everything to the replicas and go. A bug in a task is raised,
        and BusyError when another daemon has all the databases."""
        _raise_descriptor_limit()
        # Blocked in every thread (they inherit it) and waited for. A handler would run in this thread only, and a
        # signal that comes just before the thread blocks in a lock would wait there for the next one.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        self._watcher.start()
        self._staff.start()
        for settings, replication in zip(self._config.databases, self._replications, strict=True):
            self._staff.add_capture(replication)
            tasks = zip(settings.replicas, replication.lines, replication.histories, strict=True)
            for spec, line, history in tasks:
                self._staff.add_line(line, spec.store.service)
                self._staff.add_history(history, spec.store.service)
        signal.sigwait(STOP_SIGNALS)
        deadline = time.monotonic() + self._config.shutdown_sync_timeout_s
        for replication in self._replications:
            for line in replication.lines:
                line.deadline = deadline
            for history in replication.histories:
                history.hurry(deadline)
        if self._failure is None:
            LOGGER.info("stopping: final sync of %d databases", len(self._replications))
        self._staff.end()
        self._watcher.stop()
        if self._failure is not None:
            raise self._failure
        return self._finish(deadline)

    def _finish(self, deadline: float) -> ExitCode:
        """The final sync, all databases at once, under one deadline."""
        with ThreadPoolExecutor(min(FINISHING_AT_ONCE, len(self._replications))) as pool:
            finishing = partial(_finish_one, deadline=deadline, join=self._staff.join)
            outcomes = list(pool.map(finishing, self._replications, self._config.databases))
        if self._failure is not None:
            raise self._failure
        return ExitCode.OK if all(outcomes) else ExitCode.LEFT_BEHIND

    def _replication(self, settings: DatabaseSettings, node_id: int, take_over: bool) -> Replication:
        replicas = [(build_replica(spec, settings.path), spec.rules) for spec in settings.replicas]
        source = self._config.source
        return Replication(
            Settings(
                database=settings.path,
                state=state_directory(settings.path, settings.meta_path, source),
                writer=_writer(node_id, source.stem if source else settings.path.name),
                limits=Limits(settings.min_checkpoint_pages, settings.truncate_pages, settings.checkpoint_interval_s),
                sync_interval_s=min(spec.sync_interval_s for spec in settings.replicas),
                busy_timeout_s=settings.busy_timeout_s,
                max_sync_wal_bytes=settings.max_sync_wal_bytes,
                switch_to_wal=settings.journal_mode == "wal",
                take_over=take_over,
                image_wal_bytes=settings.wal_limit,
                spool_quota=settings.spool_quota,
            ),
            replicas,
            SystemClock(),
            self._observe,
            self._signal,
        )

    def _signal(self, task: object) -> None:
        self._staff.signal(task)

    def _arm(self, task: Task) -> None:
        if isinstance(task, Replication):
            self._watcher.arm(task, task.watched)

    def _watch_limited(self, reason: str) -> None:
        LOGGER.warning(
            "inotify cannot watch every database (%s): those are looked at once a second; raise"
            " fs.inotify.max_user_watches", reason,
        )  # fmt: skip

    def _crashed(self, error: BaseException) -> None:
        self._failure = error
        _stop_this_process()

    def _observe(self, event: Event) -> None:
        self._log(event)
        refusals = [replication.refused for replication in self._replications]
        if isinstance(event, Problem) and refusals and all(refusals):
            # Nothing is left to do here: another daemon does it all.
            self._failure = refusals[0]
            _stop_this_process()


def _finish_one(
    replication: Replication, settings: DatabaseSettings, deadline: float, join: Callable[[str], None]
) -> bool:
    """Capture the rest and let the lines run until they have it, the deadline has come, or nothing but refusals is
    left: what needs the operator once will not do without him half a second later. At least one try."""
    told: set[tuple[str, str]] = set()
    hopeless: set[str] = set()
    try:
        while not replication.finish():
            pauses = _run_all(replication, settings, join)
            refusals = {
                (line.replica.name, str(line.error))
                for line in replication.lines
                if line.error is not None and not line.error.retry
            }
            hopeless |= {name for name, _ in refusals & told}
            told |= refusals
            left = deadline - time.monotonic()
            if left <= 0 or replication.lacking <= hopeless:
                break
            if any(pauses):
                # Some store does not answer: the next try is worth a moment.
                time.sleep(min(left, FINAL_LOOK_S))
    except LitestreamdError as error:
        LOGGER.error("%s: %s", replication.settings.database, error)
    for spec in settings.replicas:
        join(spec.store.service)  # nothing of this database runs any more when it is closed
    behind = replication.close().behind
    if not replication.captured:
        LOGGER.error("%s: could not be captured: no replica has its last commits", replication.settings.database)
    return replication.captured and not behind


def _run_all(replication: Replication, settings: DatabaseSettings, join: Callable[[str], None]) -> list[float | None]:
    """One try of every replica, all at once: one that hangs must not take the time of the others. Out: their pauses."""
    services = [spec.store.service for spec in settings.replicas]
    with ThreadPoolExecutor(len(services)) as pool:
        tried = pool.map(partial(_run_one, join), services, replication.lines, replication.histories)
    return [pause for pauses in tried for pause in pauses]


def _run_one(join: Callable[[str], None], service: str, line: Line, history: History) -> list[float | None]:
    join(service)  # what was begun before the signal has to end first
    pauses = [line.run(woken=True).after]
    if history.is_needed:
        pauses.append(history.run(woken=True).after)
    return pauses


def _stop_this_process() -> None:
    """As if an operator had asked for it."""
    os.kill(os.getpid(), signal.SIGTERM)


def _writer(node_id: int, instance: str) -> Writer:
    try:
        machine = Path("/etc/machine-id").read_text("ascii").strip()
    except OSError:
        machine = ""
    return Writer(node_id, machine, socket.gethostname(), instance, time.time_ns() // 1_000_000, 0)


def _raise_descriptor_limit() -> None:
    """Each database needs up to 6 descriptors; the soft limit is often far below the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
