"""What the daemon listens on: `socket:` and `addr:`.

In: the top of the file. Out: values; an instance has a control socket unless it says that it wants none.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from litestreamd.basics.errors import UsageError
from litestreamd.config.model import SocketSettings
from litestreamd.config.places import absolute
from litestreamd.config.section import Section
from litestreamd.database.state_paths import control_path

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]*)):([0-9]{1,5})")
_LONGEST_PATH = 107
"""Bytes of a Unix socket's path (unix(7), sun_path)."""


def socket_settings(top: Section, source: Path, environment: Mapping[str, str]) -> SocketSettings:
    """Where it is when nothing is said: /run/litestreamd/INSTANCE/control.sock; elsewhere there is none."""
    section = top.section("socket")
    own = control_path(source)
    given = _path(section, environment)
    if not section.flag("enabled", own is not None or given is not None):
        return SocketSettings()
    path = given or own
    if path is None:
        section.fault("enabled", "socket.path is missing: only a configuration in /etc/litestreamd has a place for it")
    elif len(str(path).encode()) > _LONGEST_PATH:
        section.fault("path", f"the path of a socket has at most {_LONGEST_PATH} bytes")
    mode = section.mode("permissions", None)
    return SocketSettings(path) if mode is None else SocketSettings(path, mode)


def address(top: Section) -> tuple[str, int] | None:
    """Host and port for metrics; an empty host, as in `:9090`, is every interface."""
    return top.value("addr", _address)


def _address(text: str) -> tuple[str, int]:
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match[3]) < 65536:
        raise UsageError("is not an address: write host:port, such as 127.0.0.1:9090 or [::1]:9090")
    return match[1] or match[2] or "", int(match[3])


def _path(section: Section, environment: Mapping[str, str]) -> Path | None:
    text = section.text("path")
    try:
        return None if text is None else absolute(text, environment)
    except UsageError as error:
        section.fault("path", str(error))
        return None
