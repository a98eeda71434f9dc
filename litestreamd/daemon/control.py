"""The control socket: HTTP and JSON over a Unix socket, for the commands, the exporter and scripts.

In: requests of local processes. Out: the status document, metrics, the sync barrier, pause and resume (docs/status.md).
Promised: who may not is refused by the kernel's word on who asks (SO_PEERCRED), not by what the request says; unknown,
malformed and oversized requests get a 4xx and change nothing; a slow or silent client holds a thread for seconds.
"""

import json
import os
import socket
import socketserver
import stat
import struct
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from litestreamd.basics.errors import EnvironmentFault
from litestreamd.daemon.group_access import let_group_in
from litestreamd.daemon.operations import Operations, Reach, Unknown
from litestreamd.daemon.serving import Handler, Serving

LARGEST_BODY = 64 << 10
LONGEST_WAIT_S = 3600.0


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Routes:
    """What can be asked, and what is answered. `may_change`: whether the one who asks may do more than look."""

    def __init__(
        self, operations: Operations, status: Callable[[], Mapping[str, Any]], metrics: Callable[[], bytes]
    ) -> None:
        self._operations = operations
        self._status = status
        self._metrics = metrics
        self._gets = {"/status": self._get_status, "/metrics": self._get_metrics}
        self._posts: dict[str, Callable[[Mapping[str, Any]], tuple[int, object]]] = {
            "/sync": self._sync, "/pause": self._pause, "/resume": self._resume,
            "/heal": self._heal,
        }  # fmt: skip

    def get(self, path: str) -> tuple[str, bytes]:
        """Type and body. Raises Refused."""
        if path in self._posts:
            raise Refused(405, f"{path} is asked with POST")
        if path not in self._gets:
            raise Refused(404, f"there is no {path}: ask for {', '.join((*self._gets, *self._posts))}")
        return self._gets[path]()

    def post(self, path: str, body: bytes, may_change: bool) -> tuple[int, object]:
        """Status and what becomes JSON. Raises Refused."""
        if path in self._gets:
            raise Refused(405, f"{path} is asked with GET")
        if path not in self._posts:
            raise Refused(404, f"there is no {path}: ask for {', '.join((*self._gets, *self._posts))}")
        if path != "/sync" and not may_change:
            raise Refused(403, f"{path} is for root and the user of the service")
        try:
            asked = json.loads(body or b"{}")
        except (ValueError, RecursionError):
            raise Refused(400, "the body is not JSON") from None
        if not isinstance(asked, dict):
            raise Refused(400, "the body is not an object of JSON")
        try:
            return self._posts[path](asked)
        except Unknown as unknown:
            raise Refused(404, str(unknown)) from None

    def _get_status(self) -> tuple[str, bytes]:
        return "application/json", json.dumps(self._status()).encode()

    def _get_metrics(self) -> tuple[str, bytes]:
        return "text/plain; version=0.0.4; charset=utf-8", self._metrics()

    def _sync(self, asked: Mapping[str, Any]) -> tuple[int, object]:
        _only(asked, "db", "wait", "replica", "any", "timeout_s")
        reach = Reach(
            _field(asked, "wait", bool, False), _field(asked, "replica", str, None), _field(asked, "any", bool, False)
        )
        if reach.replica is not None and reach.first:
            raise Refused(400, "replica and any exclude each other")
        done = self._operations.sync(_field(asked, "db", str, None), reach, _seconds(asked))
        return (200 if done.complete else 504), {
            "databases": done.databases, "duration_ms": round(done.seconds * 1000),
        }  # fmt: skip

    def _pause(self, asked: Mapping[str, Any]) -> tuple[int, object]:
        _only(asked, "db", "timeout_s")
        database = _field(asked, "db", str)
        complete = self._operations.pause(database, _seconds(asked))
        return 200, {"db": database, "state": "paused", "complete": complete}

    def _resume(self, asked: Mapping[str, Any]) -> tuple[int, object]:
        _only(asked, "db")
        database = _field(asked, "db", str)
        self._operations.resume(database)
        return 200, {"db": database, "state": "watched"}

    def _heal(self, asked: Mapping[str, Any]) -> tuple[int, object]:
        _only(asked, "db")
        database = _field(asked, "db", str)
        self._operations.heal(database)
        return 200, {"db": database}


_REQUIRED = object()


def _field(asked: Mapping[str, Any], name: str, kind: type, default: object = _REQUIRED) -> Any:
    value = asked.get(name, default)
    if value is _REQUIRED:
        raise Refused(400, f"{name} is missing")
    if value is not default and not isinstance(value, kind):
        raise Refused(400, f"{name} has to be of type {kind.__name__}")
    return value


def _seconds(asked: Mapping[str, Any]) -> float:
    value = asked.get("timeout_s", 30)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_WAIT_S:
        raise Refused(400, f"timeout_s has to be a number from 0 to {LONGEST_WAIT_S:.0f}")
    return float(value)


def _only(asked: Mapping[str, Any], *known: str) -> None:
    for name in asked:
        if name not in known:
            raise Refused(400, f"{name[:64]!r} is not a field of this request: it has {', '.join(known)}")


class _Handler(Handler):
    server: "_Server"

    def do_GET(self) -> None:
        self._answer(lambda: (200, *self.server.routes.get(self.path)))

    def do_POST(self) -> None:
        self._answer(self._post)

    def _post(self) -> tuple[int, str, bytes]:
        status, told = self.server.routes.post(self.path, self._body(), self._may_change())
        return status, "application/json", json.dumps(told).encode()

    def _body(self) -> bytes:
        text = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not text.isascii() or not text.isdigit() or len(text) > 12:
            self.close_connection = True
            raise Refused(400, "the request needs a Content-Length")
        if int(text) > LARGEST_BODY:
            self.close_connection = True  # what it sends is not read
            raise Refused(413, f"a body has at most {LARGEST_BODY} bytes")
        return self.rfile.read(int(text))

    def _answer(self, deed: Callable[[], tuple[int, str, bytes]]) -> None:
        try:
            status, kind, body = deed()
        except Refused as refused:
            status, kind, body = refused.status, "application/json", json.dumps({"error": str(refused)}).encode()
        self.answer(status, kind, body)

    def _may_change(self) -> bool:
        return peer_uid(self.connection) in (0, os.geteuid())


class _Server(Serving, socketserver.UnixStreamServer):
    at_once = 32
    request_queue_size = 64

    def __init__(self, path: str, routes: Routes) -> None:
        self.routes = routes
        super().__init__(path, _Handler)

    def server_bind(self) -> None:
        os.fchmod(self.socket.fileno(), 0o600)  # nobody gets in before owner and mode are right
        super().server_bind()


class ControlServer:
    """`start` and `stop` from the main thread. `group`: who may ask beside root and the service's user."""

    def __init__(self, path: Path, mode: int, group: int | None, routes: Routes) -> None:
        self._path = path
        self._mode = mode
        self._group = group
        self._routes = routes
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen. Raises EnvironmentFault."""
        try:
            self._remove_old()
            self._server = _Server(str(self._path), self._routes)
            if self._group is None or not let_group_in(self._path, self._group, self._mode):
                self._path.chmod(self._mode)
        except OSError as error:
            self.stop()
            reason = error.strerror or str(error)
            raise EnvironmentFault(f"the control socket {self._path} cannot be made: {reason}") from error
        threading.Thread(target=self._server.serve, name="control", daemon=True).start()

    def stop(self) -> None:
        """Listen no more; requests that wait are not waited for."""
        if self._server is not None:
            self._server.end()
            self._server = None
            self._path.unlink(missing_ok=True)

    def _remove_old(self) -> None:
        """A socket that a killed process left; nothing else that may have this name."""
        try:
            found = self._path.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            raise EnvironmentFault(f"{self._path} is no socket: give another socket.path, or remove it")
        self._path.unlink()


def peer_uid(connection: socket.socket) -> int:
    """Who is at the other end (unix(7), SO_PEERCRED)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)
