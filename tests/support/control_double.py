"""A control socket whose answers are the test's: what a command asks is seen, and what it is told is chosen.

In: a path, a function (method, route, body) -> (status, answer). Out: the questions, in order.
"""

import json
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Self

Answers = Callable[[str, str, dict[str, Any]], tuple[int, dict[str, Any]]]


class ControlDouble:
    """Listens while the block lasts."""

    def __init__(self, path: Path, answers: Answers) -> None:
        asked = self.asked = list[tuple[str, str, dict[str, Any]]]()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked.append((self.command, self.path, body))
                status, answer = answers(self.command, self.path, body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

            def address_string(self) -> str:
                return "unix"

        self._server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
