"""A unit that failed: what is known about it, as a report.

In: the unit's name, what systemd says of it (`systemctl show`; $MONITOR_* for the handler of OnFailure=), the last
lines of its journal. Out: one text for people, the fields for the journal, the environment for hooks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from litestreamd.daemon.messages import MESSAGE_IDS

_INSTANCE = re.compile(r"litestreamd[a-z-]*@(.+)\.[a-z]+")
PROPERTIES = ("Result", "ExecMainStatus", "NRestarts", "StatusText")
_MEANINGS = {
    "watchdog": "it made no progress for as long as WatchdogSec= says, and was killed",
    "timeout": "it took longer than it may",
    "signal": "it was killed by a signal",
    "core-dump": "it ended in a crash",
    "oom-kill": "the machine had no memory left for it",
    "exit-code": "it ended with an error",
    "start-limit-hit": "it was started too often",
    "resources": "systemd could not prepare it",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """`result` as systemd names it; `exit_status`: the number, or the signal's; lines: newest last."""

    unit: str
    result: str
    exit_status: str
    restarts: str = "0"
    status_text: str = ""
    lines: Sequence[str] = ()

    @property
    def instance(self) -> str:
        """Of the unit; "" when it has none."""
        found = _INSTANCE.fullmatch(self.unit)
        return found[1] if found else ""

    @property
    def headline(self) -> str:
        """One sentence."""
        meaning = _MEANINGS.get(self.result, "it did not end well")
        return f"{self.unit} failed: {meaning} (result {self.result}, exit status {self.exit_status})"

    def text(self) -> str:
        """The report."""
        parts = [self.headline]
        if self.restarts not in ("", "0"):
            parts.append(f"It has been started again {self.restarts} times.")
        if self.status_text:
            parts.append(f"Its last word on its state: {self.status_text}")
        if self.lines:
            parts += ["The last lines of its journal:", *(f"  {line}" for line in self.lines)]
        return "\n".join([*parts, f"More: journalctl -xu {self.unit}"]) + "\n"

    def fields(self) -> dict[str, str]:
        """For the journal."""
        return {
            "MESSAGE_ID": MESSAGE_IDS["unit-failed"],
            "LITESTREAMD_EVENT": "UnitFailed",
            **self.environment(),
        }

    def environment(self) -> dict[str, str]:
        """For hooks."""
        return {
            "LITESTREAMD_UNIT": self.unit,
            "LITESTREAMD_INSTANCE": self.instance,
            "LITESTREAMD_RESULT": self.result,
            "LITESTREAMD_EXIT_STATUS": self.exit_status,
        }


def failure_of(unit: str, shown: str, environment: Mapping[str, str], lines: Sequence[str]) -> Failure:
    """`shown`: the output of systemctl show. What OnFailure= handed over counts for more: the unit may run again."""
    properties = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    handed = environment if environment.get("MONITOR_UNIT") == unit else {}
    return Failure(
        unit=unit,
        result=handed.get("MONITOR_SERVICE_RESULT") or properties.get("Result") or "unknown",
        exit_status=handed.get("MONITOR_EXIT_STATUS") or properties.get("ExecMainStatus") or "unknown",
        restarts=properties.get("NRestarts", "0"),
        status_text=properties.get("StatusText", ""),
        lines=lines,
    )
