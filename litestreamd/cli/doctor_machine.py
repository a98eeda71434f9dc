"""The doctor on the machine: the clock, the units and how they hang together, the daemon that runs.

In: the instance, its databases, the service manager. Out: findings. Without systemd there is one line.
"""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from litestreamd.basics.errors import ExitCode
from litestreamd.cli.doctor_finding import Finding, error, ok, warning
from litestreamd.cli.doctor_user import User, owner_of
from litestreamd.daemon.control_client import NotRunning, ask
from litestreamd.daemon.units import Units

_SYNCHRONISED = Path("/run/systemd/timesync/synchronized")


def examine_clock() -> Iterator[Finding]:
    """Signatures of S3 bear 15 minutes; a restore to a moment goes by this clock."""
    told = ""
    if shutil.which("timedatectl"):
        words = ["timedatectl", "show", "--value", "--property", "NTPSynchronized"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        told = done.stdout.strip()
    if told == "yes" or _SYNCHRONISED.exists():
        yield ok("clock", "synchronised")
    elif told == "no":
        yield warning("clock", "not synchronised: restore points bear its times", "timedatectl set-ntp true")
    else:
        yield ok("clock", "whether it is synchronised cannot be told here")


def examine_units(instance: str | None, databases: Sequence[Path], user: User, units: Units) -> Iterator[Finding]:
    """Of an instance."""
    if not units.there:
        yield ok("units", "no systemd here")
        return
    if instance is None:
        yield ok("units", "this configuration is no instance (/etc/litestreamd/NAME.yml) of litestreamd@.service")
        return
    daemon, application = f"litestreamd@{instance}.service", f"{instance}.service"
    if not units.exists(daemon):
        yield error("units", f"there is no {daemon}", "make install DESTDIR= && systemctl daemon-reload")
        return
    yield from _enabled(daemon, instance, units)
    yield from _application(application, instance, databases, units)
    yield from _owner(instance, databases, user)
    yield from _states(instance, units)


def _enabled(daemon: str, instance: str, units: Units) -> Iterator[Finding]:
    if units.show(daemon, "UnitFileState").startswith("enabled"):
        yield ok("units", f"{daemon} is enabled")
    else:
        yield warning("units", f"{daemon} is not enabled: it is gone after a boot", f"systemctl enable {daemon}")
    if not units.runs(daemon):
        yield error("units", f"{daemon} does not run", f"systemctl start litestreamd@{instance}", ExitCode.FAILING)


def _application(application: str, instance: str, databases: Sequence[Path], units: Units) -> Iterator[Finding]:
    if not units.exists(application):
        yield warning(
            "application", f"there is no {application}: nothing is ordered around the application",
            "name the instance like the service it protects",
        )  # fmt: skip
        return
    needed = (("Requires", f"litestreamd-restore@{instance}.service"), ("Wants", f"litestreamd@{instance}.service"))
    missing = [unit for kind, unit in needed if unit not in units.show(application, kind).split()]
    if missing:
        yield warning(
            "application", f"{application} starts without {' and '.join(missing)}",
            f"systemctl enable litestreamd@{instance} (reenable, if it is)",
        )  # fmt: skip
    else:
        yield ok("application", f"{application} waits for the restore, and brings the daemon along")
    runs_as = units.show(application, "User") or "root"
    for path in databases:
        if path.exists() and owner_of(path) != runs_as:
            yield warning(
                "application", f"{application} runs as {runs_as}, {path} belongs to {owner_of(path)}",
                f"chown {runs_as} {path}",
            )  # fmt: skip


def _owner(instance: str, databases: Sequence[Path], user: User) -> Iterator[Finding]:
    owners = {owner_of(path) for path in databases if path.exists()}
    if user.uid == 0 and owners and owners != {"root"}:
        yield warning(
            "user", f"the service runs as root, the databases belong to {', '.join(sorted(owners))}",
            f"litestreamd init {instance}",
        )  # fmt: skip
    else:
        yield ok("user", f"the service runs as {user.name}")


def _states(instance: str, units: Units) -> Iterator[Finding]:
    names = [f"litestreamd{part}@{instance}.service" for part in ("", "-restore", "-verify", "-verify-all")]
    failed = [name for name in names if units.show(name, "ActiveState") == "failed"]
    for name in failed:
        yield error("units", f"{name} has failed", f"journalctl -xu {name}", ExitCode.FAILING)
    timer = f"litestreamd-verify@{instance}.timer"
    if units.runs(f"litestreamd@{instance}.service") and not units.runs(timer):
        yield warning("drill", f"{timer} is not active: nothing proves the backup", f"systemctl start {timer}")


def examine_daemon(socket: Path | None) -> Iterator[Finding]:
    """What it says of itself."""
    if socket is None:
        yield warning(
            "daemon", "it has no control socket: status, sync and rollback need one", "socket: {enabled: true}"
        )
        return
    try:
        _, document = ask(socket, "GET", "/status", timeout_s=10)
    except NotRunning:
        yield warning("daemon", f"none listens on {socket}", "start it")
        return
    faults = [each["error"]["text"] for each in _parts(document) if each.get("error")]
    for text in dict.fromkeys(faults):
        yield error("daemon", text, code=ExitCode.FAILING)
    if document.get("reload_error"):
        yield error("daemon", f"the configuration was not reloaded: {document['reload_error']}", code=ExitCode.CONFIG)
    if not faults:
        yield ok("daemon", f"process {document['pid']} says {document['health']}")


def _parts(document: dict[str, object]) -> Iterator[dict[str, dict[str, str]]]:
    databases = document["databases"]
    assert isinstance(databases, list)
    for database in databases:
        yield database
        yield from database["replicas"]
