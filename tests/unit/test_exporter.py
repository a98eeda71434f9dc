"""The exporter as Prometheus and systemd meet it: live, dead and hanging instances; no request lost at its ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from litestreamd.daemon import instances as module
from litestreamd.daemon import listening as listening_module
from litestreamd.daemon import serving
from litestreamd.daemon.control import ControlServer, Routes
from litestreamd.daemon.exporter import Exporter, serve
from litestreamd.daemon.instances import Instances
from litestreamd.daemon.listening import listen
from tests.support.statuses import database, document
from tests.support.waiting import until


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("run", "state"):
        (tmp_path / name).mkdir()
    return tmp_path / "run", tmp_path / "state"


@contextmanager
def living(run: Path, name: str, told: dict[str, object] | Callable[[], dict[str, object]]) -> Iterator[None]:
    (run / name).mkdir()
    routes = Routes(None, told if callable(told) else lambda: told, lambda: b"")  # type: ignore[arg-type]
    server = ControlServer(run / name / "control.sock", 0o600, None, routes)
    server.start()
    try:
        yield
    finally:
        server.stop()


def left(state: Path, name: str, data: str) -> None:
    (state / name).mkdir()
    (state / name / "health.json").write_text(data)


def test_live_dead_hanging_and_broken_instances(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASK_S", 0.2)
    run, state = places
    with ExitStack() as stack:
        stack.enter_context(living(run, "alive", document(instance="alive")))
        stack.enter_context(living(run, "late", document(instance="another name")))
        hanging = stack.enter_context(socket.socket(socket.AF_UNIX))
        (run / "hanging").mkdir()
        hanging.bind(str(run / "hanging" / "control.sock"))
        hanging.listen()
        left(state, "hanging", json.dumps(document(instance="hanging")))
        left(state, "dead", json.dumps(document(instance="dead")))
        left(state, "broken", "{")
        left(state, "odd", "[]")
        (state / "no-instance").mkdir()
        found = {each["instance"]: each for each in Instances(run, state).documents()}
    assert sorted(found) == ["alive", "broken", "dead", "hanging", "late", "odd"]
    assert [name for name, each in found.items() if not each.get("dead")] == ["alive", "late"]
    assert found["hanging"]["age_s"] >= 0
    assert found["dead"]["databases"]
    assert "databases" not in found["broken"]


NONSENSE = {
    "a number of databases": {"databases": 5},
    "a database without a path": {"databases": [{}]},
    "no database": {"databases": [None]},
    "no replicas": {"databases": [{"path": "/a"}]},
    "a word for a number": document(databases=[database(txid="twelve")]),
    "too large a number": document(databases=[database(txid=10**400)]),
    "a list for a number": document(databases=[database(txid=[1])]),
}


@pytest.mark.parametrize("said", NONSENSE.values(), ids=NONSENSE)
def test_nonsense_of_one_instance_does_not_hide_the_others(places: tuple[Path, Path], said: dict[str, object]) -> None:
    run, state = places
    left(state, "dead", json.dumps(said))
    left(state, "good", json.dumps(document()))
    with living(run, "alive", said), running(places) as url:
        text = get(f"{url}/metrics")[1]
    assert b'litestreamd_up{instance="alive"} 1.0' in text
    assert b'litestreamd_up{instance="dead"} 0.0' in text
    assert b'litestreamd_status_age_seconds{instance="dead"}' in text
    assert text.count(b"litestreamd_db_txid{") == 1, "the good one"


def test_what_lies_there_instead_of_a_health_file_is_not_read(places: tuple[Path, Path]) -> None:
    state = places[1]
    for name in ("pipe", "link", "folder"):
        (state / name).mkdir()
    os.mkfifo(state / "pipe" / "health.json")
    (state / "link" / "health.json").symlink_to("/dev/zero")
    (state / "folder" / "health.json").mkdir()
    left(state, "deep", "[" * 200_000)
    found = {each.pop("instance"): each for each in Instances(*places).documents()}
    assert found.pop("deep").keys() == {"dead", "age_s"}
    assert found == {name: {"dead": True} for name in ("folder", "link", "pipe")}


def test_a_file_that_is_too_large_is_not_made_sense_of(places: tuple[Path, Path]) -> None:
    for name, spaces in (("large", module.LARGEST_DOCUMENT), ("small", 1)):
        left(places[1], name, '{"databases": []' + " " * spaces + "}")
    found = {each["instance"]: each for each in Instances(*places).documents()}
    assert "databases" in found["small"] and "databases" not in found["large"]
    assert found["large"]["dead"] and found["large"]["age_s"] >= 0


def test_neither_is_an_answer(places: tuple[Path, Path]) -> None:
    with living(places[0], "large", {"databases": [], "more": " " * module.LARGEST_DOCUMENT}):
        assert Instances(*places).documents() == [{"instance": "large", "dead": True}]


def test_a_hundred_that_take_their_time_do_so_together(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answers only when all have been asked: one after the other, nobody would."""
    monkeypatch.setattr(module, "ASK_S", 60.0)
    all_asked = threading.Barrier(100)

    def told() -> dict[str, object]:
        all_asked.wait(30)
        return document()

    with ExitStack() as stack:
        for number in range(all_asked.parties):
            stack.enter_context(living(places[0], f"app{number}", told))
        found = Instances(*places).documents()
    assert [each["dead"] for each in found] == [False] * all_asked.parties


def test_without_instances_there_is_nothing(tmp_path: Path) -> None:
    assert Instances(tmp_path / "none", tmp_path / "nowhere").documents() == []


@contextmanager
def running(places: tuple[Path, Path]) -> Iterator[str]:
    listening = listen("127.0.0.1", 0)
    port = listening.getsockname()[1]
    stop, told = socket.socketpair()
    with listening, stop, told:
        thread = threading.Thread(target=serve, args=([Exporter(listening, Instances(*places))], stop, None))
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            told.send(b".")
            thread.join()


def get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_what_it_answers(places: tuple[Path, Path]) -> None:
    left(places[1], "app", json.dumps(document()))
    with running(places) as url:
        status, text = get(f"{url}/metrics")
        assert status == 200
        assert b'litestreamd_up{instance="app"} 0.0' in text
        assert get(f"{url}/")[0] == 200
        assert get(f"{url}/favicon.ico")[0] == 404


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_there_is_only_get(places: tuple[Path, Path], method: str) -> None:
    with running(places) as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
        client.sendall(f"{method} /metrics HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        client.settimeout(20)
        head, _, body = client.makefile("rb").read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405 ") and b"\r\nAllow: GET\r\n" in head
    assert bool(body) == (method != "HEAD")


def test_slow_clients_do_not_keep_others_waiting(places: tuple[Path, Path]) -> None:
    with running(places) as url, ExitStack() as stack:
        port = int(url.rpartition(":")[2])
        for _ in range(5):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(b"GET /metrics HTTP/1.1\r\n")
        assert get(f"{url}/metrics")[0] == 200


def test_who_sends_a_byte_now_and_then_is_cut_off(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "CLIENT_S", 0.3)
    with running(places) as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
        client.settimeout(0.05)

        def cut_off() -> bool:
            try:
                client.sendall(b"x")
                return client.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        until(cut_off, "the connection is closed", 20)


ACTIVATED = """
import os, sys
given = [os.dup(os.dup(int(word))) for word in sys.argv[1].split(",")]  # away from 3 and 4
for number, each in enumerate(given, 3):
    os.dup2(each, number)
names = ":".join(["metrics"] * len(given))
os.environ |= {"LISTEN_FDS": str(len(given)), "LISTEN_PID": str(os.getpid()), "LISTEN_FDNAMES": names}
os.execv(sys.executable, [sys.executable, "-m", "litestreamd", "metrics", *sys.argv[2:]])
"""


@contextmanager
def activated(*listening: socket.socket, idle: str = "60s") -> Iterator[subprocess.Popen[bytes]]:
    """As systemd starts it: with the listening sockets as descriptors 3 and up."""
    numbers = [each.fileno() for each in listening]
    command = [sys.executable, "-c", ACTIVATED, ",".join(map(str, numbers)), "-idle", idle]
    with subprocess.Popen(command, pass_fds=numbers, stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def test_on_a_socket_of_systemd_it_ends_when_nobody_asks_and_loses_no_request() -> None:
    with listen("127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/metrics"
        for _ in range(2):
            # The request is there before the exporter is, as when systemd starts it for that.
            asked: list[int] = []
            asking = threading.Thread(target=lambda asked=asked: asked.append(get(url)[0]))
            asking.start()
            with activated(listening, idle="300ms") as process:
                until(lambda: process.poll() is not None, "it ends by itself", 30)
                assert process.returncode == 0
            asking.join()
            assert asked == [200]


def test_sigterm_lets_requests_end() -> None:
    with listen("127.0.0.1", 0) as listening, activated(listening) as process:
        port = listening.getsockname()[1]
        assert get(f"http://127.0.0.1:{port}/")[0] == 200
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\n")
            assert get(f"http://127.0.0.1:{port}/")[0] == 200, "the first one has been accepted"
            os.kill(process.pid, signal.SIGTERM)
            client.settimeout(20)
            client.sendall(b"Host: x\r\n\r\n")
            answer = client.makefile("rb").read()
        assert b" 200 " in answer and b"litestreamd_build_info" in answer
        assert process.wait(20) == 0


def test_every_socket_of_systemd_is_served_of_whatever_kind(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as tcp, socket.socket(socket.AF_UNIX) as local:
        local.bind(str(tmp_path / "metrics.sock"))
        local.listen()
        with activated(tcp, local) as process:
            assert get(f"http://127.0.0.1:{tcp.getsockname()[1]}/metrics")[0] == 200
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(tmp_path / "metrics.sock"))
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                client.settimeout(20)
                assert client.makefile("rb").read().startswith(b"HTTP/1.1 200 ")
            process.terminate()
            assert process.wait(20) == 0


def test_a_socket_that_does_not_listen_is_refused() -> None:
    with socket.socket() as idle, activated(idle) as process:
        assert process.wait(20) == 64


def test_variables_of_systemd_that_are_for_another_process_or_make_no_sense_are_no_sockets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for process, count in ((str(os.getppid()), "1"), (str(os.getpid()), "x"), (str(os.getpid()), "0")):
        monkeypatch.setenv("LISTEN_PID", process)
        monkeypatch.setenv("LISTEN_FDS", count)
        assert listening_module.of_environment() == []


def test_it_starts_fast_because_it_imports_little() -> None:
    program = "import sys, litestreamd.cli.main, litestreamd.cli.metrics; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert "litestreamd.daemon.exporter" in loaded
    assert not loaded & {
        "boto3",
        "botocore",
        "yaml",
        "apsw",
        "sqlite3",
        "numpy",
        "litestreamd.config",
        "litestreamd.replica",
    }
