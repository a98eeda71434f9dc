"""`status`: where every database and replica of an instance, or of all instances of this machine, stands.

In: an instance, the path of a database, or nothing. Out: text or JSON, from the running daemons, else from what they
left; with -remote from the replicas themselves.
Exit codes: 0 all is well, 2 a replica lags, 3 something does not work, a daemon does not run,
or it did not take its changed configuration; of several the worst.
"""

import json
import sys
import time
from functools import partial

from litestreamd.basics.errors import ExitCode, UsageError
from litestreamd.cli.command import Command
from litestreamd.cli.options import JSON, Arguments, Option
from litestreamd.cli.restore_report import say
from litestreamd.cli.running import RUNNING, TIMEOUT, find_daemon
from litestreamd.cli.status_remote import look_at_replicas
from litestreamd.cli.status_report import changes_of, report, worst
from litestreamd.cli.status_sources import Look, look_at_all, look_at_one
from litestreamd.cli.status_watch import follow, redraw
from litestreamd.cli.table import print_json


def run(arguments: Arguments) -> ExitCode:
    """Print it."""
    if arguments.switch("watch"):
        return _watch(arguments)
    if arguments.switch("remote"):
        return look_at_replicas(arguments)
    looks = _look(arguments)
    if arguments.switch("json"):
        _print_json(looks, several=not arguments.words)
    else:
        for line in report(looks, _now_ms()):
            print(line)
    for look in looks:
        if look.why:
            say(look.why)
    return worst(looks)


def _look(arguments: Arguments) -> list[Look]:
    timeout_s = arguments.duration("timeout", 30.0)
    if arguments.words:
        return [look_at_one(find_daemon(arguments.words[0], arguments), timeout_s)]
    for name in ("socket", "config"):
        if arguments.text(name) is not None:
            raise UsageError(f"-{name} is for one instance: name it, or the path of a database")
    looks = look_at_all()
    if not looks:
        raise UsageError(
            "no instance runs on this machine, nor has one run that this user may ask about (group litestreamd may); "
            "name one, or the path of a database"
        )
    return looks


def _watch(arguments: Arguments) -> ExitCode:
    for name in ("json", "remote"):
        if arguments.switch(name):
            raise UsageError(f"-watch and -{name} exclude each other")
    look = partial(_look, arguments)
    look()  # what is wrong with the command line is said now
    try:
        if sys.stdout.isatty():
            redraw(lambda: report(look(), _now_ms()))
        else:
            follow(lambda: changes_of(look()), _now_ms)
    except KeyboardInterrupt:
        return ExitCode.OK


def _print_json(looks: list[Look], several: bool) -> None:
    """One document, or, of all instances, a list."""
    documents = [(look.document or {"instance": look.instance}) | {"running": look.runs} for look in looks]
    if several:
        print_json(documents)
    elif looks[0].document is not None:
        print(json.dumps(documents[0], indent=2))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


COMMAND = Command(
    name="status",
    summary="show where every database and replica stands",
    synopses=("[options] [INSTANCE|DATABASE]",),
    options=(
        Option("remote", "ask the replicas themselves, not the daemon; needs none"),
        Option("watch", "go on: redrawn every 2 seconds on a terminal, else a line for each change; until Ctrl-C"),
        JSON,
        TIMEOUT,
        *RUNNING,
    ),
    run=run,
    words_max=1,
    examples=("", "app", "-json app", "-remote app", "-watch app"),
)
