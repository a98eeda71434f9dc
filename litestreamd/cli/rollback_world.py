"""What a rollback does to the services of this machine, and what it asks of the daemon.

In: the database and its replicas, the instance. Out: the present synced, users stopped and started, the restored
database made. With an instance under systemd this goes through its units, which have their own user, rights and
credentials; without, nobody may have the database open, and the last sync is made by a process of our own.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from litestreamd.basics.errors import BusyError, EnvironmentFault
from litestreamd.cli.doctor_user import service_user
from litestreamd.cli.progress import Progress
from litestreamd.cli.restore_report import warn
from litestreamd.cli.rollback_sync import sync_by_daemon, sync_once
from litestreamd.daemon.units import Units
from litestreamd.database.access_record import access_of
from litestreamd.database.locks import users_of
from litestreamd.jobs.events import Observer
from litestreamd.jobs.restore import Integrity, Request, restore
from litestreamd.jobs.restore_owner import Ownership
from litestreamd.plan.restore import AtTxid
from litestreamd.plan.rollback import RollbackPlan
from litestreamd.replica.port import Replica

_NEVER_STARTED = "litestreamd-"
"""Our own jobs (a drill) are stopped like others, and not begun again: their timers do that."""


@dataclass(frozen=True, slots=True)
class Ground:
    """configured: the database's path as in the configuration. instance, daemon, application: of systemd, their
    names; None without. socket: where the daemon listens. sync_s: how long a sync may take."""

    configured: Path
    database: Path
    source: Path | None
    instance: str | None
    daemon: str | None
    application: str | None
    socket: Path | None
    sync_s: float


@dataclass(slots=True)
class World:
    """Implements jobs.rollback.Surroundings. `stopped_at`, `started_at`: when the first user was stopped, and all ran
    again (monotonic seconds)."""

    ground: Ground
    replicas: Sequence[Replica]
    tell: Observer
    progress: Progress | None = None
    parallelism: int = 8
    integrity: Integrity = Integrity.AUTO
    units: Units = field(default_factory=Units)
    stopped_at: float | None = None
    started_at: float | None = None

    def running(self) -> tuple[str, ...]:
        """Units that run now and have to do with the database, in the order to start them. Raises BusyError when
        something uses it that is no service of systemd."""
        daemon, application = self.ground.daemon, self.ground.application
        found = [unit for unit in (daemon, application) if unit and self.units.runs(unit)]
        return tuple(dict.fromkeys([*found, *self._users()]))

    def believed(self, plan: RollbackPlan, author: int) -> RollbackPlan:
        """A plan that was read from a note, with those units only that its author (a uid) may name to us: an
        application that was broken into shall not have root start or stop what it likes."""
        own = (self.ground.daemon, self.ground.application)
        believed = tuple(unit for unit in plan.running if unit in own or self._is_of(unit, author))
        for unit in sorted({*plan.running} - {*believed}):
            warn(f"{unit} is left as it is: it is not of the user who could have written the plan; see to it yourself")
        return replace(plan, running=believed)

    def sync(self, plan: RollbackPlan) -> int | None:
        """By the daemon, which is started for that when it does not run; without systemd by a process of its own."""
        if self.ground.daemon is None:
            if not self._users():  # else it is done once they are stopped: a daemon may be among them
                assert self.ground.source is not None
                return sync_once(self.ground.source, self.ground.database)
            return None
        if not self.units.runs(self.ground.daemon):
            self.units.start(self.ground.daemon)
        assert self.ground.socket is not None
        sync_by_daemon(self.ground.socket, self.ground.configured, plan.replica, self.ground.sync_s)
        return None

    def restore(self, plan: RollbackPlan) -> None:
        """From the replica of the plan, or another one that holds the same."""
        present = access_of(Path(plan.database))
        ordered = sorted(self.replicas, key=lambda replica: replica.name != plan.replica)
        request = Request(
            target=AtTxid(plan.txid),
            output=Path(plan.beside),
            parallelism=self.parallelism,
            integrity=self.integrity,
            ownership=Ownership(present.uid, present.gid, present.mode, present.label),
            progress=self.progress,
        )
        restore(ordered, request, self.tell, now_ms=time.time_ns() // 1_000_000)

    def stop_users(self, plan: RollbackPlan) -> None:
        """All that ran but the daemon, and whoever came since."""
        self.stopped_at = time.monotonic()
        for unit in dict.fromkeys([*reversed(plan.running), *self._users()]):
            if unit != self.ground.daemon:
                self.units.stop(unit)
        if left := [unit for unit in self._users() if unit != self.ground.daemon]:
            raise BusyError(f"{plan.database} is in use by {', '.join(left)} again: stop what starts it")

    def stop_daemon(self, plan: RollbackPlan) -> None:  # noqa: ARG002  the shape of Surroundings
        """Its own last sync finds nothing left to do."""
        if self.ground.daemon is not None:
            self.units.stop(self.ground.daemon)

    def start(self, plan: RollbackPlan) -> None:
        """Every one of them, also when another does not start. Raises EnvironmentFault."""
        faults = []
        for unit in plan.running:
            if not unit.startswith(_NEVER_STARTED):
                try:
                    self.units.start(unit)
                except EnvironmentFault as fault:
                    faults.append(str(fault))
        self.started_at = time.monotonic()
        if faults:
            raise EnvironmentFault("; ".join(faults))

    def _is_of(self, unit: str, author: int) -> bool:
        if author == 0:
            return True
        with suppress(KeyError):
            return unit.endswith(".service") and service_user(unit, self.units).uid == author
        return False

    def _users(self) -> list[str]:
        """Services that have the database open. Raises BusyError for what is none."""
        found, strangers = [], []
        for pid in users_of(self.ground.database):
            unit = self.units.service_of(pid) if self.units.there else None
            if unit is None:
                strangers.append(f"{pid} ({_name_of(pid)})")
            else:
                found.append(unit)
        if strangers:
            raise BusyError(
                f"{self.ground.database} is in use outside of systemd, by process {', '.join(strangers)}: stop that "
                "first; nothing was changed"
            )
        return found


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "of another user"
