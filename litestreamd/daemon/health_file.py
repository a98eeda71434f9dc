"""The last status document on disk, so that a dead instance can still be told about.

In: documents. Out: `health.json`, replaced whole (0640, group litestreamd), in the state root or where it is told to.
It holds no secret. It is no state: it is never fsynced, and a copy that is lost costs nothing.
"""

import grp
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from litestreamd.daemon.group_access import let_group_in

GROUP = "litestreamd"
"""Who may look at health and control socket beside the service's user: the exporter, and operators."""


def group_id() -> int | None:
    """Its number, None where there is no such group."""
    try:
        return grp.getgrnam(GROUP).gr_gid
    except KeyError:
        return None


class HealthFile:
    """`path` None: nobody wants it. `group`: whose it is to read."""

    def __init__(self, path: Path | None, group: int | None) -> None:
        self._path = path
        self._group = group

    def write(self, document: dict[str, Any]) -> None:
        """Replace it. What fails here must not stop a backup: the file becomes old, and that is seen."""
        if self._path is None:
            return
        with suppress(OSError):
            self._replace(self._path, json.dumps(document).encode())

    def _replace(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        new = path.with_suffix(".tmp")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        with os.fdopen(descriptor, "wb") as file:
            if self._group is None or not let_group_in(descriptor, self._group, 0o640):
                os.fchmod(descriptor, 0o640)
            file.write(data)
        new.rename(path)
