"""How the daemon serves HTTP, on whichever socket: a bounded number of threads, no look at the clock while nobody asks.

In: a kind of server of socketserver. Out: the same, with `serve` for a thread of its own and `end` for others.
"""

import io
import socket
import socketserver
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any

CLIENT_S = 10.0
"""For how long a client may send its request, and take its answer; then it is cut off."""


class _Hearing(io.RawIOBase):
    """What a client sends, until `end`: one that sends a byte now and then would else keep its thread for days."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.end = 0.0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        try:
            return self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(CLIENT_S)


class Handler(BaseHTTPRequestHandler):
    """One connection; says nothing in any log."""

    protocol_version = "HTTP/1.1"
    timeout = CLIENT_S

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._hearing = _Hearing(self.connection)
        self.rfile = io.BufferedReader(self._hearing)

    def handle_one_request(self) -> None:
        self._hearing.end = time.monotonic() + CLIENT_S
        super().handle_one_request()

    def answer(self, status: int, kind: str, body: bytes, **headers: str) -> None:
        """The whole of it."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self) -> str:
        return "litestreamd"

    def address_string(self) -> str:
        return "client"

    def log_message(self, format: str, *args: object) -> None:
        """Requests are no news."""


class Serving(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """Mixed into a server. `at_once`: threads; further clients wait."""

    daemon_threads = True
    block_on_close = False
    at_once = 8
    socket: socket.socket

    def __init__(self, *given: Any) -> None:
        self._ending = False
        self._slots = threading.BoundedSemaphore(self.at_once)
        super().__init__(*given)

    def serve(self) -> None:
        """Until `end`."""
        while not self._ending:
            self.handle_request()
        self.server_close()

    def end(self) -> None:
        """Wake `serve` for the last time; requests in progress are not waited for."""
        self._ending = True
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def finish(self, seconds: float) -> None:
        """Wait for the requests in progress, and no longer than that for all."""
        end = time.monotonic() + seconds
        for _ in range(self.at_once):
            self._slots.acquire(timeout=max(0.0, end - time.monotonic()))

    def process_request(self, request: Any, client_address: Any) -> None:
        self._slots.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the midst of it is no news."""
