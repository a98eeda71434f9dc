"""The application as a child: in a container, where there is no systemd to start it (docs/containers.md).

In: a command. Out: a process that gets our signals, and its exit code. Promised: it starts with the signals, the
output, the limits and the environment that we were started with, less what systemd told us alone; it is waited for,
and as process 1 of a container every other orphan too, so that nothing is left behind as a zombie.
"""

import os
import resource
import shlex
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from litestreamd.basics.errors import EnvironmentFault, UsageError

PASSED = frozenset({signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2})
"""Signals that it gets as they come, beside those that end us."""
_OURS_ALONE = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}
)
_ENDING = frozenset({signal.SIGTERM, signal.SIGINT})
_SI_KERNEL = 128
"""si_code of a signal that no process has sent (sigaction(2)): Ctrl-C at a terminal, for all of a process group."""
_OF_A_GROUP = frozenset({signal.SIGINT, signal.SIGQUIT})
"""What a terminal tells all of its foreground group. SIGHUP goes to the leader of the session: us alone, perhaps."""
_BY_SIGNAL = 128
"""What a shell adds to the number of the signal that ended a process."""


class Child:
    """`command` is split into words as a shell would, without one. Raises UsageError when it cannot be run."""

    def __init__(self, command: str, environment: Mapping[str, str]) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise UsageError(f"exec: {str(error).lower()} in the command") from None
        if not self._words:
            raise UsageError("exec: the command is empty")
        if shutil.which(self._words[0], path=environment.get("PATH")) is None:
            raise UsageError(f"exec: there is no program {self._words[0]}")
        self._environment = {key: value for key, value in environment.items() if key not in _OURS_ALONE}
        self._descriptors = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._pid: int | None = None
        self._asked = False
        self.code: int | None = None
        """What it ended with; 128 + N by signal N; None: it has not ended, or was never started."""

    @property
    def name(self) -> str:
        """The program, without its arguments: they may hold secrets."""
        return Path(self._words[0]).name

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._pid is not None and self.code is None

    def start(self) -> int:
        """Out: its process id. Raises EnvironmentFault."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # who starts us may ignore it, and then nobody can be waited for
        ours = resource.getrlimit(resource.RLIMIT_NOFILE)
        # Ours was raised since. A program that closes every descriptor it might have would take minutes for as many.
        resource.setrlimit(resource.RLIMIT_NOFILE, self._descriptors)
        try:
            # Signals that we block to wait for them, and that Python ignores, are as they were for it.
            self._pid = os.posix_spawnp(
                self._words[0],
                self._words,
                self._environment,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
            )
        except OSError as error:
            raise EnvironmentFault(f"exec: {self._words[0]} cannot be started: {error.strerror}") from error
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, ours)
        return self._pid

    def take(self, come: signal.struct_siginfo) -> None:
        """A signal that has come to us. The second that asks for an end is not a question any more."""
        if come.si_signo == signal.SIGCHLD:
            self._look()
        elif self._pid is not None and self.code is None and not self._has_got(come):
            is_end = come.si_signo in _ENDING
            os.kill(self._pid, signal.SIGKILL if is_end and self._asked else come.si_signo)  # unreaped: still its own
            self._asked = self._asked or is_end

    def _has_got(self, come: signal.struct_siginfo) -> bool:
        """Whether the terminal has told it as well; not if it went into a group of its own."""
        assert self._pid is not None
        of_all = come.si_code == _SI_KERNEL and come.si_signo in _OF_A_GROUP
        return of_all and os.getpgid(self._pid) == os.getpgrp()

    def _look(self) -> None:
        """Has it ended? As process 1 also take leave of whoever lost its parent."""
        if self._pid is not None and self.code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.code = code if code >= 0 else _BY_SIGNAL - code
        while os.getpid() == 1 and (found := self._orphan()) is not None:
            os.waitpid(found, 0)

    def _orphan(self) -> int | None:
        """One that has ended and is not ours to keep."""
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return None
        return None if found is None or found.si_pid in (0, self._pid) else found.si_pid
