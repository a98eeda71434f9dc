"""inotify: a write wakes its task, once for each time it was armed."""

import errno
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.daemon import watch
from litestreamd.daemon.watch import Watcher
from tests.support.live import App, create
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(watch.INotify is None, reason="inotify_simple is not installed")


class Woken:
    """Who was woken, and what was said about limits."""

    def __init__(self) -> None:
        self.tasks: list[object] = []
        self.limits: list[str] = []
        self.watcher = Watcher(self.tasks.append, self.limits.append)


@pytest.fixture
def woken() -> Iterator[Woken]:
    found = Woken()
    found.watcher.start()
    yield found
    found.watcher.stop()


def test_a_write_wakes_the_task_of_that_file(tmp_path: Path, woken: Woken) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for path in (one, two):
        path.write_text("")
        woken.watcher.arm(path.name, [path])
    two.write_text("x")
    until(lambda: woken.tasks == ["two"], "the waking")
    one.write_text("x")
    until(lambda: woken.tasks == ["two", "one"], "the other one")


def test_it_is_woken_once_until_it_is_armed_again(tmp_path: Path, woken: Woken) -> None:
    busy, other = tmp_path / "busy", tmp_path / "other"
    for path in (busy, other):
        path.write_text("")
    woken.watcher.arm("busy", [busy])
    for number in range(50):
        busy.write_text(str(number))
    until(lambda: woken.tasks == ["busy"], "the first waking")
    for _ in range(3):
        busy.write_text("more")
    woken.watcher.arm("other", [other])
    other.write_text("x")
    until(lambda: woken.tasks == ["busy", "other"], "nothing but the other one")
    woken.watcher.arm("busy", [busy])
    busy.write_text("again")
    until(lambda: woken.tasks == ["busy", "other", "busy"], "armed again")


def test_any_of_several_files_wakes(tmp_path: Path, woken: Woken) -> None:
    files = [tmp_path / name for name in ("db", "wal")]
    for path in files:
        path.write_text("")
    for path in files:
        woken.watcher.arm("task", files)
        count = len(woken.tasks)
        path.write_text("x")
        until(lambda count=count: len(woken.tasks) > count, f"a write to {path.name}")


def test_a_file_that_is_not_there_is_passed_over(tmp_path: Path, woken: Woken) -> None:
    there = tmp_path / "there"
    there.write_text("")
    woken.watcher.arm("task", [tmp_path / "missing", there])
    there.write_text("x")
    until(lambda: woken.tasks == ["task"], "the one that is there")
    assert woken.limits == []


def test_a_deleted_file_harms_nobody(tmp_path: Path, woken: Woken) -> None:
    path = tmp_path / "gone"
    path.write_text("")
    woken.watcher.arm("task", [path])
    path.unlink()
    until(lambda: woken.tasks, "the end of the file is an event too")
    path.write_text("back")
    woken.watcher.arm("task", [path])
    count = len(woken.tasks)
    path.write_text("x")
    until(lambda: len(woken.tasks) > count, "the new file")


def test_an_event_before_its_task_was_noted_is_not_dropped(
    tmp_path: Path, woken: Woken, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer at full speed: the first event comes while the watch is still being made known."""
    path = tmp_path / "file"
    path.write_text("")
    add_watch = woken.watcher._inotify.add_watch

    def add_and_be_overtaken(*arguments: object) -> int:
        number: int = add_watch(*arguments)
        path.write_text("x")
        time.sleep(0.05)  # long enough for the watcher's thread to read the event, were it allowed to
        return number

    monkeypatch.setattr(woken.watcher._inotify, "add_watch", add_and_be_overtaken)
    woken.watcher.arm("task", [path])
    until(lambda: woken.tasks == ["task"], "the waking")


def test_limits_of_the_machine_are_told_once(tmp_path: Path, woken: Woken, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_text("")

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(woken.watcher._inotify, "add_watch", refuse)
    for _ in range(3):
        woken.watcher.arm("task", [path, path])
    assert woken.limits == ["No space left on device"]


def test_without_the_library_nothing_is_woken_and_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "INotify", None)
    found = Woken()
    found.watcher.start()
    found.watcher.arm("task", [tmp_path])
    found.watcher.stop()
    assert found.tasks == []


def test_a_commit_in_another_process_wakes(tmp_path: Path, woken: Woken) -> None:
    path = tmp_path / "app.db"
    create(path)
    with App(path) as app:
        app.fill(1)
        woken.watcher.arm("task", [Path(f"{path}-wal"), path])
        app.fill(1)
        until(lambda: "task" in woken.tasks, "the commit")
        count = len(woken.tasks)
        woken.watcher.arm("task", [Path(f"{path}-wal"), path])
        app.checkpoint("PASSIVE")
        until(lambda: len(woken.tasks) > count, "the checkpoint")
