"""A root whose newest object cannot be read, although we put it there whole.

In: a root that cannot be read, the manifest of it. Out: the root without that object. Promised: an object is deleted
only when it was ours by the manifest, nobody has written since, and a second look finds it as unreadable as the first:
with a header or trailer like that no restore can use it. What it held comes again from the spool, or with a full
image.
"""

from collections.abc import Callable

from litestreamd.basics.errors import DamagedData
from litestreamd.database.manifest import Manifest
from litestreamd.replica.port import Replica, StoredObject
from litestreamd.replica.root import Root, UnreadableNewest, read_newest, read_root
from litestreamd.replica.writers import read_writers

Dropped = Callable[[StoredObject, str], None]
"""Told of each object that is deleted, and why."""


def read_own_root(replica: Replica, manifest: Manifest, dropped: Dropped) -> Root:
    """As `read_root`. Raises DamagedData for an unreadable object that is not ours, and the errors of the port."""
    while True:
        try:
            return read_root(replica)
        except UnreadableNewest as error:
            if not _is_ours(replica, manifest, error.stored) or _is_readable(replica, error.stored):
                raise
            manifest.forget_on_disk(error.stored.name)
            replica.delete([error.stored.name])
            dropped(error.stored, str(error))


def _is_ours(replica: Replica, manifest: Manifest, stored: StoredObject) -> bool:
    known, highest = manifest.load(), read_writers(replica).highest
    if known is None or highest is None:
        return False
    return known.epoch == highest.number and stored.name in known.objects


def _is_readable(replica: Replica, stored: StoredObject) -> bool:
    try:
        read_newest(replica, stored)
    except DamagedData:
        return False
    return True
