"""What it is all for, on real machines: a database outlives its machine, and the application notices nothing."""

from collections.abc import Callable

import pytest

from tests.support.machine import Machine
from tests.support.s3_servers import shared
from tests.support.waiting import until
from tests.system import app

AS_OWNER = pytest.mark.parametrize("owner", [False, True], ids=["root", "owner"])


def bucket() -> str:
    """An empty replica that both machines reach."""
    server = shared("ministack")
    access = server.access
    return (
        f"{{type: s3, bucket: {server.make_bucket()}, path: app, endpoint: '{access.endpoint}', region: us-east-1,"
        f" access-key-id: '{access.access_key}', secret-access-key: '{access.secret_key}', force-path-style: true}}"
    )


def started(machine: Machine) -> None:
    machine.wait("app.service", "ActiveState", "active")
    machine.wait("litestreamd@app.service", "ActiveState", "active")


def goes_on(machine: Machine) -> None:
    before = app.count(machine)
    until(lambda: app.count(machine) > before + 3, "the application writes")


def made_owners(machine: Machine) -> None:
    """The drop-in of `init`."""
    machine.run("litestreamd init app -user app -group app && systemctl daemon-reload")


@AS_OWNER
def test_a_database_outlives_its_machine(new_machine: Callable[[], Machine], owner: bool) -> None:
    replica = bucket()
    first = new_machine()
    app.install(first, replica)
    if owner:
        made_owners(first)
    # A fresh machine and an empty replica: the application starts on a database of its own.
    first.run("systemctl start app litestreamd@app")
    started(first)
    assert "nothing to restore" in first.text("litestreamd-restore@app") + first.text("litestreamd@app")
    until(lambda: app.count(first) > 20, "the application writes")
    assert app.rows(first)[0] == "hello, found 0 rows"

    # In order: the application's very last row is on the replica.
    first.run("systemctl stop app && litestreamd sync -wait app")
    first.run("systemctl start app")
    until(lambda: app.rows(first)[-1] == "tick", "it goes on")
    first.run("litestreamd sync -wait app")
    acknowledged = app.count(first)
    app.write(first, "acknowledged")
    first.run("litestreamd sync -wait app")
    first.cut_power()

    second = new_machine()
    app.install(second, replica)
    if owner:
        made_owners(second)
    second.run("systemctl start app litestreamd@app")
    started(second)
    second.wait_journal("-u", "app", "--grep=ready, found")
    found = app.rows(second)
    assert "acknowledged" in found
    hellos = [(number, word) for number, word in enumerate(found) if word.startswith("hello")]
    number, word = hellos[-1]
    assert number > acknowledged, f"it was there before the application's first statement: {hellos}"
    assert word == f"hello, found {number} rows"
    assert second.out(f"stat -c '%U:%G' {app.DATABASE}") == "app:app"

    second.run("litestreamd sync -wait app")
    answer = second.run("litestreamd verify app", check=False, timeout=300)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@AS_OWNER
def test_the_order_of_a_reboot_and_the_last_row_of_a_shutdown(new_machine: Callable[[], Machine], owner: bool) -> None:
    machine = new_machine()
    app.install(machine, "{path: /srv/backup/app}")
    machine.run("install -d -o app -g app /srv/backup /srv/backup/app")
    if owner:
        made_owners(machine)
    machine.run("systemctl start app litestreamd@app")
    started(machine)
    until(lambda: app.count(machine) > 5, "the application writes")
    machine.reboot()
    started(machine)
    when = {
        unit: int(machine.show(unit, "ActiveEnterTimestampMonotonic"))
        for unit in ("litestreamd@app.service", "app.service")
    }
    restored = int(machine.show("litestreamd-restore@app.service", "ExecMainExitTimestampMonotonic"))
    began = int(machine.show("app.service", "ExecMainStartTimestampMonotonic"))
    assert restored <= when["litestreamd@app.service"] <= began
    # What the application wrote when it was told to stop for the reboot is on the replica: nothing was left behind.
    told = machine.journal("-b", "-1", "-u", "litestreamd@app", "LITESTREAMD_EVENT=Closed")
    assert "every replica has everything" in told[-1]["MESSAGE"]
    machine.run("systemctl stop app litestreamd@app")
    last = app.rows(machine)
    machine.run(f"litestreamd restore -o /root/copy.db {app.DATABASE} -config /etc/litestreamd/app.yml")
    assert app.rows(machine, "/root/copy.db") == last
    assert last[-1] == "last words"
    assert last.count("last words") == 2


def test_restart_reload_and_stop_never_disturb_the_application(machine: Machine) -> None:
    app.install(machine, "{path: /srv/backup/app}")
    machine.run("install -d /srv/backup && systemctl start app litestreamd@app")
    started(machine)
    pid = machine.show("app.service", "MainPID")
    for verb in ("restart", "reload", "stop", "start"):
        machine.run(["systemctl", verb, "litestreamd@app"])
        goes_on(machine)
    machine.wait("litestreamd@app.service", "ActiveState", "active")
    assert machine.show("app.service", "MainPID") == pid
    machine.run("litestreamd sync -wait app")
    status = machine.out("litestreamd status app")
    assert "watched" in status and "in sync" in status


def test_a_store_that_does_not_answer_at_boot(machine: Machine) -> None:
    """With the database there the application starts at once; without it, it waits, and starts by itself."""
    app.install(machine, "{path: /srv/backup/app}")
    machine.run("install -d /srv/backup && systemctl start app litestreamd@app")
    started(machine)
    until(lambda: app.count(machine) > 5, "the application writes")
    machine.run("systemctl stop app && litestreamd sync -wait app && systemctl stop litestreamd@app")
    before = app.count(machine)
    machine.run("mv /srv/backup /srv/away")
    machine.run("systemctl start app litestreamd@app", timeout=60)
    started(machine)
    until(lambda: app.count(machine) > before + 3, "the application writes without its replica")
    machine.run("systemctl stop app litestreamd@app", check=False)

    machine.run("rm -r /var/lib/app/*")
    machine.run("systemctl start --no-block app litestreamd@app")
    entry = machine.wait_journal("MESSAGE_ID=7d1f3c9a5b2e4f60a8c4d2e19b7f0a10")
    assert "is missing and cannot be restored yet" in entry["MESSAGE"]
    assert machine.show("app.service", "ActiveState") == "inactive"
    status = machine.show("litestreamd-restore@app.service", "StatusText")
    assert status.startswith(f"{app.DATABASE} is missing and cannot be restored yet"), status
    machine.run("mv /srv/away /srv/backup")
    started(machine)
    until(lambda: app.count(machine) > before + 1, "the application writes")
    assert f"hello, found {before} rows" in app.rows(machine)


def test_files_beside_the_database_belong_to_its_owner(release: str, new_machine: Callable[[], Machine]) -> None:
    machine = new_machine()
    app.install(machine, "{path: /srv/backup/app}")
    machine.run("install -d -o app -g app /srv/backup /srv/backup/app && systemctl start app")
    machine.wait("app.service", "ActiveState", "active")
    until(lambda: app.count(machine) > 3, "the application writes")
    for owner in (False, True):
        if owner:
            machine.run("systemctl stop litestreamd@app && chown -R app:app /srv/backup")
            made_owners(machine)
        machine.run("systemctl stop app && rm -f /var/lib/app/app.db-wal /var/lib/app/app.db-shm")
        machine.run("systemctl start litestreamd@app")  # now it is the first to open the file
        machine.run("litestreamd sync -wait app")
        for act in ("true", "systemctl kill -s KILL litestreamd@app"):
            machine.run(act)
            listed = machine.out("stat -c '%U:%G %a %n' /var/lib/app/app.db*").splitlines()
            assert len(listed) >= 1
            assert {line.rsplit(" ", 1)[0] for line in listed} == {"app:app 640"}, listed
            machine.run("systemctl start app")
            goes_on(machine)
            machine.run("systemctl stop app")
            machine.wait("litestreamd@app.service", "ActiveState", "active", 30)
