"""Another try where it may help: around every back end.

In: a replica, and how patient to be. Out: the same replica, whose passing troubles (StoreError with `retry`) are met by
a few more tries, later and later, each wait a random part of the longest it could be, so that a thousand daemons that
saw the same outage do not come back in step. What no try can help (rights, a bucket that is not there) is raised at
once. Promised: a read goes on where it broke off; a create is tried again only while all of its body is at hand, and a
name that a lost answer left behind is EXISTS, for the caller to look at; after `budget_s` nothing new is begun: outages
are the caller's to wait for (jobs/ship.py).
"""

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from litestreamd.basics.errors import LitestreamdError, ObjectMissing
from litestreamd.basics.pulse import beat, promise
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.bodies import begun, drained
from litestreamd.replica.port import Created, Fence, Replica, StoredObject, StoredV3, Times
from litestreamd.v3.names import V3Name

REPLAYED = 8 << 20
"""A body of up to so many bytes is kept for another try; a larger one goes in parts, which the back end repeats."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Patience:
    """At most `tries`; waits double from `first_s` to `longest_s`; none begins `budget_s` after the first try."""

    tries: int = 4
    first_s: float = 0.1
    longest_s: float = 5.0
    budget_s: float = 20.0

    def run(self, work: Callable[[], Result]) -> Result:
        """Do it until it works, or no further try helps: then the last error of the tree is raised."""
        troubles = Troubles(self)
        while True:
            try:
                return work()
            except LitestreamdError as error:
                troubles.met(error)


class Troubles:
    """The failures of one piece of work."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._count = 0
        self._end = time.monotonic() + patience.budget_s

    def met(self, error: LitestreamdError) -> None:
        """Wait for the next try, or raise the error again."""
        self._count += 1
        patience = self._patience
        # An object that is gone will not come back.
        hopeless = not error.retry or isinstance(error, ObjectMissing)
        if hopeless or self._count >= patience.tries or time.monotonic() > self._end:
            raise error
        longest = min(patience.longest_s, patience.first_s * 2.0 ** (self._count - 1))
        promise(longest)
        time.sleep(longest * random.uniform(0.5, 1.0))

    def over(self) -> None:
        """There was progress."""
        self._count = 0
        self._end = time.monotonic() + self._patience.budget_s


class Retrying:
    """Any replica with patience."""

    def __init__(self, replica: Replica, patience: Patience | None = None) -> None:
        self._replica = replica
        self._patience = patience or Patience()

    @property
    def name(self) -> str:
        return self._replica.name

    @property
    def description(self) -> str:
        return self._replica.description

    @property
    def kind(self) -> str:
        return self._replica.kind

    @property
    def fence(self) -> Fence:
        return self._replica.fence

    @property
    def piece(self) -> int:
        return self._replica.piece

    @property
    def times(self) -> Times:
        return self._replica.times

    @property
    def requests(self) -> Mapping[str, int]:
        return self._replica.requests

    def renew(self) -> None:
        self._replica.renew()

    def list(self, level: int | None = None) -> Iterator[StoredObject]:
        return iter(self._patience.run(lambda: tuple(self._replica.list(level))))

    def find(self, name: ObjectName) -> StoredObject | None:
        return self._patience.run(lambda: self._replica.find(name))

    def create(self, name: ObjectName, body: Iterable[bytes], timestamp_ms: int, most: int | None = None) -> Created:
        held, rest = begun(body, REPLAYED)
        if rest is not None:
            return self._replica.create(name, drained(held, rest), timestamp_ms, most)
        size = sum(map(len, held))
        return self._patience.run(lambda: self._replica.create(name, held, timestamp_ms, size))

    def open(self, name: ObjectName, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self._going_on(lambda done: self._replica.open(name, offset + done, _less(length, done)))

    def read_at(self, name: ObjectName, offset: int, length: int) -> bytes:
        return self._patience.run(lambda: self._replica.read_at(name, offset, length))

    def delete(self, names: Sequence[ObjectName]) -> None:
        self._patience.run(lambda: self._replica.delete(names))

    def list_notes(self, prefix: str = "") -> Sequence[str]:
        return self._patience.run(lambda: self._replica.list_notes(prefix))

    def has_note(self, name: str) -> bool:
        return self._patience.run(lambda: self._replica.has_note(name))

    def read_note(self, name: str) -> bytes:
        return self._patience.run(lambda: self._replica.read_note(name))

    def create_note(self, name: str, data: bytes) -> Created:
        return self._patience.run(lambda: self._replica.create_note(name, data))

    def delete_note(self, name: str) -> None:
        self._patience.run(lambda: self._replica.delete_note(name))

    def clear_unfinished(self) -> None:
        self._patience.run(self._replica.clear_unfinished)

    def has_v3(self) -> bool:
        return self._patience.run(self._replica.has_v3)

    def list_v3(self) -> Iterator[StoredV3]:
        return iter(self._patience.run(lambda: tuple(self._replica.list_v3())))

    def open_v3(self, name: V3Name) -> Iterator[bytes]:
        return self._going_on(lambda done: _skipping(self._replica.open_v3(name), done))

    def _going_on(self, opened: Callable[[int], Iterator[bytes]]) -> Iterator[bytes]:
        """All chunks; after a failure from where it broke off. `opened`: how to open it after so many bytes."""
        troubles, done = Troubles(self._patience), 0
        while True:
            chunks = opened(done)
            try:
                for chunk in chunks:
                    beat()
                    done += len(chunk)
                    yield chunk
                    troubles.over()
                return
            except LitestreamdError as error:
                troubles.met(error)


def _less(length: int | None, done: int) -> int | None:
    return None if length is None else length - done


def _skipping(chunks: Iterator[bytes], count: int) -> Iterator[bytes]:
    for chunk in chunks:
        if count < len(chunk):
            yield chunk[count:]
        count = max(0, count - len(chunk))
