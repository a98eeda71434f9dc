"""The exporter: the metrics of all instances of this machine, for Prometheus.

In: sockets that listen, the instances (daemon/instances.py). Out: GET /metrics.
Promised: where systemd has the listening sockets, it ends when nobody has asked for a while, and no request is lost by
that, nor by SIGTERM.
"""

import selectors
import socket
import socketserver
import time
from collections.abc import Sequence

import litestreamd
from litestreamd.daemon.instances import Instances
from litestreamd.daemon.metrics import render
from litestreamd.daemon.serving import Handler, Serving

LAST_REQUESTS_S = 15.0
_TEXT = "text/plain; charset=utf-8"


class _Handler(Handler):
    server: "Exporter"

    def do_GET(self) -> None:
        self.close_connection = True  # an exporter that is idle must not end in the midst of a conversation
        path = self.path.partition("?")[0]
        if path == "/metrics":
            text = render(self.server.instances.documents(), litestreamd.__version__)
            self.answer(200, "text/plain; version=0.0.4; charset=utf-8", text)
        elif path == "/":
            self.answer(200, _TEXT, b"The metrics of litestreamd are at /metrics.\n")
        else:
            self.answer(404, _TEXT, b"There is only /metrics.\n")

    def do_POST(self) -> None:
        self.close_connection = True  # what else it sends is not read
        self.answer(405, _TEXT, b"Metrics are asked for with GET.\n", Allow="GET")

    do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST  # noqa: N815


class _Inherited(socketserver.TCPServer):
    """On a socket that listens already: the sandbox of the exporter lets it make no other."""

    def __init__(self, listening: socket.socket, handler: type[Handler]) -> None:
        socketserver.BaseServer.__init__(self, listening.getsockname(), handler)
        self.socket = listening


class Exporter(Serving, _Inherited):
    """What answers on one socket, which listens already."""

    timeout = 0

    def __init__(self, listening: socket.socket, instances: Instances) -> None:
        self.instances = instances
        super().__init__(listening, _Handler)
        listening.setblocking(False)  # who connects and goes away at once must not hold us in accept(2)


def serve(exporters: Sequence[Exporter], stop: socket.socket, idle_s: float | None) -> None:
    """Until `stop` is readable, or nobody has asked for so long; None: never. Requests in progress are answered."""
    with selectors.DefaultSelector() as selector:
        selector.register(stop, selectors.EVENT_READ)
        for exporter in exporters:
            selector.register(exporter, selectors.EVENT_READ, exporter)
        while ready := selector.select(idle_s):
            if any(key.fileobj is stop for key, _ in ready):
                break
            for key, _ in ready:
                key.data.handle_request()
    # Who has connected and was not accepted is left to the next one: systemd has the sockets too.
    end = time.monotonic() + LAST_REQUESTS_S
    for exporter in exporters:
        exporter.finish(max(0.0, end - time.monotonic()))
