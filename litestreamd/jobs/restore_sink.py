"""Where the pages of a restore go: into a draft, nowhere, and past somebody who counts.

In: the size of the database, then its pages, from several threads. Out: what the sink makes of them. A verification
is a restore into `Nowhere`, so that it proves what a restore would give, by the same code.
"""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Protocol


class Progress(Protocol):
    """Told how far long work is; from any thread, one call at a time."""

    def __call__(self, done: int, total: int, work: str = "") -> None:
        """Bytes so far, and in all (0: not known). `work`: what is done to them when they are not being restored; only
        that it goes on may be known, then both are 0."""


Admit = Callable[[int], object]
"""admit(size): the bytes that are about to be written; raises when they may not be."""


class Sink(Protocol):
    """What a restore needs of the file it makes; database/draft is one."""

    def resize(self, size: int) -> None:
        """The file has exactly this many bytes; what is not written reads as zeros."""

    def write(self, images: Sequence[bytes], offset: int) -> None:
        """Images one behind the other from this offset on."""


class Nowhere:
    """Takes pages and keeps none."""

    def resize(self, size: int) -> None:
        pass

    def write(self, images: Sequence[bytes], offset: int) -> None:
        pass


class Admitted:
    """A sink that is asked for room before it gets anything."""

    def __init__(self, sink: Sink, admit: Admit) -> None:
        self._sink = sink
        self._admit = admit
        self.write = sink.write

    def resize(self, size: int) -> None:
        self._admit(size)
        self._sink.resize(size)


class Counted:
    """A sink that tells how far it is."""

    def __init__(self, sink: Sink, progress: Progress) -> None:
        self._sink = sink
        self._progress = progress
        self._lock = Lock()
        self._done = self._total = 0

    def resize(self, size: int) -> None:
        self._sink.resize(size)
        with self._lock:
            self._total = size

    def write(self, images: Sequence[bytes], offset: int) -> None:
        self._sink.write(images, offset)
        with self._lock:
            self._done += sum(map(len, images))
            self._progress(self._done, self._total)
