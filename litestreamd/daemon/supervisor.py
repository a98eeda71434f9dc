"""The long-running process: from a configuration to running tasks, and back to an exit code.

In: a Config. Out: databases replicated until SIGTERM or SIGINT; then a final sync under one deadline for all. SIGHUP
reads the configuration again. With a child, the application, the end is when that has ended.
Promise: exit code 0 means that every replica of every database has everything committed before the signal. systemd
hears READY when every database is watched or known to be absent, whatever the stores do; WATCHDOG only as long as all
who work make progress; and STATUS is the truth of a moment ago.
"""

import os
import resource
import signal
import time
from collections.abc import Callable

from litestreamd.basics.errors import ExitCode
from litestreamd.config.model import Config
from litestreamd.daemon.board import Board
from litestreamd.daemon.child import PASSED, Child
from litestreamd.daemon.folders import WatchedFolder
from litestreamd.daemon.health_file import HealthFile, group_id
from litestreamd.daemon.instance import Instance
from litestreamd.daemon.log import LOGGER, EventLog
from litestreamd.daemon.notify import Notifier
from litestreamd.daemon.operations import Operations
from litestreamd.daemon.progress import Progress
from litestreamd.daemon.reload import Reload
from litestreamd.daemon.scheduler import Task
from litestreamd.daemon.servers import Servers
from litestreamd.daemon.staff import Staff
from litestreamd.daemon.status import StatusDocument, one_line
from litestreamd.daemon.summary import INTERVAL_S, Summary
from litestreamd.daemon.watch import Watcher
from litestreamd.daemon.watchdog import Watchdog
from litestreamd.daemon.weak_fences import WeakFences
from litestreamd.database.state_paths import health_path
from litestreamd.jobs.events import Event, Problem
from litestreamd.jobs.replicate import Replication
from litestreamd.replica.build import load_back_ends

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SIGNALS = (*STOP_SIGNALS, signal.SIGHUP)
WITH_CHILD = (*STOP_SIGNALS, *PASSED, signal.SIGCHLD)
FIRST_LOOKS_S = 0.05
"""How soon READY is told after the last database is watched."""

HEALTH_S = 10.0
"""How old health.json may be; a change of health is written at once."""

LAST_WORDS_S = 30.0
"""What ending may take beyond the deadline of the final sync: the requests that were begun before it."""


class Supervisor:
    """One process. `replicate` blocks until a signal. `load` reads the configuration again; None: there is no file.
    `child`: the application, to be started when all is watched."""

    def __init__(
        self,
        config: Config,
        take_over: bool = False,
        load: Callable[[], Config] | None = None,
        child: Child | None = None,
    ) -> None:
        self._config = config
        self._load = load
        self._child = child
        self._signals = SIGNALS if child is None else WITH_CHILD
        self._failure: BaseException | None = None
        self._notifier = Notifier()
        self._progress = Progress()
        self._watchdog = Watchdog(self._notifier, self._progress)
        self._watcher = Watcher(self._signal, self._watch_limited)
        self._board, self._summary = Board(), Summary()
        self._observers = (self._board, EventLog(), self._summary)
        self._staff = Staff(self._arm, self._crashed, self._progress)
        self._instance = Instance(config.source, take_over, self._staff, self._observe, self._board.forget)
        source = str(config.source) if config.source else None
        self._status = StatusDocument(self._instance, self._board, source)
        self._reload = Reload(self._instance, self._staff, config, self._crashed)
        operations = Operations(self._instance, self._board, self._reload.wait)
        self._servers = Servers(operations, self._status.make)
        self._weak_fences = WeakFences()
        self._health = HealthFile(health_path(config.source), group_id())
        load_back_ends(spec.store for settings in config.databases for spec in settings.replicas)
        self._is_ready = False
        self._told_health = ""
        self._health_due = self._summary_due = 0.0

    def replicate(self, once: bool = False) -> ExitCode:
        """Run until SIGTERM or SIGINT (`once`: not at all), or until the child has ended, which then gets these; then
        bring everything to the replicas and go. A bug in a task is raised, and BusyError when another daemon has all
        the databases."""
        _raise_descriptor_limit()
        # Blocked in every thread (they inherit it) and waited for. A handler would run in this thread only, and a
        # signal that comes just before the thread blocks in a lock would wait there for the next one.
        signal.pthread_sigmask(signal.SIG_BLOCK, self._signals)
        self._watchdog.start()
        self._watcher.start()
        self._reload.begin()
        self._serve(self._config)
        if once:
            self._reload.end()
            return self._stop()
        self._summary_due = time.monotonic() + INTERVAL_S
        while not self._is_over(come := self._wait()):
            if come is not None and come.si_signo == signal.SIGHUP:
                self._begin_reload()
            self._look()
        return self._stop()

    def _wait(self) -> signal.struct_siginfo | None:
        """The next signal, or None when it is time to look."""
        hurried = not self._is_ready or self._reload.is_running
        return signal.sigtimedwait(self._signals, FIRST_LOOKS_S if hurried else self._watchdog.interval_s)

    def _is_over(self, come: signal.struct_siginfo | None) -> bool:
        """Whether to end: on a signal that says so, or, while there is a child, once it has ended."""
        is_stop = come is not None and come.si_signo in STOP_SIGNALS
        if self._child is None:
            return is_stop
        if come is not None:
            self._child.take(come)
        # After a failure nobody replicates: it was asked to end, and is not waited for.
        return self._child.code is not None or (is_stop and (not self._child.runs or self._failure is not None))

    def _look(self) -> None:
        """Tell the world how it stands."""
        self._watchdog.look()
        self._status.silence_s = self._progress.silence().seconds
        if self._reload.has_ended() and self._is_ready:  # else the first READY is still to come
            self._notifier.ready()
        if not self._is_ready:
            self._notifier.status("looking at the databases")
            if not self._reload.is_running and self._board.has_looked_at(self._instance.paths):
                self._is_ready = True
                self._status.state = "running"
                self._notifier.ready()
                if self._child is not None:
                    pid = self._child.start()
                    LOGGER.info("started %s as process %d", self._child.name, pid)
        self._tell_status()
        now = time.monotonic()
        if now >= self._summary_due:
            self._summary.tell()
            self._summary_due = now + INTERVAL_S

    def _tell_status(self) -> None:
        """Making the document costs a few looks at files: once in a while, and at once when something is wrong."""
        now = time.monotonic()
        if now < self._health_due and self._is_ready and not self._board.news():
            return
        document = self._status.make()
        self._weak_fences.look(document)
        if self._is_ready:
            self._notifier.status(one_line(document))
        if now >= self._health_due or document["health"] != self._told_health:
            self._health.write(document)
            self._health_due, self._told_health = now + HEALTH_S, document["health"]

    def _begin_reload(self) -> None:
        """Read the configuration again; a broken one is refused, and the old one stays."""
        self._notifier.reloading()
        if self._load is None:
            LOGGER.warning("SIGHUP: there is no configuration file to read again")
            self._notifier.ready()
            return
        config = self._reload.read(self._load)
        self._status.reload_error = self._reload.error
        if config is None:
            self._notifier.ready()
            return
        if config.command != self._config.command:
            LOGGER.warning("exec has changed: what was started goes on, the new command needs a new start")
        self._config = config
        self._serve(config)
        self._reload.apply(config)

    def _serve(self, config: Config) -> None:
        self._status.litestream_names = config.litestream_names
        self._servers.serve(config)

    def _stop(self) -> ExitCode:
        """The final sync, all databases at once, under one deadline."""
        self._notifier.stopping()
        self._status.state = "stopping"
        timeout = self._config.shutdown_sync_timeout_s
        self._notifier.extend(timeout + LAST_WORDS_S)
        count = len(self._instance.protections)
        if self._failure is None:
            LOGGER.info("stopping: final sync of %d databases", count)
            self._notifier.status(f"final sync of {count} databases")
            self._reload.end()
            complete = self._instance.end(time.monotonic() + timeout)
            self._summary.tell()
        self._staff.end()
        self._watcher.stop()
        self._servers.stop()
        if self._failure is not None:
            raise self._failure
        self._status.state = "stopped"
        self._health.write(self._status.make())
        return ExitCode.OK if complete else ExitCode.LEFT_BEHIND

    def _signal(self, task: object) -> None:
        self._staff.signal(task)

    def _arm(self, task: Task) -> None:
        if isinstance(task, Replication):
            self._watcher.arm(task, task.watched)
        elif isinstance(task, WatchedFolder):
            self._watcher.arm_folders(task, task.watched)

    def _watch_limited(self, reason: str) -> None:
        LOGGER.warning(
            "inotify cannot watch every database (%s): those are looked at once a second; raise"
            " fs.inotify.max_user_watches", reason,
        )  # fmt: skip

    def _crashed(self, error: BaseException) -> None:
        self._failure = error
        _stop_this_process()

    def _observe(self, event: Event) -> None:
        for observer in self._observers:
            observer(event)
        refusals = [protection.replication.refused for protection in self._instance.protections]
        if isinstance(event, Problem) and refusals and all(refusals) and not self._reload.is_running:
            # Nothing is left to do here: another daemon does it all.
            self._failure = refusals[0]
            _stop_this_process()


def _stop_this_process() -> None:
    """As if an operator had asked for it."""
    os.kill(os.getpid(), signal.SIGTERM)


def _raise_descriptor_limit() -> None:
    """Each database needs up to 6 descriptors; the soft limit is often far below the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
