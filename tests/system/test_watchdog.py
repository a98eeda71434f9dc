"""A daemon that hangs is found out by systemd, says where it stood, and comes back; no commit is lost."""

import socket

import pytest

from tests.support.machine import Machine
from tests.support.waiting import until
from tests.system import app

IMPATIENT = "[Service]\nWatchdogSec=4s\nRestartSec=100ms\n"


def drop_in(machine: Machine, text: str, name: str = "test") -> None:
    machine.write(f"/etc/systemd/system/litestreamd@app.service.d/{name}.conf", text)
    machine.run("systemctl daemon-reload")


def restarts(machine: Machine) -> int:
    return int(machine.show("litestreamd@app.service", "NRestarts"))


@pytest.mark.parametrize("place", ["capture.before-spool", "push.before-create"])
def test_a_worker_that_stands_still(machine: Machine, place: str) -> None:
    app.install(machine, "{path: /srv/backup/app}")
    machine.run("install -d /srv/backup")
    # The third time that a worker comes by it stands still; after the restart it must not.
    machine.write("/run/frozen", f"LITESTREAMD_CRASH_AT={place}:3:freeze\n")
    machine.run("chmod 644 /run/frozen")
    drop_in(machine, IMPATIENT + "EnvironmentFile=-/run/frozen\n")
    machine.run("systemctl start app litestreamd@app")
    until(lambda: app.count(machine) > 20, "the application writes")
    machine.run("rm /run/frozen")
    until(lambda: restarts(machine) > 0, "the watchdog has acted", 60)
    machine.wait("litestreamd@app.service", "ActiveState", "active")
    told = machine.text("litestreamd@app", 400)
    assert "has made no progress" in told
    assert "Watchdog timeout" in told
    assert "Fatal Python error: Aborted" in told and "passing" in told, "the stacks are in the journal"
    pid = machine.show("app.service", "MainPID")
    machine.run("litestreamd sync -wait app")
    machine.run("systemctl stop app litestreamd@app")
    rows = app.rows(machine)
    machine.run(f"litestreamd restore -config /etc/litestreamd/app.yml -o /root/copy.db {app.DATABASE}")
    assert app.rows(machine, "/root/copy.db") == rows
    assert pid != "0", "the application was never disturbed"


def test_work_that_takes_long_is_not_taken_for_a_hang(machine: Machine) -> None:
    """A first image of a database that takes several times the watchdog's patience, with the checksum in Python."""
    app.install(machine, "{path: /srv/backup/app}")
    machine.run("install -d /srv/backup && systemctl start app")
    fill = "create table big (x); insert into big select randomblob(1000000) from generate_series(1, 40);"
    machine.run([*app.WRITING, app.DATABASE, fill])
    drop_in(machine, "[Service]\nWatchdogSec=2s\n")
    machine.run("systemctl start litestreamd@app")
    machine.run("litestreamd sync -wait -timeout 120s app", timeout=150)
    assert restarts(machine) == 0
    machine.run("litestreamd status app")


def test_the_whole_process_stopped(machine: Machine) -> None:
    """SIGSTOP: nobody feeds the watchdog, and the signal that systemd sends is delivered only by SIGKILL."""
    app.install(machine, "{path: /srv/backup/app}")
    machine.run("install -d /srv/backup")
    drop_in(machine, IMPATIENT + "TimeoutAbortSec=2s\n")
    machine.run("systemctl start app litestreamd@app && systemctl kill -s STOP litestreamd@app")
    until(lambda: restarts(machine) > 0, "the watchdog has acted", 60)
    machine.wait("litestreamd@app.service", "ActiveState", "active")
    machine.run("litestreamd sync -wait app")


def test_a_store_that_hangs_for_ever(machine: Machine) -> None:
    """Its requests have deadlines, so that nobody takes them for a hang of ours; the other replica goes on."""
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connections are accepted by the kernel, and that is all
        port = silent.getsockname()[1]
        keys = "access-key-id: k, secret-access-key: s"
        app.install(machine, "{path: /srv/backup/app}", {"shutdown-sync-timeout": "1s"}, enable=False)
        app.start_alone(machine)
        text = machine.read("/etc/litestreamd/app.yml").replace("    replica: ", "    replicas:\n      - ")
        text += f"      - {{type: s3, bucket: b, endpoint: 'http://127.0.0.1:{port}', {keys}}}\n"
        machine.write("/etc/litestreamd/app.yml", text)
        machine.run("install -d /srv/backup")
        drop_in(machine, IMPATIENT)
        machine.run("systemctl start litestreamd@app")
        machine.wait("litestreamd@app.service", "ActiveState", "active")
        machine.wait_journal(
            "-u", "litestreamd@app", "LITESTREAMD_REPLICA=s3", "LITESTREAMD_EVENT=Problem", seconds=120
        )
        before = machine.run("litestreamd sync app").stdout
        until(lambda: machine.run("litestreamd sync app").stdout != before, "commits are captured")
        status = machine.run("litestreamd status app", check=False)
        assert status.returncode == 3
        assert "in sync" in status.stdout and "failing" in status.stdout
        assert restarts(machine) == 0
        machine.run("systemctl stop app")
        machine.run("systemctl stop litestreamd@app", timeout=150)
        rows = app.rows(machine)
        restored = f"restore -config /etc/litestreamd/app.yml -replica file -o /root/copy.db {app.DATABASE}"
        machine.run(f"litestreamd {restored}")
        assert app.rows(machine, "/root/copy.db") == rows
