"""`failure`: report that a unit has failed. litestreamd-failure@.service runs it.

In: the name of a unit. Out: an entry in the journal, and the operator's hooks run with the report on their stdin.
"""

import os
import subprocess
import sys
import time

from litestreamd.basics.errors import ExitCode, UsageError
from litestreamd.cli.command import Command
from litestreamd.cli.options import Arguments, Option
from litestreamd.config.places import absolute
from litestreamd.daemon.failure_hooks import FOLDER, run_hooks
from litestreamd.daemon.failure_journal import last_lines, write_entry
from litestreamd.daemon.failure_report import PROPERTIES, failure_of
from litestreamd.daemon.failure_stamp import claim_report, stamp_folder

_LINES = 20
_ASK_S = 10.0


def run(arguments: Arguments) -> ExitCode:
    """Report, at most once in ten minutes for one unit."""
    unit = arguments.words[0]
    if "/" in unit or unit.startswith("."):
        raise UsageError(f"{unit} is no unit")
    if not claim_report(stamp_folder(os.environ), unit, time.time()):
        print(f"{unit} failed again; it was reported less than ten minutes ago")
        return ExitCode.OK
    failure = failure_of(unit, _shown(unit), os.environ, last_lines(unit, _LINES))
    write_entry(failure.text(), failure.fields())
    given = arguments.text("hooks")
    faults = run_hooks(absolute(given, os.environ) if given else FOLDER, failure.text(), failure.environment())
    for fault in faults:
        sys.stderr.write(f"litestreamd: error: {fault}\n")
    return ExitCode.FAILED if faults else ExitCode.OK


def _shown(unit: str) -> str:
    """What systemd knows; nothing where there is no systemd to ask."""
    command = ["systemctl", "show", f"--property={','.join(PROPERTIES)}", "--", unit]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_ASK_S).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


COMMAND = Command(
    name="failure",
    summary="report that a unit has failed, and run the hooks for that (used by systemd)",
    synopses=("[options] UNIT",),
    options=(Option("hooks", f"the folder with the hooks (default: {FOLDER})", "PATH"),),
    run=run,
    words_min=1,
    words_max=1,
    examples=("litestreamd@app.service",),
)
