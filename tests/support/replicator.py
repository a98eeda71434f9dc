"""A running replicator: either program as a child process, with its log, its end and its cost.

In: what to protect, written down as a configuration file that both programs read.
Out: start, stop (SIGTERM), kill (SIGKILL), and waits that end with a fact or a deadline.
Promised: no child outlives the `with` block; nothing here opens a database.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import folder_listing
from tests.support.bucket_root import BucketRoot
from tests.support.programs import EXIT_OK, LITESTREAM, OURS, Program, Root, environment
from tests.support.waiting import until

KILLED = -signal.SIGKILL


@dataclass(frozen=True, slots=True)
class Protected:
    """One database, the roots of its replicas, and keys of its `dbs:` entry."""

    path: Path
    roots: tuple[Root, ...]
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process used: CPU seconds, and peak resident memory in bytes."""

    cpu_s: float
    peak_bytes: int


def configuration(
    program: Program,
    databases: list[Protected],
    replica_options: Mapping[str, object],
    top: Mapping[str, object] | None = None,
) -> str:
    """The YAML (as JSON) of Litestream's shape; Litestream 0.5 knows one replica a database."""
    entries = []
    for database in databases:
        replicas = [
            {"name": f"r{number}", **entry_of(root), **replica_options} for number, root in enumerate(database.roots)
        ]
        assert program.several_replicas or len(replicas) == 1
        chosen = {"replica": replicas[0]} if len(replicas) == 1 and not program.only_lists else {"replicas": replicas}
        entries.append({"path": str(database.path), **database.options, **chosen})
    return json.dumps({**(top or {}), "dbs": entries}, indent=1)


def entry_of(root: Root) -> dict[str, object]:
    """What a configuration says of where a replica lies."""
    return root.entry if isinstance(root, BucketRoot) else {"type": "file", "path": str(root)}


def head_of(root: Root) -> int:
    """The highest TXID on a root, 0 on an empty one."""
    return root.head() if isinstance(root, BucketRoot) else folder_listing.head(root)


class Replicator:
    """One program protecting some databases; may be started again after its end."""

    def __init__(
        self,
        program: Program,
        folder: Path,
        databases: list[Protected],
        replica_options: Mapping[str, object] | None = None,
        top: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.program = program
        self.env = dict(env or {})
        self.databases = databases
        self.config = folder / f"{program.name}.yml"
        self.config.write_text(configuration(program, databases, replica_options or {}, top))
        self.log_path = folder / f"{program.name}.log"
        self.cost = Cost(0.0, 0)
        """Of the last run: CPU once it has ended, peak memory as last seen."""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> Root:
        """The only replica of the only database."""
        ((root,),) = (database.roots for database in self.databases)
        return root

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and not self._ended()

    def start(self, crash_at: str | None = None, *extra: str) -> "Replicator":
        """Start and wait until a SIGTERM is an orderly end; `crash_at` names a crash point (`name` or `name:n`)."""
        assert not self.running
        self.cost = Cost(0.0, 0)
        armed = {"LITESTREAMD_CRASH_AT": crash_at} if crash_at else {}
        command = [*self.program.replicate(self.config), *extra]
        with self.log_path.open("ab") as log:
            log.write(f"--- {' '.join(command)} {armed or ''}\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(**armed, **self.env)
            )
        until(lambda: not self.running or self._answers_sigterm(), f"{self.program.name} ready", 30)
        return self

    def _answers_sigterm(self) -> bool:
        if self.program is not OURS:  # Go catches every signal from the first instruction on
            return "replicating to" in self._log_of_this_run()
        return any(_expects(status, signal.SIGTERM) for status in _thread_statuses(self.pid))

    def _log_of_this_run(self) -> str:
        return self.log.rpartition("\n--- ")[2]

    def once(self, deadline_s: float = 60) -> None:
        """Litestream only: one sync of everything, then the end."""
        assert self.program is LITESTREAM
        self.start(None, "-once")
        self.wait_end(deadline_s)
        assert self.code == EXIT_OK, self.log

    @property
    def code(self) -> int:
        """Exit code of the last run; negative: the signal that ended it."""
        assert self._process is not None
        code = self._process.returncode
        assert code is not None
        return code

    def wait_end(self, deadline_s: float = 60) -> int:
        assert self._process is not None
        until(self._ended, f"the end of {self.program.name}", deadline_s)
        return self.code

    def _ended(self) -> bool:
        process = self._process
        assert process is not None
        if process.returncode is None:
            # Not ru_maxrss: between fork and exec the child counts with the size of this very process.
            peak = _kibibytes(process.pid, "VmHWM")
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            self.cost = Cost(used.ru_utime + used.ru_stime, max(self.cost.peak_bytes, peak))
            if pid:
                process.returncode = os.waitstatus_to_exitcode(status)
        return process.returncode is not None

    def stop(self, deadline_s: float = 60) -> int:
        """SIGTERM, then the end; out: the exit code."""
        if self.running:
            os.kill(self.pid, signal.SIGTERM)
        return self.wait_end(deadline_s)

    def stop_clean(self, deadline_s: float = 60) -> None:
        """SIGTERM must end in a complete final sync and exit 0."""
        code = self.stop(deadline_s)
        assert code == EXIT_OK, f"{self.program.name}: exit {code} after SIGTERM\n{self.log[-4000:]}"

    def kill(self) -> None:
        if self.running:
            os.kill(self.pid, signal.SIGKILL)
            self.wait_end(10)

    def wait_head(self, txid: int, deadline_s: float = 30) -> int:
        """Until every replica holds this TXID or a later one; out: the lowest head. It must not end meanwhile."""
        roots = [root for database in self.databases for root in database.roots]
        self.wait(lambda: min(map(head_of, roots)) >= txid, f"TXID {txid:016x} everywhere", deadline_s)
        return min(map(head_of, roots))

    def wait(self, question: Callable[[], bool], what: str, deadline_s: float = 30) -> None:
        """Until the answer is yes, while the program lives. Raises AssertionError with its log if it ends instead."""
        until(lambda: question() or not self.running, f"{self.program.name}: {what}", deadline_s)
        assert question(), f"{self.program.name} ended with {self.code} before: {what}\n{self.log[-4000:]}"

    def __enter__(self) -> "Replicator":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _status(pid: int) -> dict[str, str]:
    return _fields(Path(f"/proc/{pid}/status"))


def _thread_statuses(pid: int) -> list[dict[str, str]]:
    return [_fields(path) for path in Path(f"/proc/{pid}/task").glob("*/status")]


def _fields(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _expects(status: dict[str, str], number: int) -> bool:
    """Whether a thread handles a signal, or blocks it so that another one can wait for it.

    A child between fork and exec blocks them all, SIGUSR1 too.
    """
    blocked, handled = (int(status.get(key, "0"), 16) for key in ("SigBlk", "SigCgt"))
    bit, unused = 1 << (number - 1), 1 << (signal.SIGUSR1 - 1)
    return bool(handled & bit) or bool(blocked & bit and not blocked & unused)


def _kibibytes(pid: int, key: str) -> int:
    """A size out of /proc/PID/status in bytes; 0 when the process is gone."""
    return int(_status(pid).get(key, "0").split()[0]) * 1024


def resident(pid: int) -> int:
    """Resident memory of a live process now, bytes."""
    return _kibibytes(pid, "VmRSS")


def cpu_seconds(pid: int) -> float:
    """User and system time of a live process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


__all__ = ["KILLED", "LITESTREAM", "OURS", "Cost", "Protected", "Replicator", "cpu_seconds", "descriptors", "resident"]
