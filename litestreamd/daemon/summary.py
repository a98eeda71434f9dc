"""A line a minute of what was shipped: a busy database is seen to work, a quiet one says nothing.

In: events. Out: log lines, one for each database and replica that got commits since the last.
"""

import threading
from dataclasses import dataclass

from litestreamd.basics.quantities import format_duration, format_size
from litestreamd.basics.txid import format_txid
from litestreamd.daemon.log import LOGGER
from litestreamd.daemon.messages import MESSAGE_IDS
from litestreamd.jobs import events

INTERVAL_S = 60.0


@dataclass(slots=True)
class _Shipped:
    files: int = 0
    size: int = 0
    slowest_s: float = 0.0
    txid: int = 0


class Summary:
    """One per process."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._shipped: dict[tuple[str, str], _Shipped] = {}

    def __call__(self, event: events.Event) -> None:
        """Add it up."""
        if isinstance(event, events.Pushed) and event.level == 0:
            with self._turn:
                one = self._shipped.setdefault((event.database, event.replica), _Shipped())
                one.files += 1
                one.size += event.size
                one.slowest_s = max(one.slowest_s, event.seconds)
                one.txid = event.max_txid

    def tell(self) -> None:
        """Say what there was, and begin anew."""
        with self._turn:
            shipped, self._shipped = self._shipped, {}
        for (database, replica), one in sorted(shipped.items()):
            fields = {
                "MESSAGE_ID": MESSAGE_IDS["summary"],
                "LITESTREAMD_EVENT": "Summary",
                "LITESTREAMD_DB": database,
                "LITESTREAMD_REPLICA": replica,
                "LITESTREAMD_TXID": format_txid(one.txid),
                "LITESTREAMD_FILES": str(one.files),
                "LITESTREAMD_BYTES": str(one.size),
                "LITESTREAMD_DURATION_MS": f"{one.slowest_s * 1000:.0f}",
            }
            LOGGER.info(
                "%s: %s has TXID %s, %d files (%s) since the last such line, the slowest in %s",
                database, replica, format_txid(one.txid), one.files, format_size(one.size),
                format_duration(one.slowest_s), extra={"fields": fields},
            )  # fmt: skip
