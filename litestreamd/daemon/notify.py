"""What the service manager is told: sd_notify(3), through the sdnotify library.

In: facts. Out: datagrams to $NOTIFY_SOCKET; nothing at all outside systemd, or where sdnotify is missing.
Promised: STATUS is one line of ASCII (systemd refuses others), and no call ever fails: a message that is lost is no
reason to stop a backup.
"""

import os
import time
from contextlib import suppress

try:
    from sdnotify import SystemdNotifier
except ImportError:
    SystemdNotifier = None

STATUS_LENGTH = 300


class Notifier:
    """One per process. `watchdog_s`: within how many seconds WATCHDOG=1 is expected again; None: not at all."""

    def __init__(self) -> None:
        listened_to = SystemdNotifier is not None and "NOTIFY_SOCKET" in os.environ
        self._notifier = SystemdNotifier() if listened_to else None
        self.watchdog_s = _watchdog_s() if listened_to else None
        self._status = ""

    def ready(self) -> None:
        """Every database is being watched, or known to be absent; also: the reload is done."""
        self._tell("READY=1")

    def status(self, text: str) -> None:
        """One line of truth, told when it changed."""
        line = " ".join(text.encode("ascii", "replace").decode().split())[:STATUS_LENGTH]
        if line != self._status:
            self._status = line
            self._tell(f"STATUS={line}")

    def reloading(self) -> None:
        """The configuration is read again; `ready` ends it. The time is for Type=notify-reload (systemd 253)."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """All who work make progress."""
        self._tell("WATCHDOG=1")

    def extend(self, seconds: float) -> None:
        """What goes on now, a start or a stop, may take so long from now on."""
        self._tell(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def _tell(self, message: str) -> None:
        if self._notifier is not None:
            with suppress(OSError):
                self._notifier.notify(message)


def _watchdog_s() -> float | None:
    """sd_watchdog_enabled(3): $WATCHDOG_USEC, unless it was meant for another process."""
    pid, usec = os.environ.get("WATCHDOG_PID"), os.environ.get("WATCHDOG_USEC", "")
    if not usec.isdigit() or int(usec) == 0 or (pid is not None and pid != str(os.getpid())):
        return None
    return int(usec) / 1e6
