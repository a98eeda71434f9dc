"""What a drill tells when it ends; see jobs/events."""

from dataclasses import dataclass

from litestreamd.jobs.events import Event


@dataclass(frozen=True, slots=True)
class DrillPassed(Event):
    """The newest state of a replica was restored and is sound. live: "equal", or "not compared" and why. txid: None for
    a backup that has none. size in bytes, seconds from beginning to end."""

    replica: str
    txid: int | None
    size: int
    live: str
    why: str
    seconds: float


@dataclass(frozen=True, slots=True)
class DrillFailed(Event):
    """It was not to be had, is damaged, or is not the live database. error_class: as the errors of the tree."""

    replica: str
    txid: int | None
    error: str
    error_class: str
    seconds: float
