"""A root that is ours to write: what it holds as far as we know, and every create and delete of ours.

In: a replica, the listing it began with, who we are. Out: objects created once, deleted, and a list of them that spares
every further listing; the same on disk (database/manifest.py), so that what vanishes is noticed. Promise: nothing is
created or deleted by a writer that is not the highest epoch, as far as a look every EPOCH_CHECK_S can tell; the list
changes only after the store has done what it was asked to.
Used by two threads: the line's (level 0) and the history's (everything above).
"""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from litestreamd.basics.checksum import digest
from litestreamd.basics.crash_points import passing
from litestreamd.basics.errors import ConflictError, EnvironmentFault, LitestreamdError
from litestreamd.database.manifest import Content, Manifest, Noted
from litestreamd.jobs.expected import check_noted
from litestreamd.ltx.header import Header
from litestreamd.ltx.names import ObjectName
from litestreamd.ltx.trailer import TRAILER_SIZE, decode_trailer
from litestreamd.plan.restore import Stored
from litestreamd.plan.window import Window, extended, window_of
from litestreamd.replica.port import Created, Fence, Replica, StoredObject
from litestreamd.replica.root import read_newest
from litestreamd.replica.writers import Writer, check_still_highest, close_epoch, open_epoch

EPOCH_CHECK_S = 150.0
"""Half of Litestream's level-0 retention: after this long without a look others may have written and deleted, so that
"create only" alone does not tell; and a root that was emptied or exchanged under us takes every new file. Where level 0
stays for less, the look comes sooner."""

LONG_BODY = 1 << 20
"""A body of more bytes takes its time: where the store does not refuse a second writer, we look again at its end."""


class OwnedRoot:
    """Held from an admission until `let_go`. `merged_through`: the highest TXID above level 0. `names_stay_s`: how long
    a name of level 0 is taken at least. `lost`: what was there when we last wrote, and was not listed."""

    def __init__(self, replica: Replica, manifest: Manifest) -> None:
        self.replica = replica
        self.lost: tuple[StoredObject, ...] = ()
        self._manifest = manifest
        self.epoch: int | None = None
        self.merged_through = 0
        self.names_stay_s = math.inf
        self._writer: Writer | None = None
        self._objects: dict[ObjectName, StoredObject] = {}
        self._made: set[ObjectName] = set()
        self._window: Window | None = None
        self._window_is_known = False
        self._turn = threading.Lock()
        self._looked_at = float("-inf")

    def hold(self, objects: Iterable[StoredObject], writer: Writer, highest: int = 0) -> None:
        """The root was listed and is ours. `highest`: the writer epoch that was opened last there. EnvironmentFault."""
        with self._turn:
            self._objects = {stored.name: stored for stored in objects}
            self._window_is_known = False
            self.merged_through = _merged_through(self._objects)
            self._writer = writer
            self._compare(highest)

    def let_go(self) -> None:
        """Whose it is has to be decided anew: until then nothing is created or deleted."""
        with self._turn:
            self.epoch = self._writer = None

    @property
    def objects(self) -> tuple[StoredObject, ...]:
        """What it holds, ascending by level and TXIDs."""
        with self._turn:
            return tuple(sorted(self._objects.values(), key=lambda stored: stored.name))

    @property
    def window(self) -> Window | None:
        """Its oldest and its newest restore point; looked for again only after something else came, or went, than the
        next file of level 0. None: there is none."""
        with self._turn:
            if not self._window_is_known:
                self._window, self._window_is_known = window_of(list(self._objects.values())), True
            return self._window

    def get(self, name: ObjectName) -> StoredObject | None:
        """One object of the manifest."""
        return self._objects.get(name)

    def claim(self) -> None:
        """Open our writer epoch once; look at it again from time to time. Raises ConflictError, errors of the port."""
        with self._turn:
            if self._writer is None:
                raise EnvironmentFault(f"{self.replica.description}: whose it is has to be decided first.")
            if self.epoch is None:
                self.epoch = open_epoch(self.replica, self._writer)
                passing("join.epoch-opened")
                self._manifest.opened(self.epoch)
                self._clear_unfinished()
            elif time.monotonic() - self._looked_at > min(EPOCH_CHECK_S, self.names_stay_s / 2):
                check_still_highest(self.replica, self.epoch)
            else:
                return
            self._looked_at = time.monotonic()

    def create(
        self, name: ObjectName, body: Callable[[], Iterator[bytes]], timestamp_ms: int, most: int | None = None
    ) -> Created:
        """Create an object of at most so many bytes; what EXISTS already has to be accepted by the caller. Errors of
        the port and of `body`; ConflictError when another writer has taken over."""
        self.claim()
        size, end = 0, b""

        def counted() -> Iterator[bytes]:
            nonlocal size, end
            size, end = 0, b""  # a store that is asked again gets it from the beginning
            for chunk in body():
                size += len(chunk)
                end = (end + bytes(chunk[-TRAILER_SIZE:]))[-TRAILER_SIZE:]
                yield chunk
            if size > LONG_BODY and self.replica.fence is Fence.WEAK:
                self._check_epoch()

        try:
            created = self.replica.create(name, counted(), timestamp_ms, most)
        except LitestreamdError:
            # Whoever took over may be the reason: do not come back without having looked.
            self._looked_at = float("-inf")
            raise
        if created is Created.EXISTS:
            self._check_epoch()
        else:
            self._note(StoredObject(name, size, timestamp_ms), _checksum_in(end))
            self._made.add(name)
        return created

    def compare(self, stored: StoredObject) -> None:
        """Raise DamagedData when an object that proves itself is not the one that was put there. Errors of the port."""
        check_noted(self.replica, stored, self._manifest.objects.get(stored.name))

    def made_here(self, name: ObjectName) -> bool:
        """Whether this process made the object: then it was proven on the way."""
        return name in self._made

    def accept_same_bytes(self, name: ObjectName, ours: Callable[[], Iterable[bytes]]) -> None:
        """An object that exists is our own retry when its bytes are the same. Raises ConflictError."""
        stored = self.replica.find(name)
        if stored is None or digest(self.replica.open(name)) != digest(ours()):
            raise ConflictError(self._second_writer(name))
        self._note(stored)

    def accept_same_state(self, name: ObjectName, header: Header) -> None:
        """An object of level 1 to 9 that exists is ours when it leads to the same state. Raises ConflictError."""
        stored = self.replica.find(name)
        if stored is not None:
            theirs = read_newest(self.replica, stored).header
            if (theirs.commit, theirs.proof) == (header.commit, header.proof):
                self._note(stored)
                return
        raise ConflictError(self._second_writer(name))

    def delete(self, doomed: Sequence[Stored]) -> None:
        """Delete objects. ConflictError when another writer has taken over, errors of the port."""
        self.claim()
        with self._turn:
            self._manifest.deleting([stored.name for stored in doomed])
        self.replica.delete([stored.name for stored in doomed])
        self.forget([stored.name for stored in doomed])

    def forget(self, names: Iterable[ObjectName]) -> None:
        """Objects that are gone, or must not be counted on."""
        with self._turn:
            for name in names:
                self._objects.pop(name, None)
                self._made.discard(name)
            self._window_is_known = False
            self.merged_through = _merged_through(self._objects)

    def close(self) -> None:
        """Say that we have stopped cleanly. Errors of the port; ConflictError when what we wrote is not on the replica
        any more, or not the newest there."""
        if self.epoch is not None:
            check_still_highest(self.replica, self.epoch)
            close_epoch(self.replica, self.epoch)

    def _compare(self, highest: int) -> None:
        """What the manifest has, and the listing has not, is lost; unless somebody else has written since."""
        known = self._manifest.load()
        if known is None or known.epoch != highest or _newest(self._objects) > _newest(known.objects):
            known = Content("")
        gone = known.objects.keys() - self._objects.keys()
        self.lost = tuple(StoredObject(name, known.objects[name].size, 0) for name in sorted(gone))
        kept = {name: known.objects.get(name, Noted(stored.size)) for name, stored in self._objects.items()}
        self._manifest.begin(highest, kept)

    def _note(self, stored: StoredObject, checksum: int | None = None) -> None:
        with self._turn:
            self._manifest.created(stored.name, Noted(stored.size, checksum))
            self._objects[stored.name] = stored
            longer = extended(self._window, stored) if self._window and self._window_is_known else None
            self._window, self._window_is_known = longer, longer is not None
            if stored.name.level:
                self.merged_through = max(self.merged_through, stored.name.max_txid)

    def _check_epoch(self) -> None:
        assert self.epoch is not None
        check_still_highest(self.replica, self.epoch)

    def _clear_unfinished(self) -> None:
        """We alone write here now. What cannot be cleared costs money, not data, and many keys lack the right."""
        with suppress(LitestreamdError):
            self.replica.clear_unfinished()

    def _second_writer(self, name: ObjectName) -> str:
        return (
            f"{self.replica.description}: {name} exists with other contents than ours: a second writer is at work on"
            " this replica. Nothing more is written to it; stop one of the two, or give each a path of its own."
        )


def _newest(names: Iterable[ObjectName]) -> int:
    return max((name.max_txid for name in names), default=0)


def _checksum_in(end: bytes) -> int | None:
    """The file checksum in the last bytes of an object."""
    return decode_trailer(end).file_checksum if len(end) == TRAILER_SIZE else None


def _merged_through(names: Iterable[ObjectName]) -> int:
    return max((name.max_txid for name in names if name.level), default=0)
