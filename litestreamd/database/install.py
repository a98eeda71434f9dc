"""Puts a finished draft in its place, and never loses what was there.

In: a draft that is complete, durable and proven. Out: the database at its path, and what was moved aside.
Promised:

* a new place: the file appears whole (link(), so that a database which came meanwhile is never overwritten);
* an existing database (only with `force`): refused while any other process has it open; its WAL is checkpointed
  into it first; it is kept as NAME.before-<time>; there is no moment at which NAME does not exist; nobody can use
  it from then on until it has its new name, so no WAL of the old one comes to lie beside the new one;
* -wal, -shm and -journal of an older life are moved aside before the new file has its name, never replayed
  (SQLite would: "Write-Ahead Logging", section 4.3; "Atomic Commit", section 4.2).
"""

import errno
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import BusyError, EnvironmentFault, UsageError
from litestreamd.database import locks
from litestreamd.database.disk import fsync_folder, private
from litestreamd.database.draft import Draft, told
from litestreamd.database.ownership import give

SIDECARS = ("-wal", "-shm", "-journal")
_PORTION = 1 << 20
_NO_HARD_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@dataclass(frozen=True, slots=True)
class Installed:
    """aside: files that were there and are kept under new names. late: pids that opened the old database at the
    last moment and still use it (under its new name)."""

    aside: tuple[Path, ...] = ()
    late: tuple[int, ...] = ()


def refuse_existing(target: Path, force: bool) -> None:
    """Raise UsageError unless `target` is free or `force` is given, BusyError when it is in use."""
    with told(target):
        if not target.exists():
            return
        if not target.is_file():
            raise UsageError(f"{target} is not a file")
    if not force:
        raise UsageError(
            f"{target} exists already: restore to another place with -o, or replace it with -force (it is kept beside)"
        )
    with told(target):
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _refuse_busy(target, descriptor)
    finally:
        os.close(descriptor)


def install(draft: Draft, force: bool, stamp: str) -> Installed:
    """Give the draft its name; `stamp` (a time) goes into the names of what is moved aside.

    Raises UsageError, BusyError, RightsError, EnvironmentFault; what was there is then still there.
    """
    with told(draft.target):
        if force and draft.target.exists():
            done = _replace(draft, stamp)
        else:
            refuse_existing(draft.target, force=False)
            done = _place(draft, stamp)
        fsync_folder(draft.target.parent)
    passing("restore.installed")
    return done


def put_back(target: Path, kept: Path) -> None:
    """Give what `exchange` has kept its name again; what took its place, and was not used by anybody, is gone. Raises
    BusyError while anybody has that open."""
    with told(target):
        descriptor = _opened(target)
        try:
            _refuse_busy(target, descriptor)
            _exclude(target, descriptor)
            for ending in SIDECARS:
                target.with_name(target.name + ending).unlink(missing_ok=True)
            kept.rename(target)
        finally:
            os.close(descriptor)
        fsync_folder(target.parent)


def _place(draft: Draft, stamp: str) -> Installed:
    aside = _move_sidecars(draft.target, stamp)
    passing("restore.sidecars-moved")
    try:
        os.link(draft.path, draft.target)
    except FileExistsError:
        raise UsageError(f"{draft.target} has appeared meanwhile; it was left as it is") from None
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        draft.path.rename(draft.target)
    else:
        # SQLite complains about a database with two names.
        draft.path.unlink()
    return Installed(aside)


def _replace(draft: Draft, stamp: str) -> Installed:
    return exchange(draft.target, draft.path, stamp)


def exchange(target: Path, new: Path, stamp: str, as_of: int | None = None) -> Installed:
    """Put `new` (complete, durable, proven) in the place of `target`, which is kept as NAME.before-<stamp>.

    Safe to repeat after a crash at any point, with the same stamp. Raises BusyError while anybody has the old one open,
    or when anybody has used it meanwhile or since `as_of` (see `last_use`); EnvironmentFault.
    """
    kept = target.with_name(f"{target.name}.before-{stamp}")
    descriptor = _opened(target)
    try:
        # Keeps a daemon from starting on the old file while it changes its name.
        _refuse_busy(target, descriptor)
        _refuse_used(target, as_of)
        _checkpoint(target)
        found = last_use(target)
        _exclude(target, descriptor)
        _refuse_used(target, found)
        aside = _move_sidecars(target, stamp)
        passing("restore.sidecars-moved")
        _keep(target, kept)
        passing("restore.kept")
        new.rename(target)
        late = locks.openers(Path(f"/proc/self/fd/{descriptor}"))
    finally:
        os.close(descriptor)
    return Installed((kept, *aside), tuple(late))


def last_use(database: Path) -> int:
    """When it was last written to, or its WAL (mtime, ns); an empty WAL says nothing."""
    wal = database.with_name(database.name + "-wal")
    found = [database.stat()] + ([wal.stat()] if wal.exists() else [])
    return max(each.st_mtime_ns for each in found if each.st_size or each is found[0])


def _refuse_busy(target: Path, descriptor: int) -> None:
    """Raise BusyError when a daemon replicates the database or any process has it open; become its one daemon.

    Locks show connections in WAL mode to everybody; open descriptors show the others, to root and to their user.
    """
    daemon = locks.claim(descriptor)
    if daemon is not None:
        raise BusyError(f"{target} is replicated by process {daemon or '(unknown)'}: stop it first")
    pids = locks.openers(target)
    if pids or locks.used_by_others(descriptor):
        who = ", ".join(map(str, pids)) or "of another user"
        raise BusyError(f"{target} is open in process {who}: stop it first; nothing was changed")


def _opened(target: Path) -> int:
    """A descriptor, for locks; to write, if that is allowed."""
    try:
        return os.open(target, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        return os.open(target, os.O_RDONLY | os.O_CLOEXEC)


def _exclude(target: Path, descriptor: int) -> None:
    """Nobody uses it until the descriptor is closed. Raises BusyError when somebody does, or may at any moment: a file
    that is open, and not locked yet, would get the WAL of the new one."""
    if not locks.exclude(descriptor) or locks.openers(target):
        raise BusyError(f"{target} is in use: stop its application first; nothing was changed")


def _refuse_used(target: Path, as_of: int | None) -> None:
    """What somebody who has left again has committed would be nowhere but in the kept file."""
    if as_of is not None and last_use(target) != as_of:
        raise BusyError(f"{target} was used just now: stop its application first; nothing was changed")


def _checkpoint(target: Path) -> None:
    """Bring the commits of a leftover WAL or journal into the old file, as far as SQLite can still read it.

    A WAL that went into the file completely is removed. One that did not stays to be moved aside, as does all of a
    database too damaged to read: often it is the reason for the restore. Raises BusyError when somebody came,
    EnvironmentFault when there is no room for it.
    """
    # SQLite deletes the WAL of an empty file (pager.c, pagerOpenWalIfPresent): it shall be kept.
    if target.stat().st_size == 0:
        return
    try:
        connection = apsw.Connection(str(target), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            # The first read opens the WAL, or rolls a hot journal back; without it a checkpoint does nothing.
            connection.cursor().execute("PRAGMA user_version").fetchall()
            frames, moved = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            if frames == moved > 0:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            connection.close(True)
    except (apsw.BusyError, apsw.LockedError) as error:
        raise BusyError(f"{target} is in use: stop its application first; nothing was changed") from error
    except apsw.FullError as error:
        raise EnvironmentFault(
            f"{target.parent} has no room for the last commits of {target}, which are in its WAL: make room; nothing "
            "was changed"
        ) from error
    except apsw.Error:
        return
    wal = target.with_name(target.name + "-wal")
    if wal.exists() and wal.stat().st_size == 0:
        for ending in ("-wal", "-shm"):
            target.with_name(target.name + ending).unlink(missing_ok=True)


def _move_sidecars(target: Path, stamp: str) -> tuple[Path, ...]:
    """Rename what is left of an older life, durably; out: the new names."""
    aside = []
    for ending in SIDECARS:
        old = target.with_name(target.name + ending)
        if old.exists():
            new = old.with_name(f"{old.name}.before-{stamp}")
            old.rename(new)
            aside.append(new)
    if aside:
        fsync_folder(target.parent)
    return tuple(aside)


def _keep(target: Path, kept: Path) -> None:
    """A second name for the old file; a copy where the file system has no hard links."""
    try:
        os.link(target, kept)
    except FileExistsError:
        if not kept.samefile(target):  # else an exchange that was broken off has done it
            raise
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _keep_copy(target, kept)


def _keep_copy(target: Path, kept: Path) -> None:
    unfinished = kept.with_name(kept.name + ".copying")
    unfinished.unlink(missing_ok=True)  # of a crash, or what somebody else has laid there for root to write to
    with open(target, "rb", opener=private) as old, open(unfinished, "xb", opener=private) as new:
        shutil.copyfileobj(old, new, _PORTION)
        new.flush()
        found, descriptor = os.fstat(old.fileno()), new.fileno()
        for name in os.listxattr(old.fileno()):
            with suppress(OSError):
                os.setxattr(descriptor, name, os.getxattr(old.fileno(), name))
        give(descriptor, found.st_uid, found.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(found.st_mode))
        os.utime(descriptor, ns=(found.st_atime_ns, found.st_mtime_ns))
        os.fsync(descriptor)
    unfinished.rename(kept)
