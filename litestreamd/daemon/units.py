"""Units of systemd: which one a process belongs to, whether it runs; to stop and start it.

In: names of units, pids. Out: plain answers. Promised: on a machine without systemd nothing is asked and nothing runs;
what systemctl refuses is an EnvironmentFault with its words.
Sources: systemd.unit(5) for names, cgroups(7) for /proc/PID/cgroup.
"""

import subprocess
from pathlib import Path

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.basics.quantities import format_duration

_BOOTED = Path("/run/systemd/system")
"""sd_booted(3)."""

_RUNS = frozenset({"active", "activating", "reloading", "refreshing", "deactivating"})
LONGEST_S = 900.0


class Units:
    """The system's service manager."""

    def __init__(self, process_folder: Path = Path("/proc")) -> None:
        self._processes = process_folder

    @property
    def there(self) -> bool:
        """Whether systemd runs this machine."""
        return _BOOTED.is_dir()

    def exists(self, unit: str) -> bool:
        """Whether systemd has such a unit."""
        return self.there and self.show(unit, "LoadState") == "loaded"

    def runs(self, unit: str) -> bool:
        """Whether it is active, or on its way."""
        return self.there and self.show(unit, "ActiveState") in _RUNS

    def show(self, unit: str, name: str) -> str:
        """A property; empty when there is none."""
        return self._systemctl("show", "--value", "--property", name, "--", unit).stdout.strip()

    def files_of(self, unit: str) -> str:
        """The text of its files and drop-ins, in the order in which they count; empty when there are none."""
        return self._systemctl("cat", "--", unit).stdout if self.there else ""

    def stop(self, unit: str) -> None:
        """Returns when it has stopped. Raises EnvironmentFault."""
        self._carry_out("stop", unit)

    def start(self, unit: str) -> None:
        """Returns when it has started. Raises EnvironmentFault."""
        self._carry_out("start", unit)

    def service_of(self, pid: int) -> str | None:
        """The system service that a process belongs to; None: it belongs to none, or is gone."""
        try:
            lines = (self._processes / str(pid) / "cgroup").read_text().splitlines()
        except OSError:
            return None
        for line in lines:
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "name=systemd"):
                service = service_in(path)
                if service is not None:
                    return service
        return None

    def _carry_out(self, verb: str, unit: str) -> None:
        done = self._systemctl(verb, "--", unit)
        if done.returncode:
            said = done.stderr.strip().splitlines()
            why = said[0] if said else f"systemctl ended with {done.returncode}"
            raise EnvironmentFault(f"systemctl {verb} {unit}: {why} (journalctl -u {unit} tells more)")

    def _systemctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["systemctl", "--no-ask-password", "--no-pager", *words]
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
        except FileNotFoundError:
            raise EnvironmentFault("systemctl is not on this machine") from None
        except subprocess.TimeoutExpired:
            raise EnvironmentFault(
                f"systemctl {' '.join(words)} did not come to an end within {format_duration(LONGEST_S)}"
            ) from None


def service_in(path: str) -> str | None:
    """The service of a control group's path: /system.slice/app.service, also with slices before and groups below.

    What runs in a session or under a user's own manager is no service of the system.
    """
    for part in path.split("/"):
        if part.endswith(".service"):
            return part.removeprefix("_")  # which stands before names that the kernel might take for its own
        if part and not part.endswith(".slice"):
            return None
        if part == "user.slice":
            return None
    return None
