"""`accepted.json`: an operator takes a live database as it is for the truth, although it does not prove itself.

In and out: a note in the state directory of a database. Promised: it counts once, for the next comparison.
"""

from pathlib import Path

from litestreamd.database.disk import state_disk
from litestreamd.database.state import VERSION, write_json

_NAME = "accepted.json"


def accept(state: Path) -> None:
    """Leave the note in an existing state directory. Raises EnvironmentFault."""
    write_json(state / _NAME, {"version": VERSION})


def is_accepted(state: Path) -> bool:
    """Whether there is a note."""
    return (state / _NAME).exists()


def use_acceptance(state: Path) -> None:
    """It has counted. Raises EnvironmentFault."""
    with state_disk(state / _NAME, "removed"):
        (state / _NAME).unlink(missing_ok=True)
