"""What a restore tells while it works; see jobs/events. `database` is the path that is being restored."""

from dataclasses import dataclass

from litestreamd.jobs.events import Event
from litestreamd.plan.resolution import Resolution


@dataclass(frozen=True, slots=True)
class RestoreStarted(Event):
    """A plan is being carried out: so many objects and bytes up to this TXID."""

    replica: str
    txid: int
    objects: int
    size: int


@dataclass(frozen=True, slots=True)
class RestoreStartedV3(Event):
    """A plan of Litestream 0.3 objects is being carried out: up to the end of this WAL index."""

    replica: str
    generation: str
    index: int
    objects: int
    size: int


@dataclass(frozen=True, slots=True)
class FormatChosen(Event):
    """A replica holds LTX and Litestream 0.3; `v3`: the state comes from 0.3. `why` names the times that decided."""

    replica: str
    v3: bool
    why: str


@dataclass(frozen=True, slots=True)
class HeaderTimesUsed(Event):
    """The objects of a replica do not carry the times they were made at; those in their headers are used."""

    replica: str


@dataclass(frozen=True, slots=True)
class PointResolved(Event):
    """A time was asked for, and this is the state it gives."""

    replica: str
    resolution: Resolution


@dataclass(frozen=True, slots=True)
class ReplicaPassedOver(Event):
    """A replica could not give the database back; the next one is tried."""

    replica: str
    error: str


@dataclass(frozen=True, slots=True)
class RestorePlannedAgain(Event):
    """An object of the plan vanished meanwhile (retention); a new listing is planned from."""

    replica: str
    error: str


@dataclass(frozen=True, slots=True)
class IntegrityUnknown(Event):
    """SQLite could not judge the restored file; all file checksums were right."""

    why: str
