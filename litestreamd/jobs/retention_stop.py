"""Deletions stop on every replica of a database whose live file does not give its recorded checksum.

In: the reason. Out: a note in the state directory, which outlives a restart. Until a full image proves the live
database again, or the operator takes it as it is (`litestreamd accept`), what the replicas hold may be all there is of
the true data.
"""

from pathlib import Path

from litestreamd.database.state import VERSION, read_json, write_json
from litestreamd.jobs.events import Observer, RetentionStopped

NOTE = "retention-stopped.json"


class RetentionStop:
    """One per database."""

    def __init__(self, database: str, path: Path, observe: Observer) -> None:
        self._database = database
        self._path = path
        self._observe = observe
        self._told = False

    @property
    def is_set(self) -> bool:
        """Whether nothing may be deleted. Says so once per process."""
        value = read_json(self._path)
        if value is None:
            self._told = False
            return False
        self._tell(str(value.get("why")))
        return True

    def set(self, why: str) -> None:
        """From now on nothing is deleted."""
        write_json(self._path, {"version": VERSION, "why": why})
        self._tell(why)

    def clear(self) -> None:
        """The live database has proven itself."""
        self._path.unlink(missing_ok=True)

    def _tell(self, why: str) -> None:
        if not self._told:
            self._told = True
            self._observe(RetentionStopped(self._database, f"{why} (litestreamd accept takes it as it is)"))
