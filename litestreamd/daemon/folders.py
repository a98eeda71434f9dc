"""A folder in which databases come and go (`dir:` with `watch:`).

In: the folder as configured. Out: each database in it is protected from within a second of its first page on, and let
go, after a final sync, when its file is gone.
How: inotify on the folders says that something changed, a look at the disk says what. A file that is no database yet
(empty, or not SQLite's) is looked at again for a while, for its first page makes no event here.
"""

import time
from collections.abc import Iterable
from pathlib import Path

from litestreamd.config.folders import databases_in, folders_in, identity
from litestreamd.config.model import DatabaseFolder, DatabaseSettings
from litestreamd.daemon.instance import Instance
from litestreamd.jobs.pace import Next

LOOK_S = 0.5
"""How soon after an event, and how often while something is on its way."""

SLOW_LOOK_S = 5.0
"""The safety net under inotify."""

LIVELY_S = 10.0


class WatchedFolder:
    """`run` is a task of the staff; `look` and `end` are called while it does not run. `named`: databases that have an
    entry of their own."""

    def __init__(self, settings: DatabaseFolder, named: frozenset[Path], instance: Instance, timeout_s: float) -> None:
        self.settings = settings
        self.named = named
        self._instance = instance
        self._timeout_s = timeout_s
        self._known: dict[Path, DatabaseSettings] = {}
        self._lively_until = 0.0

    @property
    def watched(self) -> Iterable[Path]:
        """The folders whose entries count."""
        return folders_in(self.settings)

    def run(self, woken: bool) -> Next:
        """One look; the next one soon when there was news."""
        now = time.monotonic()
        if self.look() or woken:
            self._lively_until = now + LIVELY_S
        return Next(LOOK_S, watch=False) if now < self._lively_until else Next(SLOW_LOOK_S)

    def look(self) -> bool:
        """Compare the disk with what is protected. Out: whether something changed."""
        held = {file: path for path in self._open_files() if (file := identity(path)) is not None}
        found = {each.path: each for each in databases_in(self.settings, held) if each.path not in self.named}
        gone = self._known.keys() - found.keys()
        come = found.keys() - self._known.keys()
        for path in gone:
            self._instance.remove(path, time.monotonic() + self._timeout_s)
        for path in come:
            self._instance.add(found[path])
        self._known = found
        return bool(gone or come)

    def _open_files(self) -> Iterable[Path]:
        """What this process has open, or is about to open."""
        return (*self.named, *(protection.settings.path for protection in self._instance.protections))

    def end(self, deadline: float) -> None:
        """Let all of them go."""
        for ended in [self._instance.remove(path, deadline) for path in self._known]:
            ended.result()
        self._known = {}
