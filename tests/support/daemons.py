"""A running daemon with a control socket, and its configuration, which a test may rewrite under it.

In: a folder, a Replicator (whose configuration is replaced). Out: what the daemon says on its socket.
"""

import json
import os
import signal
from pathlib import Path
from typing import Any

from litestreamd.daemon.control_client import NotRunning, ask
from tests.support.replicator import Replicator
from tests.support.waiting import until


class Daemon:
    """One with a control socket, whose configuration is rewritten under it."""

    def __init__(self, folder: Path, replicator: Replicator) -> None:
        self.folder = folder
        self.replicator = replicator
        self.socket = folder / "control.sock"

    def configure(self, *entries: dict[str, Any], **top: Any) -> None:
        document = {"socket": {"path": str(self.socket)}, **top, "dbs": list(entries)}
        self.replicator.config.write_text(json.dumps(document))

    def start(self) -> "Daemon":
        self.replicator.start()
        until(self._answers, "the control socket answers", 30)
        return self

    def _answers(self) -> bool:
        try:
            return bool(self.status())
        except NotRunning:
            return False

    def reload(self, sign: str) -> None:
        """And wait for what it says."""
        count = self.replicator.log.count(sign)
        os.kill(self.replicator.pid, signal.SIGHUP)
        self.replicator.wait(lambda: self.replicator.log.count(sign) > count, sign)

    def status(self) -> dict[str, Any]:
        return ask(self.socket, "GET", "/status")[1]

    def paths(self) -> list[str]:
        return [Path(each["path"]).name for each in self.status()["databases"]]

    def post(self, route: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return ask(self.socket, "POST", route, body, 40)

    def sync(self, database: Path | None = None) -> tuple[int, dict[str, Any]]:
        body = {"db": None if database is None else str(database), "wait": True, "timeout_s": 30}
        return self.post("/sync", body)
