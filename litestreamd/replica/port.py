"""The storage port: what a place that keeps a replica must do, and promise.

In: object names, bytes, times in milliseconds. Out: listings, bytes, CREATED or EXISTS.
Promised by every back end, and held by one contract suite (tests/contract):

* an object is created once and never overwritten, whoever races;
* an object is listed only when all of its bytes are durable; a crash leaves it whole or absent;
* a listing is complete, or it is an error: a missing, unreachable or forbidden place is never "empty";
* foreign names in the same place are ignored and left alone;
* every failure is a StoreError or RightsError of basics.errors, its text free of secrets.

Constructors do no I/O. All methods may be called from several threads at once.
Layout and times: LTX as Litestream 0.5 stores it; levels 0 to 8, and 9 for snapshots. What Litestream 0.3 left in
the same place is listed and read, never written and never deleted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from litestreamd.ltx.names import ObjectName
from litestreamd.plan.rules import Rules
from litestreamd.v3.names import V3Name

CHUNK = 1 << 17
"""Bodies are read in pieces of at most this many bytes: a merge has 128 of them at once, and more in use."""


class Created(Enum):
    """What became of a create."""

    CREATED = "created"
    EXISTS = "exists"


class Fence(Enum):
    """How firmly "create only" holds against another machine."""

    STRONG = "strong"
    """The store itself refuses the second of two creates."""
    WEAK = "weak"
    """The store cannot; we reserve the name and look first. Writer epochs carry the weight."""


class Times(Enum):
    """What the creation times of a listing are worth (jobs/object_times compares them with the objects' headers)."""

    HEADER = "header"
    """The time in the object's header, to the millisecond, unless a copy of the replica lost it ("file": the mtime)."""
    HEADER_SECONDS = "header-seconds"
    """The same, rounded down to the second (SFTP)."""
    STORE = "store"
    """When the store got it, by its own clock (WebDAV): there is nothing else that could count."""
    STORE_UNASKED = "store-unasked"
    """When the store got it, for that is what a listing gives; the time that counts lies with the object (S3: in its
    metadata, as in its header), one request each."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One LTX object as a listing shows it.

    size: bytes. created_ms: the store's creation time, whole milliseconds since 1970 (restore by time
    compares it with a strict "<"). mode: the permission bits the database file had when the object was
    written, None where the store keeps no such thing.
    """

    name: ObjectName
    size: int
    created_ms: int
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class StoredV3:
    """One object of Litestream 0.3 as a listing shows it.

    size: bytes, as stored. created_ns: the store's time, as finely as it keeps it, in ns since 1970 (restore by time
    takes in what is exactly of that time). mode: as for a StoredObject.
    """

    name: V3Name
    size: int
    created_ns: int
    mode: int | None = None


class StoreSettings(Protocol):
    """What a back end has to know to find its place; each has a frozen type of its own."""

    @property
    def kind(self) -> str:
        """The type in the configuration: "file", "s3"."""

    @property
    def url(self) -> str:
        """The place as a URL without secrets; two replicas at the same place have the same."""

    def below(self, relative: str) -> "StoreSettings":
        """The place `relative` (with slashes) below this one, all else the same."""

    @property
    def service(self) -> str:
        """Who answers there: replicas of one service hang, and come back, together."""


@dataclass(frozen=True, slots=True)
class ReplicaSpec:
    """One replica as configured: everything needed to build it, nothing opened yet.

    name: unique within a database. store: where it is. sync_interval_s: at most one level-0 object per this many
    seconds while the database is busy. rules: how long and how finely its history is kept. identities: of age, to read
    what Litestream 0.3 encrypted there; secrets.
    """

    name: str
    store: StoreSettings
    sync_interval_s: float = 1.0
    rules: Rules = field(default_factory=Rules)
    identities: tuple[str, ...] = field(default=(), repr=False)


class Replica(Protocol):
    """A place that holds the LTX objects of one database, and a few notes."""

    @property
    def name(self) -> str:
        """The name in the configuration, for logs and metrics."""

    @property
    def description(self) -> str:
        """The place as a URL without secrets."""

    @property
    def kind(self) -> str:
        """The type in the configuration: "file", ..."""

    @property
    def fence(self) -> Fence:
        """What "create only" rests on here, as far as seen until now."""

    @property
    def piece(self) -> int:
        """Bytes that are worth a request of their own: who wants much of an object asks for so much at once."""

    @property
    def times(self) -> Times:
        """What `created_ms` means in listings of this place."""

    @property
    def requests(self) -> Mapping[str, int]:
        """How often the store was asked, by its own names for operations, since this was made; nothing where there is
        no store that counts."""

    def renew(self) -> None:
        """Forget credentials: the next request asks their source for them."""

    def list(self, level: int | None = None) -> Iterator[StoredObject]:
        """All objects (of one level, or of levels 0 to 9), ascending by level, min and max TXID.

        Complete, or StoreMissing when the place is not there, RightsError, StoreError. A place whose
        parent exists and which holds nothing yet is a successful, empty listing.
        """

    def find(self, name: ObjectName) -> StoredObject | None:
        """One object as a listing would show it, without a listing; None when there is none. Errors as `list`."""

    def create(self, name: ObjectName, body: Iterable[bytes], timestamp_ms: int, most: int | None = None) -> Created:
        """Store `body` under `name` with this creation time, unless the name is taken.

        Durable and complete when it returns, whether CREATED by us or EXISTS already. Errors of the
        `body` iterable pass through and leave nothing behind. `most`: no more bytes than this will come, if known;
        some stores have to divide a large body, and into how many parts must be settled with the first.
        """

    def open(self, name: ObjectName, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes from `offset` on (`length` of them), in chunks of at most CHUNK bytes.

        Ends early only at the end of the object. ObjectMissing (with the first chunk) when it is gone.
        """

    def read_at(self, name: ObjectName, offset: int, length: int) -> bytes:
        """One range in one piece; shorter only where the object ends. ObjectMissing when it is gone."""

    def delete(self, names: Sequence[ObjectName]) -> None:
        """Remove these objects; one that is gone already is no error. Durable when it returns."""

    def list_notes(self, prefix: str = "") -> Sequence[str]:
        """Names of the notes that begin with `prefix`, ascending. Complete, as `list`."""

    def has_note(self, name: str) -> bool:
        """Whether there is a note of this name; cheaper than a listing. Errors as `list`."""

    def read_note(self, name: str) -> bytes:
        """The bytes of a note. ObjectMissing when there is none."""

    def create_note(self, name: str, data: bytes) -> Created:
        """Store a small note that Litestream does not see; same promises as `create`."""

    def delete_note(self, name: str) -> None:
        """Remove a note; one that is gone already is no error. For what was made to try the place only: writer epochs
        are for ever."""

    def clear_unfinished(self) -> None:
        """Remove what creates that were broken off have left where no listing shows it. To be asked by the one who
        alone may write here, before its first create."""

    def has_v3(self) -> bool:
        """Does the place hold objects of Litestream 0.3 (anything in a generation)? Errors as `list`."""

    def list_v3(self) -> Iterator[StoredV3]:
        """All objects of Litestream 0.3: by generation snapshots, then segments, ascending. Complete, as `list`."""

    def open_v3(self, name: V3Name) -> Iterator[bytes]:
        """The bytes of one of them as stored, in chunks of at most CHUNK bytes. ObjectMissing when it is gone."""
