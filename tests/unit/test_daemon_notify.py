"""What systemd hears, on a socket as it makes one; and that the watchdog is fed by progress only."""

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.daemon import progress as progress_module
from litestreamd.daemon.notify import STATUS_LENGTH, Notifier
from litestreamd.daemon.progress import Progress
from litestreamd.daemon.watchdog import Watchdog


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "notify"))
        found.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield found


def heard(manager: socket.socket) -> list[str]:
    found = []
    while True:
        try:
            found.append(manager.recv(4096).decode("ascii"))
        except BlockingIOError:
            return found


def closed(notifier: Notifier) -> None:
    if notifier._notifier is not None:
        notifier._notifier.socket.close()


def test_each_word(manager: socket.socket) -> None:
    notifier = Notifier()
    notifier.ready()
    notifier.stopping()
    notifier.alive()
    notifier.extend(1.5)
    notifier.reloading()
    words = heard(manager)
    assert words[:4] == ["READY=1", "STOPPING=1", "WATCHDOG=1", "EXTEND_TIMEOUT_USEC=1500000"]
    assert words[4].startswith("RELOADING=1\nMONOTONIC_USEC=")
    closed(notifier)


def test_a_status_is_one_line_of_ascii_and_told_once(manager: socket.socket) -> None:
    notifier = Notifier()
    notifier.status("Büro.db\nis  behind")
    notifier.status("Büro.db\nis  behind")
    notifier.status("x" * 1000)
    assert heard(manager) == ["STATUS=B?ro.db is behind", "STATUS=" + "x" * STATUS_LENGTH]
    closed(notifier)


def test_outside_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setenv("WATCHDOG_USEC", "1000000")
    notifier = Notifier()
    notifier.ready()
    assert notifier.watchdog_s is None


def test_a_manager_that_is_gone_is_no_reason_to_stop(manager: socket.socket, tmp_path: Path) -> None:
    notifier = Notifier()
    (tmp_path / "notify").unlink()
    notifier.ready()
    notifier.status("x")
    closed(notifier)


@pytest.mark.parametrize(("usec", "pid", "seconds"), [
    ("3000000", "own", 3.0), ("3000000", None, 3.0), ("3000000", "1", None), ("0", None, None), ("x", None, None),
])  # fmt: skip
def test_whether_there_is_a_watchdog(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch, usec: str, pid: str | None, seconds: float | None
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid is not None:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)
    notifier = Notifier()
    assert notifier.watchdog_s == seconds
    closed(notifier)


def test_the_watchdog_is_fed_by_progress_only(
    manager: socket.socket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Clock:
        now = 100.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(progress_module, "time", clock)
    monkeypatch.setenv("WATCHDOG_USEC", "20000000")
    monkeypatch.setattr(logging.getLogger("litestreamd"), "propagate", True)
    notifier, progress = Notifier(), Progress()
    watchdog = Watchdog(notifier, progress)
    assert watchdog.interval_s <= 5
    with progress.at_work("capture of /app.db"):
        clock.now += 9
        watchdog.look()
        assert heard(manager) == ["WATCHDOG=1"]
        clock.now += 2
        watchdog.look()
        watchdog.look()
        assert heard(manager) == []
        assert [record.message for record in caplog.records] == [
            "the thread MainThread (capture of /app.db) has made no progress for 11 s:"
            " the watchdog of systemd will restart the service"
        ]
        progress.told(0.0)
        watchdog.look()
        assert heard(manager) == ["WATCHDOG=1"]
    closed(notifier)
