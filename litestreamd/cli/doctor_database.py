"""The doctor on one database: rights, journal mode, versions of SQLite, others at work on it, room.

In: its settings, where its state is, who runs the service. Out: findings. Promised: nothing is changed, and nothing is
opened that a daemon in this process would hold.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from litestreamd.basics.errors import ExitCode
from litestreamd.basics.quantities import format_size
from litestreamd.cli.disks import SHARED, kind_of_mount
from litestreamd.cli.doctor_finding import Finding, error, looked_at, ok, warning
from litestreamd.cli.doctor_user import READ, SEARCH, WRITE, User, existing, owner_of
from litestreamd.config.model import DatabaseSettings
from litestreamd.database import examine
from litestreamd.database.locks import users_of
from litestreamd.database.rollback_note import RollbackNote
from litestreamd.jobs.retention_stop import NOTE
from litestreamd.jobs.rollback import ways_out

_LEAST_ROOM = 64 << 20


def examine_database(settings: DatabaseSettings, state: Path, user: User) -> Iterator[Finding]:
    """Everything about one database."""
    path = settings.path
    if not path.exists():
        yield warning(
            "database", f"{path} does not exist: it is restored, or waited for",
            None if path.parent.is_dir() else f"install -d -o {user.name} {path.parent}",
        )  # fmt: skip
        return
    real = path.resolve()
    yield from looked_at("rights", lambda: _rights(real, user))
    yield from looked_at("side files", lambda: _side_files(real))
    yield from looked_at("journal mode", lambda: _journal_mode(real, settings))
    yield from looked_at("file system", lambda: _file_system(real))
    yield from looked_at("sqlite", lambda: _versions(real))
    yield from looked_at("other replicators", lambda: _others(real))
    yield from looked_at("rollback", lambda: _rollback(state, path))
    yield from looked_at("room", lambda: _room(real, state))
    yield from looked_at("retention", lambda: _retention(state, real))


def _rights(path: Path, user: User) -> Iterator[Finding]:
    barred = user.barred(path)
    if barred is not None:
        yield error("rights", f"{user.name} may not pass {barred}", f"chmod o+x {barred}", ExitCode.RIGHTS)
        return
    if not user.may(path, READ | WRITE):
        yield error(
            "rights", f"{user.name} may not read and write {path}, which belongs to {owner_of(path)}",
            "litestreamd init makes the service run as the owner", ExitCode.RIGHTS,
        )  # fmt: skip
    elif not user.may(path.parent, READ | WRITE | SEARCH):
        yield error(
            "rights", f"{user.name} may not make files in {path.parent}, where SQLite needs -wal and -shm",
            f"chown {owner_of(path)} {path.parent}", ExitCode.RIGHTS,
        )  # fmt: skip
    else:
        yield ok("rights", f"{user.name} may read and write {path} and its folder")


def _side_files(path: Path) -> Iterator[Finding]:
    owner = owner_of(path)
    strange = [
        side
        for side in existing(path.with_name(path.name + ending) for ending in ("-wal", "-shm", "-journal"))
        if owner_of(side) != owner
    ]
    for side in strange:
        yield error(
            "side files", f"{side} belongs to {owner_of(side)}, the database to {owner}: its application cannot write",
            f"chown --reference={path} {side}", ExitCode.RIGHTS,
        )  # fmt: skip
    if not strange:
        yield ok("side files", f"all beside {path} belongs to {owner}")


def _journal_mode(path: Path, settings: DatabaseSettings) -> Iterator[Finding]:
    header = examine.read_header(path)
    if header is None:
        yield warning("journal mode", f"{path} is empty: it is waited for")
    elif header.wal_mode:
        yield ok("journal mode", f"WAL, pages of {header.page_size} bytes")
    elif settings.journal_mode == "require":
        yield error(
            "journal mode", f"{path} is in rollback-journal mode, and journal-mode: require leaves it so",
            f"sqlite3 {path} 'PRAGMA journal_mode=WAL'", ExitCode.CONFIG,
        )  # fmt: skip
    else:
        yield warning(
            "journal mode", f"{path} is in rollback-journal mode: it is switched to WAL once nobody has it open"
        )


def _file_system(path: Path) -> Iterator[Finding]:
    kind = kind_of_mount(path)
    if kind in SHARED:
        yield error(
            "file system", f"{path} lies on {kind}, where SQLite's WAL does not work", "move it to a local disk"
        )
    else:
        yield ok("file system", f"{kind or 'of a kind that cannot be told'}")


def _versions(path: Path) -> Iterator[Finding]:
    own = examine.own_version()
    yield _judged("litestreamd", own)
    seen = {(pid, examine.library_version(pid)) for pid in users_of(path) if pid != examine.flock_holder(path)}
    for pid, version in sorted(seen, key=str):
        if version is None:
            yield ok("sqlite", f"the version in process {pid} ({_name_of(pid)}) cannot be seen")
        else:
            yield _judged(f"process {pid} ({_name_of(pid)})", version)


def _judged(who: str, version: examine.Version) -> Finding:
    text = f"{who} has SQLite {'.'.join(map(str, version))}"
    if examine.breaks_wal_chain(version) and who != "litestreamd":
        return warning(
            "sqlite", f"{text}, which may write a WAL that no recovery reads to its end: the daemon heals it",
            "SQLite 3.50.4 or newer for the application",
        )  # fmt: skip
    if examine.resets_wal_wrongly(version) and who != "litestreamd":
        return warning(
            "sqlite", f"{text}, whose checkpoints may meet a WAL that is just reset; the daemon's guard prevents that",
            "SQLite 3.51.3 or newer for the application",
        )  # fmt: skip
    return ok("sqlite", text)


def _others(path: Path) -> Iterator[Finding]:
    found = False
    holder = examine.flock_holder(path)
    for pid in users_of(path):
        if _name_of(pid) == "litestream":
            found = True
            at_work = f"Litestream is at work on {path} (process {pid})"
            yield error("other replicators", at_work, "systemctl disable --now litestream", ExitCode.BUSY)
    if tables := examine.litestream_tables(path):
        found = True
        yield warning(
            "other replicators", f"{path} has tables of Litestream: they do no harm",
            f"sqlite3 {path} '{'; '.join(f'DROP TABLE {name}' for name in tables)}'",
        )  # fmt: skip
    if not found:
        at_work = f"litestreamd is at work (process {holder})" if holder is not None else "nobody replicates it now"
        yield ok("other replicators", at_work)


def _rollback(state: Path, path: Path) -> Iterator[Finding]:
    plan = RollbackNote(state, path).load()
    if plan is not None:
        yield error("rollback", f"a rollback planned at {plan.stamp} is not finished", ways_out(plan), ExitCode.BUSY)


def _room(path: Path, state: Path) -> Iterator[Finding]:
    size = path.stat().st_size
    for place, needed, what in (
        (path.parent, 2 * size, "a rollback needs twice the database"),
        (next(each for each in (state, *state.parents) if each.exists()), size, "a drill restores the database there"),
    ):
        found = os.statvfs(place)
        free, wanted = found.f_bavail * found.f_frsize, max(needed, _LEAST_ROOM)
        text = f"{format_size(free)} are free in {place}"
        if found.f_files and not found.f_favail:
            yield error("room", f"no file can be made in {place}: its file system has no inode left")
        elif free < wanted:
            yield warning("room", f"{text}: {what}, {format_size(wanted)}", "make room, or verify -scratch elsewhere")
        else:
            yield ok("room", text)


def _retention(state: Path, database: Path) -> Iterator[Finding]:
    if (state / NOTE).exists():
        yield error(
            "retention", "nothing is deleted on the replicas, because the live database does not prove itself",
            f"restore it, or take it as it is: litestreamd accept {database}", ExitCode.DAMAGED,
        )  # fmt: skip


def _name_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "?"
