"""An operator at work on a machine: sets an instance up in one command, asks the doctor, has damage healed."""

import json

from tests.support.machine import Machine
from tests.support.waiting import until
from tests.system import app

DAMAGE = """
import pathlib, sys
path = pathlib.Path(sys.argv[1])
body = bytearray(path.read_bytes())
body[len(body) // 2] ^= 1
path.write_bytes(body)
"""


def set_up(machine: Machine) -> None:
    """By `init` alone: application first, then its protection."""
    app.install(machine, "{path: /srv/backup/app}", enable=False)
    machine.run("rm /etc/litestreamd/app.yml && systemctl enable --now app")
    until(lambda: app.count(machine) > 3, "the application writes")
    machine.run("install -d -o app -g app /srv/backup /srv/backup/app")
    told = machine.run(f"litestreamd init -db {app.DATABASE} -replica /srv/backup/app app")
    assert told.stdout.splitlines()[-1] == "  litestreamd doctor app"
    assert "is on the disk of the database" in told.stderr
    machine.run(told.stdout.splitlines()[-2])
    machine.wait("litestreamd@app.service", "ActiveState", "active")
    machine.run("litestreamd sync -wait app")


def findings(machine: Machine) -> tuple[int, dict[str, str]]:
    done = machine.run("litestreamd doctor -json app", check=False)
    return done.returncode, {f"{each['check']}: {each['text']}": each["verdict"] for each in json.loads(done.stdout)}


def test_the_doctor_finds_what_is_wrong_and_nothing_else(machine: Machine) -> None:
    set_up(machine)
    code, found = findings(machine)
    assert code == 0, found
    wrong = {text for text, verdict in found.items() if verdict != "ok"}
    # The libraries of these releases have known bugs, this disk is the only one, and nobody keeps a container's clock.
    assert {text.partition(":")[0] for text in wrong} <= {"replica file", "sqlite", "clock"}, wrong
    assert any("app.service waits for the restore" in text for text in found)
    assert any("the service runs as app" in text for text in found)
    assert machine.out("find /srv/backup /var/lib/app /var/lib/litestreamd/app ! -user app") == ""

    machine.run("systemctl stop litestreamd@app && systemctl disable litestreamd@app")
    machine.run(f"touch {app.DATABASE}-journal && chown root {app.DATABASE}-journal")
    machine.run("chown root:root /srv/backup/app && chmod 700 /srv/backup/app")
    code, found = findings(machine)
    wrong = {text for text, verdict in found.items() if verdict == "error"}
    assert code == 77
    assert any(text.startswith("side files") for text in wrong), wrong
    assert any(text.startswith("replica file") for text in wrong), wrong
    assert any("does not run" in text for text in wrong), wrong


def test_damage_is_found_by_the_weekly_look_and_healed_by_the_daemon(machine: Machine) -> None:
    set_up(machine)
    assert machine.show("litestreamd-verify-all@app.timer", "ActiveState") == "active"
    machine.run("systemctl start litestreamd-verify-all@app", timeout=300)
    first = machine.out("ls /srv/backup/app/ltx/0/*.ltx").split()[0]
    machine.run(["python3", "-c", DAMAGE, first])
    machine.run("systemctl start litestreamd-verify-all@app", check=False, timeout=300)
    assert machine.show("litestreamd-verify-all@app.service", "Result") == "exit-code"
    healed = machine.wait_journal("MESSAGE_ID=7d1f3c9a5b2e4f60a8c4d2e19b7f0a0a")
    assert first.rpartition("/")[2] in healed["LITESTREAMD_NAME"]
    machine.run("litestreamd sync -wait app")
    machine.run("systemctl start litestreamd-verify-all@app litestreamd-verify@app", timeout=300)
    assert "ok" in machine.out("litestreamd status app", check=False)
    assert machine.out("find /var/lib/litestreamd/app ! -user app") == ""
