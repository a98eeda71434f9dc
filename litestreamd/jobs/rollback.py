"""Rollback: a live database goes back to an earlier state, and its history goes on.

In: a plan that is on disk, somebody who can stop and start services. Out: the restored database in place, the present
one kept beside it and on the replica. Promised: every step may be repeated; a kill or a power cut at any point leaves
either the present or the restored database in place, never neither; what ran before runs again at the end.

The recipe: sync the present; restore beside it, and prove; stop who uses it; sync its last commit; exchange; start.
Nobody is stopped before the restored database is there: the application waits for the exchange only.
"""

import os
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import BusyError, EnvironmentFault
from litestreamd.database.disk import fsync_folder
from litestreamd.database.draft import remove_abandoned, told
from litestreamd.database.install import exchange, last_use, put_back
from litestreamd.database.rollback_note import RollbackNote
from litestreamd.database.state_paths import instance_of
from litestreamd.plan.rollback import Gate, Inode, InPlace, RollbackPlan, Stage, gate, in_place


class Surroundings(Protocol):
    """What a rollback needs of the world around the files. All may be called again after they were done."""

    def sync(self, plan: RollbackPlan) -> int | None:
        """Everything committed before the call is durable here, and on the replica of the plan. Raises when not. Out:
        None while somebody goes on replicating it, else as of when that is all (see `last_use`)."""

    def restore(self, plan: RollbackPlan) -> None:
        """Make `plan.beside`: complete, durable, proven, owned like the present database."""

    def stop_users(self, plan: RollbackPlan) -> None:
        """Stop the applications; refuse (BusyError) when somebody cannot be stopped."""

    def stop_daemon(self, plan: RollbackPlan) -> None:
        """Stop whoever replicates it."""

    def start(self, plan: RollbackPlan) -> None:
        """Start `plan.running`, those that do not run."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a rollback ended: which database is in place, and files that were moved aside. late: pids that opened the old
    one at the last moment."""

    in_place: InPlace
    aside: Sequence[Path] = ()
    late: Sequence[int] = ()


def roll_back(plan: RollbackPlan, note: RollbackNote, around: Surroundings, tell: Callable[[str], object]) -> Ended:
    """Carry out a plan from where it is; the caller holds the note. `tell` gets a sentence before each step.

    What fails, or is interrupted, before the databases are exchanged is given up: all is as it was, and the error is
    raised. Later the plan stays open.
    """
    if plan.stage is Stage.GIVEN_UP:
        return abort(plan, note, around, tell)
    if _has_lost_the_restored(plan):
        plan = note.advance(plan, Stage.PLANNED)
    elif plan.stage is Stage.STOPPED and in_place(plan, inode_of(plan.database)) is InPlace.PRESENT:
        # Somebody may have used it since we were broken off: his commits are synced as well.
        _unlink_second_name(plan)
        plan = note.advance(plan, Stage.RESTORED)
    passing("rollback.planned")
    done = Ended(InPlace.RESTORED)
    try:
        if plan.stage is Stage.PLANNED:
            tell("syncing the present")
            around.sync(plan)
            passing("rollback.synced")
            tell(f"restoring {plan.beside}")
            plan = note.advance(_restored(plan, around), Stage.RESTORED)
            passing("rollback.restored")
        if plan.stage is Stage.RESTORED:
            plan = _stop(plan, note, around, tell)
        if plan.stage is Stage.STOPPED:
            tell("exchanging the databases")
            done = _exchange(plan)
    except BaseException:  # a lost terminal, a bug: whatever it is, nobody is left stopped for it
        if in_place(plan, inode_of(plan.database)) is InPlace.PRESENT:
            abort(plan, note, around, tell)
        raise
    if plan.stage is not Stage.RELEASED:
        plan = _release(plan, note)
        passing("rollback.released")
    _start(plan, note, around, tell)
    return done


def abort(plan: RollbackPlan, note: RollbackNote, around: Surroundings, tell: Callable[[str], object]) -> Ended:
    """Have the present database in place again, as long as the restored one was not released; start what ran."""
    if in_place(plan, inode_of(plan.database)) is InPlace.NONE:
        raise EnvironmentFault(
            f"there is no {plan.database}: rename what it shall be, {plan.kept} or {plan.beside}, and abort again"
        )
    plan = _put_back(plan, note)
    if plan.stage is Stage.GIVEN_UP:
        with told(Path(plan.beside)):
            Path(plan.beside).unlink(missing_ok=True)
            remove_abandoned(Path(plan.beside))
    _start(plan, note, around, tell)
    return Ended(in_place(plan, inode_of(plan.database)))


def pass_gate(state: Path, database: Path) -> RollbackPlan | None:
    """To be asked by everybody who starts with a database; finishes an exchange that was broken off. Out: the plan that
    is open all the same. Raises BusyError, DamagedData."""
    note = RollbackNote(state, database)
    plan = note.load()
    if plan is None:
        return None
    match gate(plan, note.is_held, inode_of(plan.database)):
        case Gate.KEEP_AWAY:
            raise BusyError(f"{database}: a rollback planned at {plan.stamp} is not finished: {ways_out(plan)}")
        case Gate.FINISH:
            with note.held():
                plan = _finish(note.load() or plan, note)
    return plan


def ways_out(plan: RollbackPlan) -> str:
    """What an operator does about an open plan."""
    instance = instance_of(Path(plan.source)) if plan.source is not None else None
    words = [instance] if instance is not None else ["-config", _believed(plan.source), plan.database]
    return f"litestreamd-restore -resume {shlex.join(words)} finishes it, -abort gives it up"


def _believed(source: str | None) -> str:
    """The configuration that a plan names, unless it is somebody else's, who may have written the plan as well."""
    with suppress(OSError):
        if source is not None and Path(source).stat().st_uid in (0, os.geteuid()):
            return source
    return "FILE"


def inode_of(path: str) -> Inode | None:
    """What has this name now."""
    with suppress(FileNotFoundError, NotADirectoryError):
        found = Path(path).stat()
        return found.st_dev, found.st_ino
    return None


def _restored(plan: RollbackPlan, around: Surroundings) -> RollbackPlan:
    """The plan with the file that was made."""
    if inode_of(plan.beside) is None:  # else it was there, whole, before we were broken off
        around.restore(plan)
    made = Path(plan.beside).stat()
    return replace(plan, inode=(made.st_dev, made.st_ino), made_ns=made.st_mtime_ns)


def _stop(plan: RollbackPlan, note: RollbackNote, around: Surroundings, tell: Callable[[str], object]) -> RollbackPlan:
    tell("stopping its users")
    around.stop_users(plan)
    passing("rollback.users-stopped")
    tell("syncing its last commit")
    as_of = around.sync(plan)
    passing("rollback.present-synced")
    around.stop_daemon(plan)
    if as_of is None:
        as_of = last_use(Path(plan.database))
    plan = note.advance(replace(plan, present_ns=as_of), Stage.STOPPED)
    passing("rollback.stopped")
    return plan


def _exchange(plan: RollbackPlan) -> Ended:
    """Once; what a crash kept us from writing down is seen."""
    if in_place(plan, inode_of(plan.database)) is InPlace.RESTORED:
        return Ended(InPlace.RESTORED)
    database = Path(plan.database)
    with told(database):
        installed = exchange(database, Path(plan.beside), plan.stamp, as_of=plan.present_ns)
        fsync_folder(database.parent)
    passing("rollback.exchanged")
    return Ended(InPlace.RESTORED, installed.aside, installed.late)


def _finish(plan: RollbackPlan, note: RollbackNote) -> RollbackPlan:
    """What only files are needed for."""
    if plan.stage is Stage.GIVEN_UP or _has_lost_the_restored(plan) or _present_was_used(plan):
        return _put_back(plan, note)
    if plan.stage is Stage.STOPPED:
        _exchange(plan)
        with suppress(EnvironmentFault):  # that it is in place is seen without it
            return note.advance(plan, Stage.RELEASED)
    return plan


def _release(plan: RollbackPlan, note: RollbackNote) -> RollbackPlan:
    """On a full disk by removing the note: a daemon that finds an unfinished one keeps away, and the rest is to start
    what ran."""
    try:
        return note.advance(plan, Stage.RELEASED)
    except EnvironmentFault:
        note.remove()
        return replace(plan, stage=Stage.RELEASED)


def _put_back(plan: RollbackPlan, note: RollbackNote) -> RollbackPlan:
    """Have the present database in place, under one name. Out: the plan, given up; released if it was too late."""
    is_restored = in_place(plan, inode_of(plan.database)) is InPlace.RESTORED
    if is_restored and (plan.stage is Stage.RELEASED or _was_used(plan)):
        return note.advance(plan, Stage.RELEASED)
    plan = _give_up(plan, note)
    passing("rollback.given-up")
    if is_restored:
        put_back(Path(plan.database), Path(plan.kept))
        passing("rollback.put-back")
    else:
        _unlink_second_name(plan)
    return plan


def _unlink_second_name(plan: RollbackPlan) -> None:
    """SQLite complains about a database that has two."""
    if inode_of(plan.kept) == inode_of(plan.database):
        with told(Path(plan.kept)):
            Path(plan.kept).unlink()


def _give_up(plan: RollbackPlan, note: RollbackNote) -> RollbackPlan:
    """Where the present is in place, a full disk must not keep anybody from it: the restored file makes room."""
    try:
        return note.advance(plan, Stage.GIVEN_UP)
    except EnvironmentFault:
        if in_place(plan, inode_of(plan.database)) is not InPlace.PRESENT:
            raise
    with told(Path(plan.beside)):
        Path(plan.beside).unlink(missing_ok=True)
    try:
        return note.advance(plan, Stage.GIVEN_UP)
    except EnvironmentFault:
        note.remove()
        return replace(plan, stage=Stage.GIVEN_UP)


def _has_lost_the_restored(plan: RollbackPlan) -> bool:
    """Whether somebody has removed the restored database before it took its place."""
    if plan.stage not in (Stage.RESTORED, Stage.STOPPED) or inode_of(plan.beside) is not None:
        return False
    return in_place(plan, inode_of(plan.database)) is InPlace.PRESENT


def _present_was_used(plan: RollbackPlan) -> bool:
    """Whether somebody has come back to the present database since it was stopped for the exchange: what he committed
    is on no replica yet."""
    if plan.stage is not Stage.STOPPED or in_place(plan, inode_of(plan.database)) is not InPlace.PRESENT:
        return False
    return last_use(Path(plan.database)) != plan.present_ns


def _was_used(plan: RollbackPlan) -> bool:
    """Whether somebody has written to the restored database, or to a WAL or journal of it."""
    if Path(plan.database).stat().st_mtime_ns != plan.made_ns:
        return True
    beside = (Path(plan.database + ending) for ending in ("-wal", "-journal"))
    return any(path.exists() and path.stat().st_size for path in beside)


def _start(plan: RollbackPlan, note: RollbackNote, around: Surroundings, tell: Callable[[str], object]) -> None:
    if plan.running:
        tell(f"starting {', '.join(plan.running)}")
    try:
        around.start(plan)
    except EnvironmentFault as error:
        note.remove()  # the databases are as they shall be: what does not start on them needs another cure
        place = in_place(plan, inode_of(plan.database)).value
        raise EnvironmentFault(f"{place} is in place, but not all that ran runs again: {error}") from error
    passing("rollback.started")
    note.remove()
