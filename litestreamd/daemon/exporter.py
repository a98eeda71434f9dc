"""The exporter: the metrics of all instances of this machine, for Prometheus.

In: the control sockets of instances, what those left that do not run. Out: GET /metrics.
Promised: it starts nothing and waits for nobody longer than ASK_S, so that a daemon that is dead or hangs is seen as
that; where systemd has the listening socket, it ends when nobody has asked for a while, and no request is lost by it.
"""

import json
import os
import selectors
import socket
import socketserver
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import litestreamd
from litestreamd.basics.errors import LitestreamdError
from litestreamd.daemon.control_client import ask
from litestreamd.daemon.metrics import render
from litestreamd.daemon.serving import Handler, Serving
from litestreamd.database.state_paths import RUNTIME_DIRECTORY, STATE_DIRECTORY

ASK_S = 2.0
"""How long a daemon may take to answer; Prometheus gives up after 10 s by default."""

ASKED_AT_ONCE = 16
LAST_REQUESTS_S = 15.0

try:
    from systemd.daemon import listen_fds
except ImportError:

    def listen_fds(unset_environment: bool = True) -> list[int]:  # noqa: ARG001
        """sd_listen_fds(3)."""
        if os.environ.get("LISTEN_PID") != str(os.getpid()):
            return []
        return list(range(3, 3 + int(os.environ.get("LISTEN_FDS", "0"))))


class Instances:
    """Those of a machine. `run` and `state`: where they listen, and where they leave their health."""

    def __init__(self, run: Path = RUNTIME_DIRECTORY, state: Path = STATE_DIRECTORY) -> None:
        self._run = run
        self._state = state

    def documents(self) -> list[dict[str, Any]]:
        """The status of each, by name; of a dead one its last, with `dead` and its age."""
        names = sorted(_names(self._run, "control.sock") | _names(self._state, "health.json"))
        if not names:
            return []
        with ThreadPoolExecutor(min(ASKED_AT_ONCE, len(names))) as pool:
            return list(pool.map(self._document, names))

    def _document(self, name: str) -> dict[str, Any]:
        with suppress(LitestreamdError):
            status, document = ask(self._run / name / "control.sock", "GET", "/status", timeout_s=ASK_S)
            if status == 200:
                return {**document, "instance": name, "age_s": 0.0}
        return {**self._left(name), "instance": name, "dead": True}

    def _left(self, name: str) -> dict[str, Any]:
        path = self._state / name / "health.json"
        try:
            age = max(0.0, time.time() - path.stat().st_mtime)
            document = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return {}
        return {**document, "age_s": age} if isinstance(document, dict) else {}


def _names(folder: Path, file: str) -> set[str]:
    try:
        return {entry.name for entry in os.scandir(folder) if os.path.lexists(Path(entry.path, file))}
    except OSError:
        return set()


class _Handler(Handler):
    server: "Exporter"

    def do_GET(self) -> None:
        self.close_connection = True  # an exporter that is idle must not end in the midst of a conversation
        path = self.path.partition("?")[0]
        if path == "/metrics":
            text = render(self.server.instances.documents(), litestreamd.__version__)
            self.answer(200, "text/plain; version=0.0.4; charset=utf-8", text)
        elif path == "/":
            self.answer(200, "text/plain; charset=utf-8", b"The metrics of litestreamd are at /metrics.\n")
        else:
            self.answer(404, "text/plain; charset=utf-8", b"There is only /metrics.\n")


class _Inherited(socketserver.TCPServer):
    """On a socket that listens already: the sandbox of the exporter lets it make no other."""

    def __init__(self, listening: socket.socket, handler: type[Handler]) -> None:
        socketserver.BaseServer.__init__(self, listening.getsockname(), handler)
        self.socket = listening


class Exporter(Serving, _Inherited):
    """`listening`: a socket that listens already. `idle_s`: it ends after so long without a request; None: never."""

    timeout = 0
    request_queue_size = 64

    def __init__(self, listening: socket.socket, instances: Instances, idle_s: float | None) -> None:
        self.instances = instances
        self._idle_s = idle_s
        super().__init__(listening, _Handler)
        listening.setblocking(False)  # who connects and goes away at once must not hold us in accept(2)

    def run(self, stop: socket.socket) -> None:
        """Until `stop` is readable, or idle. Requests in progress are answered."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            selector.register(stop, selectors.EVENT_READ)
            while ready := selector.select(self._idle_s):
                if any(key.fileobj is stop for key, _ in ready):
                    break
                self.handle_request()
        # Who has connected and was not accepted is left to the next one: systemd has the socket too.
        self.finish(LAST_REQUESTS_S)


def listening_sockets() -> list[socket.socket]:
    """What systemd has handed over."""
    return [socket.socket(fileno=descriptor) for descriptor in listen_fds()]


def listen(host: str, port: int) -> socket.socket:
    """A socket of our own. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)
