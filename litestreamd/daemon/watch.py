"""inotify: wake a task when one of its files is written.

In: tasks and their paths. Out: calls of `wake(task)` from a thread of its own.
Each watch is one-shot and armed again before its task looks at its files: a writer at full speed costs one event per
look, and no event between two looks is lost. Where inotify is not to be had (its library is missing, or the kernel's
limit of watches is reached) the tasks' own slow look remains.
"""

import errno
import os
import select
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

try:
    from inotify_simple import INotify, flags
except ImportError:  # no distribution has it: see docs/adr
    INotify = None


class Watcher:
    """One inotify descriptor for the whole process."""

    def __init__(self, wake: Callable[[object], None], limited: Callable[[str], None]) -> None:
        self._wake = wake
        self._limited = limited
        self._told = False
        self._tasks: dict[int, object] = {}
        self._noting = threading.Lock()  # an event may come before the task of its watch is noted
        self._inotify = INotify() if INotify is not None else None
        self._stop_reader, self._stop_writer = os.pipe()
        self._thread = threading.Thread(target=self._read, name="watch", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the descriptors."""
        os.write(self._stop_writer, b".")
        self._thread.join()
        for fd in (self._stop_reader, self._stop_writer):
            os.close(fd)
        if self._inotify is not None:
            self._inotify.close()

    def arm(self, task: object, paths: Iterable[Path]) -> None:
        """Wake the task once when one of the files is next written. A missing file is passed over."""
        if self._inotify is not None:
            self._arm(task, paths, flags.MODIFY)

    def arm_folders(self, task: object, paths: Iterable[Path]) -> None:
        """Wake the task once when in one of the folders something next comes, goes or was written to its end."""
        if self._inotify is not None:
            come = flags.CREATE | flags.MOVED_TO | flags.CLOSE_WRITE
            self._arm(task, paths, come | flags.DELETE | flags.MOVED_FROM | flags.ONLYDIR)

    def _arm(self, task: object, paths: Iterable[Path], what: int) -> None:
        assert self._inotify is not None
        for path in paths:
            try:
                with self._noting:
                    self._tasks[self._inotify.add_watch(os.fsencode(path), what | flags.ONESHOT)] = task
            except OSError as error:
                self._refused(error)

    def _refused(self, error: OSError) -> None:
        if error.errno != errno.ENOENT and not self._told:
            self._told = True
            self._limited(error.strerror or str(error))

    def _read(self) -> None:
        fds = [self._stop_reader] if self._inotify is None else [self._stop_reader, self._inotify.fileno()]
        while True:
            ready, _, _ = select.select(fds, [], [])
            if self._stop_reader in ready:
                return
            assert self._inotify is not None
            for event in self._inotify.read(timeout=0):
                # A one-shot watch leaves (IGNORED) after its event; armed again it has a new number.
                with self._noting:
                    task = self._tasks.pop(event.wd, None)
                if task is not None:
                    self._wake(task)
