"""`addr:` of the configuration: the metrics of this instance over TCP, from the daemon itself.

In: an address, what makes the metrics. Out: GET /metrics; everything else is a 404 or 405.
Promised: a client that sends or takes nothing holds a thread for seconds, and there are only so many of them.
"""

import socket
import socketserver
import threading
from collections.abc import Callable

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.daemon.serving import Handler, Serving


class _Handler(Handler):
    server: "_Server"

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.answer(404, "text/plain; charset=utf-8", b"There is only /metrics.\n")
        else:
            self.answer(200, "text/plain; version=0.0.4; charset=utf-8", self.server.metrics())


class _Server(Serving, socketserver.TCPServer):
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily, metrics: Callable[[], bytes]) -> None:
        self.address_family = family
        self.metrics = metrics
        super().__init__(address, _Handler)


class MetricsServer:
    """`address`: host and port; an empty host is every interface."""

    def __init__(self, address: tuple[str, int], metrics: Callable[[], bytes]) -> None:
        self._address = address
        self._metrics = metrics
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen. Raises EnvironmentFault."""
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._server = _Server((host, port), family, self._metrics)
        except OSError as error:
            reason = error.strerror or str(error)
            raise EnvironmentFault(f"metrics cannot be served on {host}:{port}: {reason} (see addr)") from error
        threading.Thread(target=self._server.serve, name="metrics", daemon=True).start()

    def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.end()
            self._server = None
