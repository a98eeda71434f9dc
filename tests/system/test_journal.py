"""What an operator reads: fields, explanations, and the same through `litestreamd logs`."""

import json

from tests.support.machine import Machine
from tests.system import app

PROTECTED = "7d1f3c9a5b2e4f60a8c4d2e19b7f0a01"
FAILING = "7d1f3c9a5b2e4f60a8c4d2e19b7f0a05"
LEFT_BEHIND = "7d1f3c9a5b2e4f60a8c4d2e19b7f0a0d"
REFUSED = "7d1f3c9a5b2e4f60a8c4d2e19b7f0a0e"


def test_events_have_fields_and_explanations(machine: Machine) -> None:
    app.install(machine, "{path: /srv/backup/app}", {"logging": "{level: debug}", "shutdown-sync-timeout": "1s"})
    machine.run("install -d /srv/backup && systemctl start app litestreamd@app && litestreamd sync -wait app")
    opened = machine.wait_journal(f"MESSAGE_ID={PROTECTED}")
    assert opened["LITESTREAMD_DB"] == app.DATABASE
    assert "app" in opened["LITESTREAMD_INSTANCE"]
    assert opened["LITESTREAMD_EVENT"] == "DatabaseOpened"
    assert opened["PRIORITY"] == "6"
    pushed = machine.wait_journal("LITESTREAMD_EVENT=Pushed")
    assert pushed["LITESTREAMD_REPLICA"] == "file"
    assert len(pushed["LITESTREAMD_TXID"]) == 16
    assert int(pushed["LITESTREAMD_BYTES"]) > 0
    assert pushed["LITESTREAMD_DURATION_MS"].isdigit()

    machine.run("mv /srv/backup /srv/away")
    failing = machine.wait_journal(f"MESSAGE_ID={FAILING}")
    assert failing["PRIORITY"] == "3"
    assert failing["LITESTREAMD_ERROR_CLASS"] == "StoreMissing"
    explained = machine.out(["journalctl", "-x", "--no-pager", f"MESSAGE_ID={FAILING}"])
    assert explained.count("\n") > 5 and "file" in explained

    machine.run("cp /etc/litestreamd/app.yml /root/good.yml && echo 'dbs: [' >/etc/litestreamd/app.yml")
    machine.run("systemctl reload litestreamd@app")
    assert machine.wait_journal(f"MESSAGE_ID={REFUSED}")
    machine.run("cp /root/good.yml /etc/litestreamd/app.yml && systemctl stop litestreamd@app")
    assert machine.wait_journal(f"MESSAGE_ID={LEFT_BEHIND}")
    assert machine.show("litestreamd@app.service", "ExecMainStatus") == "73"

    text = machine.out("litestreamd logs app")
    assert "opened" in text and "data left behind" in text
    lines = [json.loads(line) for line in machine.out("litestreamd logs -json app").splitlines()]
    kinds = {line.get("event") for line in lines}
    assert {"DatabaseOpened", "Captured", "Pushed", "Problem", "Closed"} <= kinds
    assert any(line["message"].startswith(("Started", "Starting")) for line in lines), "systemd's own words"
    assert machine.out("litestreamd logs -since '1ms ago' app") == ""


def test_without_the_journal_library_lines_keep_their_priority(machine: Machine) -> None:
    """python3-systemd is not installed: the text is there, with its level."""
    machine.run("rm -r /usr/lib/python3/dist-packages/systemd")
    app.install(machine, "{path: /srv/nowhere/app}", enable=False)
    app.start_alone(machine)
    machine.run("systemctl start litestreamd@app")
    entry = machine.wait_journal("-u", "litestreamd@app", "-p", "err", "--grep=is the disk mounted")
    assert entry["PRIORITY"] == "3"
    assert entry["LITESTREAMD_INSTANCE"] == "app"
