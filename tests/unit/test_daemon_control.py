"""The control socket: what may be asked, by whom, and what nonsense gets."""

import http.client
import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from litestreamd.basics.errors import BusyError, EnvironmentFault, RightsError
from litestreamd.daemon import control
from litestreamd.daemon.control import ControlServer, Routes
from litestreamd.daemon.control_client import NotRunning, ask
from litestreamd.daemon.operations import Reach, Synced, Unknown


class Operations:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.complete = True
        self.gate: threading.Event | None = None

    def sync(self, database: str | None, reach: Reach, timeout_s: float) -> Synced:
        self.asked.append(("sync", database, reach, timeout_s))
        if self.gate is not None:
            assert self.gate.wait(30)
        return Synced(self.complete, [{"path": database, "txid": 3, "replicas": {"r": 3}}], 0.25)

    def pause(self, database: str, timeout_s: float) -> bool:
        self.asked.append(("pause", database, timeout_s))
        if database != "/app.db":
            raise Unknown(f"{database} is not a database of this instance")
        return True

    def resume(self, database: str) -> None:
        self.asked.append(("resume", database))

    def heal(self, database: str) -> None:
        self.asked.append(("heal", database))


@pytest.fixture
def operations() -> Operations:
    return Operations()


@pytest.fixture
def path(tmp_path: Path, operations: Operations) -> Iterator[Path]:
    found = tmp_path / "control.sock"
    routes = Routes(operations, lambda: {"version": 1}, lambda: b"litestreamd_up 1\n")  # type: ignore[arg-type]
    server = ControlServer(found, 0o660, None, routes)
    server.start()
    yield found
    server.stop()
    assert not found.exists()


def raw(path: Path, data: bytes, most: int = 1 << 16) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(path))
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return client.makefile("rb").read(most)


def test_status_and_metrics(path: Path) -> None:
    assert ask(path, "GET", "/status") == (200, {"version": 1})
    answer = raw(path, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nlitestreamd_up 1\n")


def test_sync_with_and_without_defaults(path: Path, operations: Operations) -> None:
    status, answer = ask(path, "POST", "/sync", {})
    assert (status, answer["duration_ms"]) == (200, 250)
    ask(path, "POST", "/sync", {"db": "/app.db", "wait": True, "timeout_s": 1.5})
    operations.complete = False
    assert ask(path, "POST", "/sync", {"db": None})[0] == 504
    assert operations.asked == [
        ("sync", None, Reach(), 30.0),
        ("sync", "/app.db", Reach(wait=True), 1.5),
        ("sync", None, Reach(), 30.0),
    ]


def test_sync_with_one_replica_or_any(path: Path, operations: Operations) -> None:
    assert ask(path, "POST", "/sync", {"replica": "s3"})[0] == 200
    assert ask(path, "POST", "/sync", {"any": True})[0] == 200
    assert [each[2] for each in operations.asked] == [Reach(replica="s3"), Reach(first=True)]
    assert ask(path, "POST", "/sync", {"any": True, "replica": "s3"}) == (
        400, {"error": "replica and any exclude each other"},
    )  # fmt: skip
    assert len(operations.asked) == 2


def test_pause_and_resume(path: Path, operations: Operations) -> None:
    assert ask(path, "POST", "/pause", {"db": "/app.db"}) == (
        200, {"db": "/app.db", "state": "paused", "complete": True},
    )  # fmt: skip
    status, answer = ask(path, "POST", "/pause", {"db": "/other.db"})
    assert status == 404 and "/other.db is not a database" in answer["error"]
    assert ask(path, "POST", "/resume", {"db": "/app.db"})[0] == 200
    assert ask(path, "POST", "/heal", {"db": "/app.db"})[0] == 200
    assert operations.asked == [
        ("pause", "/app.db", 30.0),
        ("pause", "/other.db", 30.0),
        ("resume", "/app.db"),
        ("heal", "/app.db"),
    ]


@pytest.mark.parametrize(("method", "route", "body", "status"), [
    ("GET", "/", None, 404),
    ("GET", "/nothing", None, 404),
    ("POST", "/nothing", {}, 404),
    ("GET", "/sync", None, 405),
    ("POST", "/status", {}, 405),
    ("POST", "/sync", {"wait": "yes"}, 400),
    ("POST", "/sync", {"replica": 3}, 400),
    ("POST", "/sync", {"any": 1}, 400),
    ("POST", "/sync", {"database": "/app.db"}, 400),
    ("POST", "/sync", {"timeout_s": -1}, 400),
    ("POST", "/sync", {"timeout_s": True}, 400),
    ("POST", "/sync", {"timeout_s": 1e9}, 400),
    ("POST", "/pause", {}, 400),
    ("POST", "/pause", {"db": 7}, 400),
    ("POST", "/resume", {"db": None}, 400),
    ("POST", "/heal", {}, 400),
    ("POST", "/heal", {"db": "/app.db", "objects": []}, 400),
])  # fmt: skip
def test_nonsense_gets_a_sentence_and_changes_nothing(
    path: Path, operations: Operations, method: str, route: str, body: dict[str, Any] | None, status: int
) -> None:
    got, answer = ask(path, method, route, body)
    assert got == status
    assert answer["error"]
    assert operations.asked == []


@pytest.mark.parametrize(("request_bytes", "status"), [
    (b"POST /sync HTTP/1.1\r\nContent-Length: 5\r\n\r\n{not ", b"400"),
    (b"POST /sync HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]", b"400"),
    (b"POST /sync HTTP/1.1\r\nContent-Length: 60000\r\n\r\n" + b"[" * 60000, b"400"),
    (b"POST /sync HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
    (b"POST /sync HTTP/1.1\r\nContent-Length: many\r\n\r\n", b"400"),
    (b"POST /sync HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
    (b"POST /pause HTTP/1.1\r\nContent-Length: 65537\r\n\r\n" + b"x" * 1000, b"413"),
    (b"POST /pause HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", b"400"),
    (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", b"414"),
    (b"GET /status HTTP/1.1\r\n" + b"".join(b"h%d: x\r\n" % n for n in range(200)) + b"\r\n", b"431"),
    (b"DELETE /status HTTP/1.1\r\n\r\n", b"501"),
    (b"nonsense\r\n\r\n", b"400"),
])  # fmt: skip
def test_what_is_no_request_of_ours(path: Path, operations: Operations, request_bytes: bytes, status: bytes) -> None:
    answer = raw(path, request_bytes)
    assert status in answer.split(b"\r\n")[0], answer[:200]
    assert operations.asked == []
    assert ask(path, "GET", "/status")[0] == 200, "it goes on"


def test_a_client_that_says_nothing_holds_up_nobody(path: Path) -> None:
    silent = [socket.socket(socket.AF_UNIX) for _ in range(10)]
    for client in silent:
        client.connect(str(path))
        client.sendall(b"GET /status HTTP/1.1\r\n")
    assert ask(path, "GET", "/status")[0] == 200
    for client in silent:
        client.close()


def test_one_who_waits_does_not_keep_others_from_looking(path: Path, operations: Operations) -> None:
    operations.gate = threading.Event()
    waiting = threading.Thread(target=lambda: ask(path, "POST", "/sync", {}))
    waiting.start()
    assert ask(path, "GET", "/status")[0] == 200
    operations.gate.set()
    waiting.join()


def test_the_socket_belongs_to_whom_it_should(path: Path) -> None:
    found = path.stat()
    assert stat.S_ISSOCK(found.st_mode)
    assert stat.S_IMODE(found.st_mode) == 0o660


def test_who_is_neither_root_nor_the_service_may_only_look(
    path: Path, operations: Operations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "peer_uid", lambda _: os.geteuid() + 4711)
    assert ask(path, "GET", "/status")[0] == 200
    assert ask(path, "POST", "/sync", {})[0] == 200
    for route in ("/pause", "/resume", "/heal"):
        status, answer = ask(path, "POST", route, {"db": "/app.db"})
        assert status == 403 and "root" in answer["error"]
    assert [each[0] for each in operations.asked] == ["sync"]


def test_the_kernel_says_who_asks() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        assert control.peer_uid(one) == os.geteuid()


def test_what_a_killed_daemon_left_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    routes = Routes(Operations(), lambda: {}, lambda: b"")  # type: ignore[arg-type]
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(left))
    server = ControlServer(left, 0o600, None, routes)
    server.start()
    assert ask(left, "GET", "/status")[0] == 200
    server.stop()
    precious = tmp_path / "precious"
    precious.write_text("data")
    with pytest.raises(EnvironmentFault, match="is no socket"):
        ControlServer(precious, 0o600, None, routes).start()
    assert precious.read_text() == "data"
    with pytest.raises(EnvironmentFault, match="cannot be made"):
        ControlServer(tmp_path / "nowhere" / "x.sock", 0o600, None, routes).start()


def test_what_the_client_says_when_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotRunning, match="is it running"):
        ask(tmp_path / "none.sock", "GET", "/status")
    deaf = tmp_path / "deaf.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(deaf))
        with pytest.raises(NotRunning):
            ask(deaf, "GET", "/status")
        listening.listen()
        with pytest.raises(BusyError, match=r"within 0\.05 s"):
            ask(deaf, "GET", "/status", timeout_s=0.05)

    def refused(self: http.client.HTTPConnection) -> None:
        raise PermissionError

    monkeypatch.setattr("litestreamd.daemon.control_client._Connection.connect", refused)
    with pytest.raises(RightsError):
        ask(deaf, "GET", "/status")


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[1]\n", b"\x00\xff", b"HTTP/1.1 200"]
)
def test_what_the_client_says_to_nonsense(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "odd.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        server = threading.Thread(target=serve)
        server.start()
        with pytest.raises(EnvironmentFault, match="no sensible answer"):
            ask(path, "GET", "/status", timeout_s=10)
        server.join()


def test_a_daemon_that_lets_nobody_in_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(str(path))
        listening.listen(0)
        stack.enter_context(socket.socket(socket.AF_UNIX)).connect(str(path))
        with pytest.raises(BusyError, match="lets nobody in"):
            ask(path, "GET", "/status", timeout_s=10)


def test_no_more_is_read_than_is_wanted(path: Path) -> None:
    assert ask(path, "GET", "/status", largest=100) == (200, {"version": 1})
    with pytest.raises(EnvironmentFault, match="no sensible answer"):
        ask(path, "GET", "/status", largest=5)


def test_an_answer_is_json_whatever_is_in_it(path: Path) -> None:
    connection = raw(path, b"POST /x HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert json.loads(connection.partition(b"\r\n\r\n")[2])["error"].startswith("there is no /x")
