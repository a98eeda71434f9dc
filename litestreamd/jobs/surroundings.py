"""What the histories of one database's replicas share."""

from collections.abc import Callable
from dataclasses import dataclass

from litestreamd.basics.clock import Clock
from litestreamd.database.spool import Spool
from litestreamd.jobs.events import Observer
from litestreamd.jobs.retention_stop import RetentionStop


@dataclass(frozen=True, slots=True)
class Surroundings:
    """database: its name in events. stop: set while the live database does not prove itself. news: tells the capture
    that an image is wanted."""

    database: str
    spool: Spool
    clock: Clock
    observe: Observer
    news: Callable[[], None]
    stop: RetentionStop
