"""The drill by its timer, and where its failure goes."""

from tests.support.machine import Machine
from tests.support.waiting import until
from tests.system import app

HOOK = '#!/bin/sh\n{ echo "$LITESTREAMD_UNIT $LITESTREAMD_INSTANCE $LITESTREAMD_RESULT"; cat; } >>/run/hook\n'
ROT = """
import pathlib
for path in pathlib.Path('/srv/backup').rglob('*.ltx'):
    data = bytearray(path.read_bytes())
    data[120] ^= 1
    path.write_bytes(data)
"""
SOON = "[Timer]\nOnCalendar=\nOnActiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=100ms\nPersistent=no\n"


def test_the_timer_drills_and_a_failure_is_told(machine: Machine) -> None:
    app.install(machine, "{path: /srv/backup/app}", enable=False)
    machine.write("/etc/litestreamd/on-failure.d/10-tell", HOOK, 0o755)
    machine.run("install -d -o app -g app /srv/backup /srv/backup/app")
    machine.run("litestreamd init app -user app -group app")
    machine.write("/etc/systemd/system/litestreamd-verify@app.timer.d/soon.conf", SOON)
    machine.run("systemctl daemon-reload && systemctl start app")
    until(lambda: app.count(machine) > 10, "the application writes")
    machine.run("systemctl start litestreamd@app")  # which wants the timer
    assert machine.show("litestreamd-verify@app.timer", "ActiveState") == "active"
    entry = machine.wait_journal("MESSAGE_ID=7d1f3c9a5b2e4f60a8c4d2e19b7f0a11")
    assert entry["LITESTREAMD_DB"] == app.DATABASE
    until(lambda: "ok" in machine.out("litestreamd status app"), "the status knows of it")

    # Rot on the replica: every object is damaged at the same place.
    machine.run("systemctl stop app && litestreamd sync -wait app")
    machine.run(["python3", "-c", ROT])
    machine.run("systemctl start litestreamd-verify@app.service", check=False)
    assert machine.wait_journal("MESSAGE_ID=7d1f3c9a5b2e4f60a8c4d2e19b7f0a12")
    told = machine.wait_journal("MESSAGE_ID=7d1f3c9a5b2e4f60a8c4d2e19b7f0a13")
    assert told["LITESTREAMD_UNIT"] == "litestreamd-verify@app.service"
    until(
        lambda: "litestreamd-verify@app.service app exit-code" in machine.out("cat /run/hook", check=False), "the hook"
    )
    assert "damaged" in machine.read("/run/hook"), "the report has the unit's last lines"
    status = machine.run("litestreamd status app", check=False)
    assert "FAILED" in status.stdout
