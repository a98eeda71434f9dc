"""`metrics`: the exporter of this machine, which litestreamd-metrics.socket starts at the first scrape."""

import signal
import socket
from contextlib import ExitStack

from litestreamd.basics.errors import EnvironmentFault, ExitCode, UsageError
from litestreamd.cli.command import Command
from litestreamd.cli.options import Arguments, Option
from litestreamd.daemon.exporter import Exporter, serve
from litestreamd.daemon.instances import Instances
from litestreamd.daemon.listening import handed_over, listen

_LISTEN = "127.0.0.1:9186"


def run(arguments: Arguments) -> ExitCode:
    """Serve until SIGTERM or SIGINT, or, on a socket of systemd, until nobody has asked for a while."""
    idle_s = arguments.duration("idle", 60.0)
    given = handed_over()
    stop, told = socket.socketpair()
    told.setblocking(False)
    signal.set_wakeup_fd(told.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    listening = given or [_own(arguments.text("listen") or _LISTEN)]
    with stop, told, ExitStack() as stack:
        exporters = [Exporter(stack.enter_context(each), Instances()) for each in listening]
        serve(exporters, stop, idle_s if given else None)
        signal.set_wakeup_fd(-1)
    return ExitCode.OK


def _own(text: str) -> socket.socket:
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(f"-listen: {text!r} is not an address: write host:port, such as {_LISTEN}")
    try:
        return listen(host.strip("[]"), int(port))
    except OSError as error:
        raise EnvironmentFault(f"{text} cannot be listened on: {error.strerror or error}") from None


COMMAND = Command(
    name="metrics",
    summary="serve the metrics of all instances of this machine",
    synopses=("[options]",),
    options=(
        Option("listen", f"where to listen, unless systemd hands over a socket (default: {_LISTEN})", "HOST:PORT"),
        Option("idle", "on a socket of systemd: end after so long without a request (default: 60s)", "TIME"),
    ),
    run=run,
    examples=("", "-listen 127.0.0.1:9186"),
)
