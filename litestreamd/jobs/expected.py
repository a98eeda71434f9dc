"""What a replica must hold by its manifest, and what it does hold.

In: a manifest (database/manifest.py), a listing, objects. Out: DamagedObject for each that is gone, or is another one
than was put there. Promised: what a daemon at work creates and deletes meanwhile is never called damage.
"""

import time
from collections.abc import Callable, Collection, Mapping

from litestreamd.database.manifest import Content, Noted
from litestreamd.jobs.restore_source import DamagedObject
from litestreamd.ltx.names import ObjectName
from litestreamd.ltx.trailer import TRAILER_SIZE, decode_trailer
from litestreamd.plan.restore import Stored
from litestreamd.replica.port import Replica

Look = Callable[[], Content | None]
"""Reads the manifest as it is now."""

LOOKS, LOOK_S = 20, 0.1
"""A daemon notes what it has just created within this time."""


class Expected:
    """Before a listing is made: what it has to show. look: None for a replica of which this machine knows nothing."""

    def __init__(self, look: Look | None) -> None:
        self._look = look or _nothing
        self._before = self._look()

    @property
    def objects(self) -> Mapping[ObjectName, Noted]:
        """By what is known of them."""
        return self._before.objects if self._before is not None else {}

    def missing(self, replica: Replica, listed: Collection[ObjectName]) -> list[DamagedObject]:
        """What the listing, made since, does not show. Nothing when there is no manifest, or when somebody else has
        written since it was kept."""
        gone = self.objects.keys() - set(listed)
        if not gone or self._before is None:
            return []
        now = self._caught_up(max((name.max_txid for name in listed), default=0))
        if now is None or now.epoch != self._before.epoch:
            return []
        return [DamagedObject(gone_sentence(replica, name), name) for name in sorted(gone & now.objects.keys())]

    def _caught_up(self, head: int) -> Content | None:
        """The manifest once it knows all that was listed; None when it does not come to know it."""
        for _ in range(LOOKS):
            now = self._look()
            if now is None or max((name.max_txid for name in now.objects), default=0) >= head:
                return now
            time.sleep(LOOK_S)
        return None


def _nothing() -> None:
    """Nothing is known, and so nothing is expected."""


def gone_sentence(replica: Replica, name: ObjectName) -> str:
    """What is wrong with an object that is not there any more."""
    return f"{replica.description}: {name} is gone, and was not deleted by us"


def check_noted(replica: Replica, stored: Stored, noted: Noted | None) -> None:
    """Raise DamagedObject when an object that proves itself is not the one that was put there. Errors of the port."""
    if noted is None:
        return
    if stored.size != noted.size:
        text = f"it has {stored.size} bytes, and was put there with {noted.size}"
        raise DamagedObject(f"{replica.description}: {stored.name}: {text}", stored.name)
    if noted.checksum is not None and _file_checksum(replica, stored) != noted.checksum:
        text = "it is another file than the one that was put there"
        raise DamagedObject(f"{replica.description}: {stored.name}: {text}", stored.name)


def _file_checksum(replica: Replica, stored: Stored) -> int:
    """Of an object that proves itself, and so has a trailer."""
    return decode_trailer(replica.read_at(stored.name, stored.size - TRAILER_SIZE, TRAILER_SIZE)).file_checksum
