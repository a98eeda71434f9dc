"""A replica in a bucket (`type: s3`), laid out as Litestream 0.5 does.

In: keys as replica/s3/keys.py has them; the creation time is in the metadata `litestream-timestamp`, while a listing
shows when the store got the object. Promised: everything replica/port.py promises, as firmly as the store keeps to
"create only" (replica/s3/habits.py finds out before the first create).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from litestreamd.basics.clock import format_time
from litestreamd.basics.errors import ObjectMissing
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.port import CHUNK, Created, Fence, StoredObject, StoredV3, Times
from litestreamd.replica.retrying import Patience
from litestreamd.replica.s3.bucket import GONE, Bucket, Told
from litestreamd.replica.s3.client import Timeouts
from litestreamd.replica.s3.deletion import Deletions
from litestreamd.replica.s3.habits import habits_of, known_habits
from litestreamd.replica.s3.keys import Layout
from litestreamd.replica.s3.proof import Item
from litestreamd.replica.s3.settings import S3Settings
from litestreamd.replica.s3.upload import Uploads
from litestreamd.v3.names import SnapshotName, V3Name

TIMESTAMP = "litestream-timestamp"
"""The metadata key that Litestream writes and reads: the time in the header, RFC 3339 (FORMATS A.2)."""


class S3Replica:
    """The S3 back end; see replica/port.py for what each method promises."""

    kind = "s3"
    times = Times.STORE_UNASKED
    piece = 3 << 20  # a request costs boto3 some two milliseconds of the processor, whatever it brings

    def __init__(
        self, settings: S3Settings, name: str, patience: Patience | None = None, timeouts: Timeouts | None = None
    ) -> None:
        self.name = name
        self.description = settings.url
        self._bucket = Bucket(settings, name, timeouts)
        self._layout = Layout(settings.path)
        self._uploads = Uploads(self._bucket, patience or Patience())
        self._deletions = Deletions(self._bucket)

    @property
    def fence(self) -> Fence:
        """Strong until the store was found not to be."""
        habits = known_habits(self._bucket)
        return Fence.STRONG if habits is None or (habits.create_only and habits.create_only_large) else Fence.WEAK

    @property
    def requests(self) -> Mapping[str, int]:
        return self._bucket.requests.copy()

    def renew(self) -> None:
        self._bucket.renew()

    def list(self, level: int | None = None) -> Iterator[StoredObject]:
        found = [
            StoredObject(name, each["Size"], _ns(each["LastModified"]) // 1_000_000)
            for each in self._bucket.pages(self._layout.levels(level))
            if (name := self._layout.name(each["Key"])) is not None
        ]
        return iter(sorted(found, key=lambda stored: stored.name))

    def find(self, name: ObjectName) -> StoredObject | None:
        try:
            head = self._bucket.call("head_object", GONE, Key=self._layout.key(name))
        except Told:
            return None
        return StoredObject(name, head["ContentLength"], _ns(head["LastModified"]) // 1_000_000)

    def create(self, name: ObjectName, body: Iterable[bytes], timestamp_ms: int, most: int | None = None) -> Created:
        metadata = {TIMESTAMP: _without_zeros(format_time(timestamp_ms))}
        return self._create(Item(self._layout.key(name), str(name.level), metadata), body, most)

    def open(self, name: ObjectName, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        return self._read(self._layout.key(name), str(name), offset, length)

    def read_at(self, name: ObjectName, offset: int, length: int) -> bytes:
        return b"".join(self._read(self._layout.key(name), str(name), offset, length, at_once=length))

    def delete(self, names: Sequence[ObjectName]) -> None:
        self._deletions.delete([self._layout.key(name) for name in names])

    def list_notes(self, prefix: str = "") -> Sequence[str]:
        found = (self._layout.note(each["Key"]) for each in self._bucket.pages(self._layout.notes(prefix)))
        return sorted(name for name in found if name is not None)

    def has_note(self, name: str) -> bool:
        return self._bucket.has(self._layout.note_key(name))

    def read_note(self, name: str) -> bytes:
        return b"".join(self._read(self._layout.note_key(name), name, 0, None))

    def create_note(self, name: str, data: bytes) -> Created:
        return self._create(Item(self._layout.note_key(name), "note", {}), [data], len(data))

    def delete_note(self, name: str) -> None:
        self._deletions.delete([self._layout.note_key(name)])

    def clear_unfinished(self) -> None:
        self._uploads.clear_unfinished(self._layout.root)

    def has_v3(self) -> bool:
        page: Mapping[str, Any] = self._bucket.call("list_objects_v2", Prefix=self._layout.old, MaxKeys=1)
        return bool(page.get("Contents"))

    def list_v3(self) -> Iterator[StoredV3]:
        found = [
            StoredV3(name, each["Size"], _ns(each["LastModified"]))
            for each in self._bucket.pages(self._layout.old)
            if (name := self._layout.old_name(each["Key"])) is not None
        ]
        return iter(sorted(found, key=_old_place))

    def open_v3(self, name: V3Name) -> Iterator[bytes]:
        return self._read(self._layout.old_key(name), str(name), 0, None)

    def _create(self, item: Item, body: Iterable[bytes], most: int | None) -> Created:
        return self._uploads.create(item, body, most, habits_of(self._bucket, self._layout))

    def _read(self, key: str, shown: str, offset: int, length: int | None, at_once: int = CHUNK) -> Iterator[bytes]:
        try:
            yield from self._bucket.read(key, offset, length, at_once)
        except Told:
            raise ObjectMissing(f"{self.description}: {shown} is gone") from None


def _without_zeros(time: str) -> str:
    """As Litestream writes it: 12.85Z, and no fraction on a whole second."""
    return f"{time.removesuffix('Z').rstrip('0').removesuffix('.')}Z" if "." in time else time


def _ns(moment: datetime) -> int:
    """Nanoseconds since 1970, without the rounding of a float."""
    seconds = moment.replace(microsecond=0).timestamp()
    return int(seconds) * 1_000_000_000 + moment.microsecond * 1000


def _old_place(stored: StoredV3) -> tuple[str, int, int, int]:
    """By generation its snapshots, then its segments, ascending."""
    name = stored.name
    if isinstance(name, SnapshotName):
        return name.generation, 0, name.index, 0
    return name.generation, 1, name.index, name.offset
