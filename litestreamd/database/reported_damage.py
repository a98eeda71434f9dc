"""What a verification found wrong with a replica, left for the daemon that can heal it.

In and out: names of objects, in the state directory of a database. Promised: written whole or not at all, for the owner
of that directory, whoever verified; it stays until the daemon has looked at each of them.
"""

from collections.abc import Sequence
from pathlib import Path

from litestreamd.basics.errors import DamagedData
from litestreamd.database.disk import state_disk
from litestreamd.database.state import VERSION, read_json, write_json
from litestreamd.ltx.names import ObjectName, parse_name


class ReportedDamage:
    """Of one replica; `folder` is the state's `replicas`."""

    def __init__(self, folder: Path, replica: str) -> None:
        self._path = folder / f"{replica}.damaged.json"

    def save(self, names: Sequence[ObjectName]) -> None:
        """Leave a report, added to what was not looked at yet. Raises EnvironmentFault."""
        all_ = dict.fromkeys([*self.load(), *names])
        write_json(self._path, {"version": VERSION, "objects": [str(name) for name in all_]})

    def load(self) -> tuple[ObjectName, ...]:
        """What was reported; nothing when there is no report. Raises EnvironmentFault."""
        try:
            value = read_json(self._path)
            named = [parse_name(str(text)) for text in value["objects"]] if value is not None else []
        except (DamagedData, KeyError, TypeError):
            return ()  # the next verification finds it again
        return tuple(name for name in named if name is not None)

    def remove(self) -> None:
        """All of it was looked at. Raises EnvironmentFault."""
        with state_disk(self._path, "removed"):
            self._path.unlink(missing_ok=True)
