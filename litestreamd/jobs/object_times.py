"""The times of a replica's objects, as far as a listing can be trusted with them.

In: a replica and its listing. Out: the same objects with the times they were made at. Promised: where a listing shows
the time in the object's header (port.Times), a replica that was copied without its times (`cp -r`, `rsync` without
`-t`) is noticed by a few short reads, and then every header is read for its time. Where a listing never shows it (S3),
every header that counts is read. What cannot be read keeps the time of the listing: whether an object is sound is not
this module's business.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, pairwise
from operator import attrgetter

from litestreamd.basics.errors import DamagedData, ObjectMissing
from litestreamd.ltx.header import HEADER_SIZE, decode_header
from litestreamd.replica.ahead import done_ahead, worker_pool
from litestreamd.replica.port import Replica, StoredObject, Times
from litestreamd.replica.root import Root

_PARALLELISM = 16
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
    if replica.times is Times.STORE_UNASKED:
        return Dated(_from_headers(replica, listed), False)
    if not _in_disorder(listed) and all(_agrees(replica, each) for each in _sample(listed)):
        return Dated(listed, False)
    found = _from_headers(replica, listed)
    return Dated(found, found != listed)


def dated_history(replica: Replica, root: Root) -> Root:
    """A root whose objects above level 0 bear the times that retention and merges go by, also where a listing shows
    others: they are few. Level 0 is sorted out within minutes, and a moment later does not matter to it. Errors of the
    port."""
    if replica.times is not Times.STORE_UNASKED:
        return root
    history = tuple(stored for stored in root.objects if stored.name.level)
    known = {stored.name: stored for stored in _from_headers(replica, history)}
    return replace(root, objects=tuple(known.get(stored.name, stored) for stored in root.objects))


def _from_headers(replica: Replica, objects: Sequence[StoredObject]) -> tuple[StoredObject, ...]:
    with worker_pool(_PARALLELISM) as pool:
        return tuple(done_ahead(pool, partial(_from_header, replica), objects, 4 * _PARALLELISM))


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
