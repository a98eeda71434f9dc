"""`sync`: the barrier. What was committed before the call is durable when it returns.

In: an instance, or the path of a database. Out: exit code 0 when it is so: in the spool, or on the replicas that were
asked for.
"""

import json

from litestreamd.basics.errors import BusyError, ExitCode, LitestreamdError, StoreError, UsageError
from litestreamd.basics.txid import format_txid
from litestreamd.cli.command import Command
from litestreamd.cli.options import JSON, Arguments, Option
from litestreamd.cli.restore_report import say
from litestreamd.cli.running import RUNNING, TIMEOUT, find_daemon
from litestreamd.daemon.control_client import ask

_GRACE_S = 10.0
"""What the daemon may take beyond the time it was given, to say that the time was too short."""
_NOTHING = "nothing captured, there is no database yet or an empty one"


def run(arguments: Arguments) -> ExitCode:
    """Ask the daemon, and wait for its answer."""
    daemon = find_daemon(arguments.words[0], arguments)
    seconds = arguments.duration("timeout", 30.0)
    database = arguments.text("db") or daemon.database
    body = {"db": database, "timeout_s": seconds, **_reach(arguments)}
    status, answer = ask(daemon.socket, "POST", "/sync", body, seconds + _GRACE_S)
    if status not in (200, 504):
        raise _refusal(status, answer.get("error", f"the daemon answered {status}"))
    if arguments.switch("json"):
        print(json.dumps(answer, indent=2))
    for each in answer["databases"]:
        if not arguments.switch("json"):
            print(_line(each))
        if each["error"]:
            say(f"error: {each['path']}: {each['error']}")
    if status == 504:
        where = _where(arguments)
        say(f"error: not everything is {where} within {seconds:g} s; the daemon goes on (-timeout gives it longer)")
        return ExitCode.UNREACHABLE
    return ExitCode.OK


def _reach(arguments: Arguments) -> dict[str, object]:
    """What is asked of the daemon beyond the spool."""
    replica, first = arguments.text("replica"), arguments.switch("any")
    if replica is not None and first:
        raise UsageError("-replica and -any exclude each other")
    if replica is not None:
        return {"replica": replica}
    return {"any": True} if first else {"wait": arguments.switch("wait")}


def _where(arguments: Arguments) -> str:
    replica = arguments.text("replica")
    if replica is not None:
        return f"on replica {replica}"
    if arguments.switch("any"):
        return "on any replica"
    return "on every replica" if arguments.switch("wait") else "captured"


def _line(each: dict[str, object]) -> str:
    txid, replicas = each["txid"], each["replicas"]
    assert isinstance(replicas, dict)
    captured = f"captured TXID {format_txid(txid)}" if isinstance(txid, int) and txid else _NOTHING
    reached = {name: format_txid(has) if has else "nothing" for name, has in replicas.items()}
    places = ", ".join(f"{name} has {what}" for name, what in reached.items())
    return f"{each['path']}: {captured}; {places}"


def _refusal(status: int, sentence: str) -> LitestreamdError:
    if status in (400, 404):
        return UsageError(sentence)
    return BusyError(sentence) if status < 500 else StoreError(sentence)


COMMAND = Command(
    name="sync",
    summary="wait until what is committed now is captured, or with -wait on every replica",
    synopses=("[options] INSTANCE|DATABASE",),
    options=(
        Option("wait", "wait until every replica has it, not only the spool"),
        Option("replica", "wait until this replica has it", "NAME"),
        Option("any", "wait until one replica has it, whichever is the first"),
        Option("db", "only this database of the instance", "PATH"),
        TIMEOUT,
        JSON,
        *RUNNING,
    ),
    run=run,
    words_min=1,
    words_max=1,
    examples=("-wait app", "-any app", "-replica s3 app", "-wait -timeout 5m /var/lib/app/app.db"),
)
