"""The plan of a rollback, on disk before anything is done, until everything is.

In and out: a RollbackPlan in the state directory of a database, and who is carrying it out.
Promised: written whole or not at all; one process at a time holds it; it belongs to the owner of the state directory,
so that a service of that owner can finish what root has begun. He could also write what he likes, so a plan that is
read is about this database and no other, and names no place but beside it.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from litestreamd.basics.errors import BusyError, DamagedData
from litestreamd.basics.txid import format_txid
from litestreamd.database.disk import fsync_folder, state_disk
from litestreamd.database.draft import told
from litestreamd.database.ownership import hand_over
from litestreamd.database.state import VERSION, read_json, write_json
from litestreamd.plan.rollback import RollbackPlan, Stage

_STAMP = re.compile(r"[0-9A-Z.-]{1,32}")
PATIENCE_S = 1.0
"""Whoever only looks whether a plan is carried out holds it for a moment."""


class RollbackNote:
    """Of one database; `state` is its state directory."""

    def __init__(self, state: Path, database: Path) -> None:
        self._database = database.resolve()
        self._folder = state / "rollback"
        self._path = self._folder / "plan.json"

    def load(self) -> RollbackPlan | None:
        """The open plan; None: there is none. Raises DamagedData."""
        value = read_json(self._path)
        if value is None:
            return None
        try:
            inode = value["inode"]
            plan = RollbackPlan(
                stamp=str(value["stamp"]),
                database=str(value["database"]),
                txid=int(value["txid"], 16),
                created_ms=int(value["created_ms"]),
                replica=str(value["replica"]),
                source=None if value["source"] is None else str(value["source"]),
                running=tuple(str(unit) for unit in value["running"]),
                stage=Stage(value["stage"]),
                inode=None if inode is None else (int(inode[0]), int(inode[1])),
                made_ns=int(value["made_ns"]),
                present_ns=int(value["present_ns"]),
            )
        except (KeyError, TypeError, ValueError, IndexError, OverflowError):
            raise self._damaged("is damaged") from None
        if plan.database != str(self._database):
            raise self._damaged(f"is not about {self._database}")
        texts = (plan.source or "", *plan.running)
        if not _STAMP.fullmatch(plan.stamp) or not all(text.isprintable() for text in texts):
            raise self._damaged("names what no rollback does")
        return plan

    def save(self, plan: RollbackPlan) -> None:
        """Write it down. Raises EnvironmentFault."""
        write_json(self._path, {
            "version": VERSION,
            "stamp": plan.stamp,
            "database": plan.database,
            "txid": format_txid(plan.txid),
            "created_ms": plan.created_ms,
            "replica": plan.replica,
            "source": plan.source,
            "running": list(plan.running),
            "stage": plan.stage.value,
            "inode": None if plan.inode is None else list(plan.inode),
            "made_ns": plan.made_ns,
            "present_ns": plan.present_ns,
        })  # fmt: skip

    def advance(self, plan: RollbackPlan, stage: Stage) -> RollbackPlan:
        """Write down that it is so far; out: the plan as it is now."""
        plan = replace(plan, stage=stage)
        self.save(plan)
        return plan

    def remove(self) -> None:
        """All is done."""
        with state_disk(self._path, "removed"):
            self._path.unlink(missing_ok=True)
            fsync_folder(self._folder)

    @contextmanager
    def held(self) -> Iterator[None]:
        """For the block nobody else carries out a plan of this database. Raises BusyError."""
        with told(self._folder):
            if not self._folder.exists():
                self._folder.mkdir(mode=0o700, parents=True)
                hand_over(self._folder, self._folder.parent)
        end = time.monotonic() + PATIENCE_S
        while (descriptor := self._lock()) is None:
            if time.monotonic() > end:
                raise BusyError(f"another rollback of this database is at work ({self._path}): wait for its end")
            time.sleep(PATIENCE_S / 20)
        try:
            yield
        finally:
            os.close(descriptor)

    @property
    def is_held(self) -> bool:
        """Whether a process is carrying a plan out just now."""
        if not self._folder.exists():
            return False
        descriptor = self._lock()
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    @property
    def author(self) -> int:
        """Whose word the plan is: the user who may write here."""
        return self._folder.stat().st_uid

    def _damaged(self, how: str) -> DamagedData:
        return DamagedData(
            f"{self._path} {how}: look which database is in place (NAME, NAME.before-TIME), then remove it"
        )

    def _lock(self) -> int | None:
        """The folder itself is what is locked: the file in it is replaced at every stage."""
        with state_disk(self._folder, "opened"):
            descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor
