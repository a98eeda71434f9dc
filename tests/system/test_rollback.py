"""Rollbacks of a running application: killed before, during and after every step, and by a power cut.

Promised each time: the present database or the restored one is in place, whole; after `-resume` or `-abort` the
application runs again; the daemon goes on in the same history, in which the rolled-back future can still be restored.
"""

import random
from dataclasses import dataclass, field
from itertools import cycle

import pytest

from tests.support.machine import Machine
from tests.support.rollback_points import POINTS
from tests.support.waiting import until
from tests.system import app

RUNS = {"bookworm": 100, "trixie": 12}


@dataclass
class Story:
    """One application in a machine. `undone`: words that a rollback has taken away, with a time at which they were
    there."""

    machine: Machine
    undone: list[tuple[str, str]] = field(default_factory=list)

    def mark(self, word: str) -> str:
        """Commit a row, have it on the replica; out: a time after it, and before anything later."""
        app.write(self.machine, word)
        self.machine.run("litestreamd sync -wait app")
        return self.now()

    def now(self) -> str:
        """With a little distance to what comes next: times of points are whole milliseconds."""
        return self.machine.out("date -u +%Y-%m-%dT%H:%M:%S.%3NZ; sleep 0.005")

    def roll_back(self, moment: str, crash_at: str = "", kill_after: float | None = None) -> int:
        timed = f"timeout -s KILL {kill_after:.3f} " if kill_after is not None else ""
        armed = {"LITESTREAMD_CRASH_AT": crash_at} if crash_at else {}
        return self.machine.run(
            f"{timed}litestreamd-restore -timestamp {moment} -yes app", check=False, env=armed
        ).returncode

    def is_whole(self) -> None:
        assert self.machine.out([*app.WRITING, app.DATABASE, "pragma integrity_check"]) == "ok"

    def runs(self) -> None:
        assert self.machine.show("app.service", "ActiveState") == "active"
        before = app.count(self.machine)
        until(lambda: app.count(self.machine) > before, "the application writes")

    def is_restorable(self, moment: str, *words: str) -> None:
        """What the replica gives for that time."""
        self.machine.run(f"litestreamd restore -o /root/copy.db -timestamp {moment} app")
        found = app.rows(self.machine, "/root/copy.db")
        assert [word for word in words if word not in found] == []
        self.machine.run("rm /root/copy.db")


@pytest.fixture
def story(machine: Machine) -> Story:
    app.install(machine, "{path: /srv/backup/app}")
    machine.run("install -d -o app -g app /srv/backup /srv/backup/app")
    # Nobody else starts an application a hundred times in a row.
    machine.write("/etc/systemd/system/app.service.d/often.conf", "[Unit]\nStartLimitIntervalSec=0\n")
    machine.run("litestreamd init app -user app -group app && systemctl daemon-reload")
    machine.run("systemctl start app litestreamd@app")
    machine.wait("app.service", "ActiveState", "active")
    until(lambda: app.count(machine) > 3, "the application writes")
    return Story(machine)


def test_a_hundred_killed_rollbacks(story: Story, release: str) -> None:
    machine, seed = story.machine, random.randrange(1 << 32)
    chance, points, ways = (
        random.Random(seed),
        cycle(POINTS),
        cycle(["-resume", "-abort", "-resume", "-abort", "-abort"]),
    )
    pid = machine.show("app.service", "MainPID")
    for number in range(RUNS[release]):
        good, bad = f"good-{number}", f"bad-{number}"
        told = f"seed {seed}, run {number}"
        moment = story.mark(good)
        later = story.mark(bad)
        if number % 2:
            code = story.roll_back(moment, kill_after=chance.uniform(0.25, 1.6))
        else:
            code = story.roll_back(moment, crash_at=next(points))
            assert code == 137, told
        story.is_whole()
        assert good in app.rows(machine), told
        way = next(ways)
        done = machine.run(f"litestreamd-restore {way} app", check=False)
        assert done.returncode in (0, 1, 64), f"{told}: {done.stderr}"
        story.is_whole()
        found = app.rows(machine)
        assert good in found, told
        if way == "-resume" and done.returncode == 0:
            assert bad not in found, told
        if bad not in found:
            story.undone.append((bad, later))
        if done.returncode == 64:  # killed before the plan was written, or after all was done
            machine.run("systemctl start litestreamd@app app")
        story.runs()
    assert machine.show("app.service", "MainPID") != pid
    assert story.undone
    # One history, one image, all of it: what was rolled back, and what is there now.
    for bad, later in story.undone[-10:]:
        story.is_restorable(later, bad)
    last = story.mark("the present")
    story.is_restorable(last, "the present", *[word for word in app.rows(machine) if word.startswith(("good", "bad"))])
    assert machine.out("ls /srv/backup/app/ltx/9").splitlines().__len__() == 1
    assert machine.out("find /var/lib/app /var/lib/litestreamd/app ! -user app") == ""


@pytest.mark.parametrize("point", ["rollback.restored", "rollback.stopped", "rollback.exchanged"])
def test_a_power_cut(story: Story, point: str) -> None:
    machine = story.machine
    moment = story.mark("good")
    later = story.mark("bad")
    armed = f"LITESTREAMD_CRASH_AT={point}:1:freeze"
    machine.run(f"systemd-run -q --unit=operator -E {armed} litestreamd-restore -timestamp {moment} -yes app")
    stage = {"rollback.restored": "restored", "rollback.stopped": "stopped", "rollback.exchanged": "stopped"}[point]
    plan = "/var/lib/litestreamd/app/*/rollback/plan.json"
    until(lambda: f'"{stage}"' in machine.out(f"cat {plan}", check=False), "it is at that point")
    if point == "rollback.exchanged":
        until(lambda: machine.out(f"ls {app.DATABASE}.before-*", check=False), "it is at that point")
    machine.cut_power()
    machine.boot()
    # Whatever it was, the application is up again: on the present database, or on the restored one.
    machine.wait("app.service", "ActiveState", "active")
    story.is_whole()
    found = app.rows(machine)
    assert "good" in found
    assert ("bad" in found) == (point == "rollback.restored")
    machine.run("litestreamd-restore -resume app")
    story.runs()
    assert "bad" not in app.rows(machine)
    story.is_restorable(later, "good", "bad")


def test_what_it_says_and_what_it_leaves(story: Story) -> None:
    """The plan, the question, the outcome; nothing of root's; the second rollback brings the future back."""
    machine = story.machine
    moment = story.mark("good")
    later = story.mark("bad")
    shown = machine.out(f"litestreamd-restore -timestamp {moment} -dry-run app")
    assert "stopped: litestreamd@app.service, app.service" in shown
    assert f"the present is kept as {app.DATABASE}.before-" in shown
    refused = machine.run(f"litestreamd-restore -timestamp {moment} app", check=False)
    assert refused.returncode == 64
    assert "say -yes" in refused.stderr
    assert "bad" in app.rows(machine)

    program = f"import sqlite3, time; db = sqlite3.connect('{app.DATABASE}'); db.execute('select 1 from rows')"
    program += "; time.sleep(600)"
    stranger = machine.out(f'python3 -c "{program}" >/dev/null 2>&1 & echo $!')
    until(lambda: app.DATABASE in machine.out(f"ls -l /proc/{stranger}/fd", check=False), "a stranger has it open")
    busy = machine.run(f"litestreamd-restore -timestamp {moment} -yes app", check=False)
    assert busy.returncode == 75, busy.stdout + busy.stderr
    assert "outside of systemd" in busy.stderr and "(python3)" in busy.stderr
    assert machine.show("app.service", "ActiveState") == "active"
    machine.run(f"kill {stranger}")

    done = machine.out(f"litestreamd-restore -timestamp {moment} -yes app")
    assert "rolled back" in done and "stopped for" in done
    story.runs()
    found = app.rows(machine)
    assert "good" in found and "bad" not in found
    entry = machine.wait_journal("MESSAGE_ID=7d1f3c9a5b2e4f60a8c4d2e19b7f0a15")
    assert entry["LITESTREAMD_DB"] == app.DATABASE
    assert machine.out("find /var/lib/app /var/lib/litestreamd/app ! -user app") == ""
    machine.run("litestreamd sync -wait app && litestreamd verify app", timeout=300)

    # Back to the future: a rollback like any other.
    machine.run(f"litestreamd-restore -timestamp {later} -yes app")
    story.runs()
    assert "bad" in app.rows(machine)
