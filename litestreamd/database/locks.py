"""POSIX and flock locks around a database: ours, and what others hold.

In: descriptors that stay open as long as any SQLite connection of this process to the same files
(closing one would drop the connection's locks: POSIX locks belong to process and file).
Out: plain answers; nothing here takes or drops an SQLite lock, but `exclude`.
Source: os_unix.c and "WAL-mode File Format", "WAL locks": the lock bytes of the -shm are 120 (write),
121 (checkpoint), 122 (recover), 123..127 (read marks), 128 (dead man's switch); on the database
file a WAL connection holds the shared range from byte 0x40000002.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

WRITE, CHECKPOINT, READ_0, READ_LAST, DEAD_MAN = 120, 121, 123, 127, 128
SHARED_FIRST, SHARED_SIZE = 0x40000002, 510

_FLOCK = struct.Struct("hhqqi")  # struct flock on 64-bit Linux: type, whence, start, length, pid


def foreign_holder(fd: int, start: int, length: int = 1) -> int | None:
    """Pid of another process that holds any lock in the byte range, or None. Asks, takes nothing."""
    question = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    answer = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_GETLK, question))
    return None if answer[0] == fcntl.F_UNLCK else answer[4]


def foreign_checkpointer(shm_fd: int) -> int | None:
    """Pid of a process that holds CHECKPOINT and WRITE at once: it waits in FULL, RESTART or TRUNCATE for readers."""
    holder = foreign_holder(shm_fd, CHECKPOINT)
    return holder if holder is not None and holder == foreign_holder(shm_fd, WRITE) else None


def used_by_others(database_fd: int) -> bool:
    """Whether another process has the database open in WAL mode (it then holds the shared range)."""
    return foreign_holder(database_fd, SHARED_FIRST, SHARED_SIZE) is not None


def exclude(database_fd: int) -> bool:
    """Keep SQLite out until the descriptor is closed: whoever opens the database is told that it is locked. Out: False
    when somebody is in it.

    All of the lock bytes of the database file, which connections in every journal mode need; by a lock that belongs to
    the descriptor (fcntl(2), open file description locks), so that other descriptors of the file may come and go. Where
    the descriptor may not write, or the file system has no such locks, nothing is kept out.
    """
    wanted = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, SHARED_FIRST - 2, SHARED_SIZE + 2, 0)
    try:
        fcntl.fcntl(database_fd, fcntl.F_OFD_SETLK, wanted)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    return True


@dataclass(frozen=True, slots=True)
class HeldLock:
    """One line of /proc/locks."""

    kind: str
    pid: int
    inode: tuple[int, int]
    start: int


def held_locks(lines: Iterable[str]) -> list[HeldLock]:
    """Parse lines of /proc/locks, requests that wait (`->`) left out. Inodes are (device, number)."""
    locks = []
    for line in lines:
        fields = line.split()
        if len(fields) != 8 or fields[1] == "->":
            continue
        major, minor, number = fields[5].split(":")
        device = os.makedev(int(major, 16), int(minor, 16))
        locks.append(HeldLock(fields[1], int(fields[4]), (device, int(number)), int(fields[6])))
    return locks


def guard_is_held(database_fd: int, shm_fd: int) -> bool:
    """Whether our read mark, dead man's switch and shared lock are really there (the self-audit).

    They vanish when anything in this process closes another descriptor of the same files.
    """
    pid = os.getpid()
    lines = Path("/proc/locks").read_text("ascii").splitlines()
    ours = [lock for lock in held_locks(line for line in lines if f" {pid} " in line) if lock.pid == pid]
    database, shm = _inode(database_fd), _inode(shm_fd)
    marks = any(lock.inode == shm and READ_0 <= lock.start <= READ_LAST for lock in ours)
    alive = any(lock.inode == shm and lock.start <= DEAD_MAN for lock in ours)
    shared = any(lock.inode == database and lock.start >= SHARED_FIRST - 2 for lock in ours)
    return marks and alive and shared


def claim(database_fd: int) -> int | None:
    """Become the one daemon of this database; out: None, or the pid of the one that is (0 if it cannot be named)."""
    try:
        fcntl.flock(database_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        inode = _inode(database_fd)
        holders = [
            lock.pid
            for lock in held_locks(Path("/proc/locks").read_text("ascii").splitlines())
            if lock.kind == "FLOCK" and lock.inode == inode
        ]
        return holders[0] if holders else 0
    return None


def openers(path: Path) -> list[int]:
    """Pids of other processes that have the file open, as far as /proc lets us see."""
    wanted, pids = path.stat(), []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        try:
            stats = [link.stat() for link in (process / "fd").iterdir()]
        except OSError:  # gone meanwhile, or not ours to look at
            continue
        if any((found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino) for found in stats):
            pids.append(int(process.name))
    return pids


def users_of(path: Path) -> list[int]:
    """Pids of other processes that have the database open, by what /proc shows and by their locks; 0: one whose pid
    cannot be told. Empty when there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        found = {*openers(path)}
        holder = foreign_holder(descriptor, SHARED_FIRST - 2, SHARED_SIZE + 2)
        return sorted(found if holder is None else found | {max(0, holder)})
    finally:
        os.close(descriptor)


def _inode(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino
