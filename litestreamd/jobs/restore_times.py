"""The times of a replica's objects, as far as a listing can be trusted with them.

In: a replica and its listing. Out: the same objects with the times they were made at. Promised: where a listing shows
the time in the object's header (port.Times), a replica that was copied without its times (`cp -r`, `rsync` without
`-t`) is noticed by a few short reads, and then every header is read for its time. What cannot be read keeps the
time of the listing: whether an object is sound is not this module's business.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, pairwise
from operator import attrgetter

from litestreamd.basics.errors import DamagedData, ObjectMissing
from litestreamd.jobs.pool import done_ahead, worker_pool
from litestreamd.ltx.header import HEADER_SIZE, decode_header
from litestreamd.replica.port import Replica, StoredObject, Times

_PARALLELISM = 8
_LAST_MS = 253_402_300_799_999
"""The end of the year 9999: a later time is no time but damage."""


@dataclass(frozen=True, slots=True)
class Dated:
    """A listing with times to rely on; `from_headers`: those of the listing were not."""

    objects: tuple[StoredObject, ...]
    from_headers: bool


def dated(replica: Replica, objects: Sequence[StoredObject]) -> Dated:
    """Compare a listing's times with headers; replace them where they are no good. Errors of the port."""
    listed = tuple(objects)
    if replica.times is Times.STORE or not listed:
        return Dated(listed, False)
    if not _in_disorder(listed) and all(_agrees(replica, each) for each in _sample(listed)):
        return Dated(listed, False)
    with worker_pool(_PARALLELISM) as pool:
        found = tuple(done_ahead(pool, partial(_from_header, replica), listed, 4 * _PARALLELISM))
    return Dated(found, found != listed)


def _sample(objects: Sequence[StoredObject]) -> Iterator[StoredObject]:
    """The oldest and the newest of each level: copies are made of whole folders."""
    for _, level in groupby(objects, key=attrgetter("name.level")):
        first, *rest = level
        yield first
        yield from rest[-1:]


def _in_disorder(objects: Iterable[StoredObject]) -> bool:
    """Whether an object of a level is dated before the one it follows, as after a copy of some of the files."""
    levels = groupby(objects, key=attrgetter("name.level"))
    return any(older.created_ms > newer.created_ms for _, level in levels for older, newer in pairwise(level))


def _agrees(replica: Replica, stored: StoredObject) -> bool:
    return _from_header(replica, stored) == stored


def _from_header(replica: Replica, stored: StoredObject) -> StoredObject:
    """The object with its header's time, as this place would list it."""
    try:
        ms = decode_header(replica.read_at(stored.name, 0, HEADER_SIZE)).timestamp_ms
    except (DamagedData, ObjectMissing):
        return stored
    if not 0 <= ms <= _LAST_MS:
        return stored
    if replica.times is Times.HEADER_SECONDS and ms // 1000 == stored.created_ms // 1000:
        return stored
    return replace(stored, created_ms=ms)
