"""The instances of a machine, found by what they listen on and what they leave behind.

In: the folders of their sockets and of their health. Out: one status document each, of those that do not run too.
Promised: it starts nothing, and one instance cannot spoil the others: what it says or leaves may be anything at all,
since the user of an application writes it where an instance runs as that user.
"""

import json
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from litestreamd.basics.errors import LitestreamdError
from litestreamd.daemon.control_client import ask
from litestreamd.daemon.metrics import render
from litestreamd.database.state_paths import RUNTIME_DIRECTORY, STATE_DIRECTORY

ASK_S = 2.0
"""How long a daemon may take to answer; Prometheus gives up after 10 s by default."""

ASKED_AT_ONCE = 128
"""So that hundreds that hang are still told of before Prometheus gives up."""

LARGEST_DOCUMENT = 8 << 20
"""Of 10,000 databases. A larger one could take longer to make sense of than Prometheus waits, and a gigabyte."""

_NONSENSE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_NO_FIFO_NO_LINK = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC


class Instances:
    """Those of a machine. `run` and `state`: where they listen, and where they leave their health."""

    def __init__(self, run: Path = RUNTIME_DIRECTORY, state: Path = STATE_DIRECTORY) -> None:
        self._run = run
        self._state = state

    def documents(self) -> list[dict[str, Any]]:
        """The status of each, by name; of a dead one its last, with `dead` and its age. `render` takes all of them."""
        names = sorted(_names(self._run, "control.sock") | _names(self._state, "health.json"))
        if not names:
            return []
        with ThreadPoolExecutor(min(ASKED_AT_ONCE, len(names))) as pool:
            return list(pool.map(self._document, names))

    def _document(self, name: str) -> dict[str, Any]:
        with suppress(LitestreamdError, RecursionError):
            status, document = ask(self._run / name / "control.sock", "GET", "/status", None, ASK_S, LARGEST_DOCUMENT)
            if status == 200:
                return _sensible(document, {"instance": name, "age_s": 0.0, "dead": False})
        document, age = _left(self._state / name / "health.json")
        return _sensible(document, {"instance": name, "dead": True} | ({} if age is None else {"age_s": age}))


def _sensible(document: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """What an instance says, with what we know better; that alone, when there is no making metrics of the rest."""
    try:
        render([document | known], "")
    except _NONSENSE:
        return known
    return document | known


def _left(path: Path) -> tuple[dict[str, Any], float | None]:
    """The last document of an instance that does not answer, and its age; nothing and None, as far as it has none."""
    age = None
    try:
        with os.fdopen(os.open(path, _NO_FIFO_NO_LINK), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return {}, None
            age = max(0.0, time.time() - found.st_mtime)
            document = json.loads(file.read(LARGEST_DOCUMENT))
    except (OSError, ValueError, RecursionError):
        return {}, age
    return (document if isinstance(document, dict) else {}), age


def _names(folder: Path, file: str) -> set[str]:
    try:
        return {entry.name for entry in os.scandir(folder) if os.path.lexists(Path(entry.path, file))}
    except OSError:
        return set()
