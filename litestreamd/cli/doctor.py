"""`doctor`: whether everything around an instance is as it has to be, a line for each thing, with the way out.

In: an instance, or a database of a configuration. Out: findings, as text or JSON. Exit code 0 unless something is
wrong; then that of the first error.
"""

import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from litestreamd.basics.errors import ConfigError, ExitCode, LitestreamdError
from litestreamd.cli.command import Command
from litestreamd.cli.doctor_database import examine_database
from litestreamd.cli.doctor_finding import Finding, Verdict, error, looked_at, ok, warning
from litestreamd.cli.doctor_machine import examine_clock, examine_daemon, examine_units
from litestreamd.cli.doctor_replica import examine_replica
from litestreamd.cli.doctor_user import service_user
from litestreamd.cli.options import JSON, Arguments
from litestreamd.cli.selection import SELECTION, configuration, select
from litestreamd.cli.table import print_json
from litestreamd.config.model import Config
from litestreamd.daemon.units import Units
from litestreamd.database.state_paths import instance_of, state_directory

_SECRETS = (b"secret-access-key:", b"access-key-id:", b"AGE-SECRET-KEY")


def run(arguments: Arguments, units: Units | None = None) -> ExitCode:
    """Look at everything, and tell."""
    findings = []
    for finding in _findings(arguments.words[0], arguments, units or Units()):
        findings.append(finding)
        if not arguments.switch("json"):
            print(_line(finding))
            sys.stdout.flush()
    if arguments.switch("json"):
        print_json([_entry(finding) for finding in findings])
    wrong = [finding for finding in findings if finding.verdict is Verdict.ERROR]
    return wrong[0].code if wrong else ExitCode.OK


def _findings(word: str, arguments: Arguments, units: Units) -> Iterator[Finding]:
    try:
        targets = select(word, arguments)
        config = configuration(arguments, None if "/" in word else word)
    except (ConfigError, LitestreamdError) as fault:
        for line in str(fault).splitlines():
            yield error("configuration", line, code=fault.exit_code)
        return
    instance = instance_of(config.source)
    daemon = None if instance is None else f"litestreamd@{instance}.service"
    yield from looked_at("configuration", lambda: _configuration(config))
    user = service_user(daemon, units)
    databases = [target.database for target in targets if target.database is not None]
    for settings in databases:
        state = state_directory(settings.path, settings.meta_path, config.source)
        for finding in examine_database(settings, state, user):
            yield _about(finding, settings.path, several=len(databases) > 1)
        for spec in settings.replicas:
            for finding in examine_replica(spec, settings.path, user):
                yield _about(finding, settings.path, several=len(databases) > 1)
    yield from looked_at("clock", examine_clock)
    yield from looked_at(
        "units", lambda: examine_units(instance, [settings.path for settings in databases], user, units)
    )
    yield from looked_at("daemon", lambda: examine_daemon(config.socket.path))


def _about(finding: Finding, path: Path, several: bool) -> Finding:
    """Of several databases each is named."""
    if not several or str(path) in finding.sentence:
        return finding
    return Finding(finding.subject, finding.verdict, f"{path}: {finding.sentence}", finding.fix, finding.code)


def _configuration(config: Config) -> Iterator[Finding]:
    path = config.source
    assert path is not None
    yield ok("configuration", f"{path} can be read")
    for sentence in config.warnings:
        yield warning("configuration", sentence)
    if stat.S_IMODE(path.stat().st_mode) & stat.S_IROTH and any(each in path.read_bytes() for each in _SECRETS):
        yield error(
            "configuration", f"{path} holds access keys, and everybody may read it",
            f"chmod o-r {path}", ExitCode.RIGHTS,
        )  # fmt: skip
    for each, what in _used(config):
        if not each.exists():
            yield error("configuration", f"the {what} {each} does not exist", code=ExitCode.CONFIG)


def _used(config: Config) -> Iterator[tuple[Path, str]]:
    """Files that the configuration names."""
    for settings in config.databases:
        for spec in settings.replicas:
            bundle = getattr(spec.store, "ca_bundle", None)
            if bundle:
                yield Path(bundle), "ca-bundle"


def _line(finding: Finding) -> str:
    """`warning  clock             not synchronised: timedatectl set-ntp true`."""
    fix = f" -> {finding.fix}" if finding.fix else ""
    return f"{finding.verdict.value:<7}  {finding.subject:<17}  {finding.sentence}{fix}"


def _entry(finding: Finding) -> Mapping[str, object]:
    return {
        "check": finding.subject,
        "verdict": finding.verdict.value,
        "text": finding.sentence,
        "fix": finding.fix,
        "code": finding.code.value if finding.verdict is Verdict.ERROR else None,
    }


COMMAND = Command(
    name="doctor",
    summary="look whether everything around an instance is as it has to be",
    synopses=("[options] INSTANCE|DATABASE",),
    options=(JSON, *SELECTION),
    run=run,
    words_min=1,
    words_max=1,
    examples=("app", "-json app"),
)
