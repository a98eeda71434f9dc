"""A warning for each replica whose store cannot refuse a second writer (docs/s3.md, adr/0008).

In: status documents. Out: one log line for each such replica as long as the process lives: it is found out with the
first uploads, and does not change.
"""

from collections.abc import Mapping
from typing import Any

from litestreamd.daemon.log import LOGGER
from litestreamd.daemon.messages import MESSAGE_IDS


class WeakFences:
    """One per process; used by the main thread."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def look(self, document: Mapping[str, Any]) -> None:
        """Tell of those that were not told of."""
        for database in document["databases"]:
            for replica in database["replicas"]:
                if replica["fence"] == "weak" and (database["path"], replica["name"]) not in self._told:
                    self._told.add((database["path"], replica["name"]))
                    self._tell(database["path"], replica["name"])

    def _tell(self, database: str, replica: str) -> None:
        fields = {
            "MESSAGE_ID": MESSAGE_IDS["weak-fence"],
            "LITESTREAMD_EVENT": "WeakFence",
            "LITESTREAMD_DB": database,
            "LITESTREAMD_REPLICA": replica,
        }
        LOGGER.warning(
            "%s: %s: weak fence: the store cannot refuse a second writer; let nobody else write there",
            database, replica, extra={"fields": fields},
        )  # fmt: skip
