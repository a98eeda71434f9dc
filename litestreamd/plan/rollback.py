"""Rollback: what was planned, how far it is, and what that means for whoever comes across it.

In: a RollbackPlan as it was written down, and what lies at the places it names. Out: which database is in place, and
whether a daemon or a restore may go on, has to finish the exchange first, or must keep away.
Promised: at every stage either the present database or the restored one is in place, and which one can be told.
"""

from dataclasses import dataclass
from enum import Enum

Inode = tuple[int, int]
"""Device and number."""


class Stage(Enum):
    """How far a rollback is; the next one is written down only when all of it is true."""

    PLANNED = "planned"
    """Nothing has changed."""
    RESTORED = "restored"
    """The restored database lies beside the present one, complete and proven."""
    STOPPED = "stopped"
    """Nobody uses the present one, and its last commit is on the replica: they may be exchanged."""
    RELEASED = "released"
    """The restored one is in place and may be used: there is no way back but another rollback."""
    GIVEN_UP = "given up"
    """The present one stays, or is put back if the restored one had its place already."""


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """stamp: when it was planned, as in file names. database: its real path. txid, created_ms: the restore point.
    replica: where it comes from, by name. source: the configuration. running: the units that ran, in the order to start
    them again. inode, made_ns (mtime): of the restored file, from RESTORED on. present_ns: when the present one was
    used last, from STOPPED on."""

    stamp: str
    database: str
    txid: int
    created_ms: int
    replica: str
    source: str | None
    running: tuple[str, ...] = ()
    stage: Stage = Stage.PLANNED
    inode: Inode | None = None
    made_ns: int = 0
    present_ns: int = 0

    @property
    def kept(self) -> str:
        """Where the present database goes."""
        return f"{self.database}.before-{self.stamp}"

    @property
    def beside(self) -> str:
        """Where the restored database is made."""
        folder, slash, name = self.database.rpartition("/")
        return f"{folder}{slash}.{name}.rollback-{self.stamp}"


class InPlace(Enum):
    """Which database has the name."""

    PRESENT = "the present database"
    RESTORED = "the restored database"
    NONE = "no database"


def in_place(plan: RollbackPlan, found: Inode | None) -> InPlace:
    """`found`: what has the database's name now."""
    if found is None:
        return InPlace.NONE
    return InPlace.RESTORED if plan.stage is Stage.RELEASED or found == plan.inode else InPlace.PRESENT


class Gate(Enum):
    """What somebody may do who wants to start with the database."""

    GO_ON = "go on"
    FINISH = "finish what was begun, then go on"
    KEEP_AWAY = "keep away"


def gate(plan: RollbackPlan, at_work: bool, found: Inode | None) -> Gate:
    """`at_work`: a process is carrying the plan out just now."""
    place = in_place(plan, found)
    if place is InPlace.NONE:
        # Nothing of ours takes the name away: what has happened here is for a human to see.
        return Gate.KEEP_AWAY
    if plan.stage is Stage.STOPPED or (plan.stage is Stage.GIVEN_UP and place is InPlace.RESTORED):
        return Gate.KEEP_AWAY if at_work else Gate.FINISH
    return Gate.GO_ON
