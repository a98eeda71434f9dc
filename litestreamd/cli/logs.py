"""`logs`: what the journal has of an instance, or of all: what was synced, where to, how long it took."""

import json
import sys
import time

from litestreamd.basics.clock import format_time, parse_moment_ns
from litestreamd.basics.errors import ExitCode
from litestreamd.cli.command import Command
from litestreamd.cli.options import Arguments, Option
from litestreamd.cli.restore_report import say
from litestreamd.daemon.journal_reader import Entry, of_instance, read_journal

_PRIORITIES = {"0": "EMERG", "1": "ALERT", "2": "CRIT", "3": "ERROR", "4": "WARNING", "5": "NOTICE", "7": "DEBUG"}
_OURS = "LITESTREAMD_"


def run(arguments: Arguments) -> ExitCode:
    """Print the entries, oldest first."""
    instance = arguments.words[0] if arguments.words else None
    since_ns = arguments.read("since", lambda text: parse_moment_ns(text, time.time_ns())) or 0
    found = False
    for entry in read_journal(of_instance(instance), since_ns // 1000):
        found = True
        sys.stdout.write((_json(entry) if arguments.switch("json") else _text(entry)) + "\n")
    if not found:
        what = f"of {instance or 'litestreamd'}{' since then' if since_ns else ''}"
        say(f"there is nothing {what} that you may read in the journal (root may, and the group systemd-journal)")
    return ExitCode.OK


def _text(entry: Entry) -> str:
    fields = entry.fields
    who = fields.get("LITESTREAMD_INSTANCE") or fields.get("UNIT", "litestreamd")
    level = _PRIORITIES.get(fields.get("PRIORITY", ""), "INFO")
    return f"{format_time(entry.time_us // 1000)} {level:<7} {who}: {fields.get('MESSAGE', '')}"


def _json(entry: Entry) -> str:
    """One object a line: our own fields by their names in small letters, without the prefix."""
    fields = entry.fields
    told = {name.removeprefix(_OURS).lower(): value for name, value in fields.items() if name.startswith(_OURS)}
    return json.dumps({
        "time": format_time(entry.time_us // 1000),
        "priority": int(fields["PRIORITY"]) if fields.get("PRIORITY", "").isdigit() else None,
        "message": fields.get("MESSAGE", ""),
        "message_id": fields.get("MESSAGE_ID"),
        "unit": fields.get("_SYSTEMD_UNIT") or fields.get("UNIT"),
        **told,
    })  # fmt: skip


COMMAND = Command(
    name="logs",
    summary="print what the journal has of an instance: what was synced, where to, how long it took",
    synopses=("[options] [INSTANCE]",),
    options=(
        Option("since", "only from this time on: 2026-04-18T09:15:00Z, or a while back, such as 1h ago", "TIME"),
        Option("json", "print one JSON object a line, with all fields"),
    ),
    run=run,
    words_max=1,
    examples=("app", "-since '1h ago' app", "-json app"),
)
