"""The night story (docs/rollback.md), as it is lived through: a bad migration, one command, the shop is open again.

The minute between the last good moment and the migration is played in a second. The time taken is printed (pytest -s).
"""

import re
import time

from tests.support.machine import Machine
from tests.support.waiting import until
from tests.system import app

SHOP = """#!/usr/bin/python3 -I
import sqlite3, time
db = sqlite3.connect("/var/lib/app/app.db", isolation_level=None, timeout=30)
db.execute("PRAGMA journal_mode=wal")
db.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, total INTEGER)")
print("open", flush=True)
while True:
    db.execute("INSERT INTO orders (total) VALUES (42)")
    time.sleep(0.02)
"""
MIGRATION = "UPDATE orders SET total = 0; CREATE TABLE nonsense AS SELECT * FROM orders"


def ask(machine: Machine, sql: str, database: str = app.DATABASE, check: bool = True) -> str:
    return machine.out([*app.WRITING, database, sql], check=check)


def orders(machine: Machine) -> int:
    """0 as long as there is no table. Read only: root's sqlite3 would make the database before the application does."""
    return int(machine.out([*app.READING, app.DATABASE, "SELECT count(*) FROM orders"], check=False) or 0)


def now(machine: Machine) -> str:
    return machine.out("sleep 0.005; date -u +%Y-%m-%dT%H:%M:%S.%3NZ; sleep 0.005")


def test_the_night(machine: Machine) -> None:
    app.install(machine, "{path: /srv/backup/app}")
    machine.write("/usr/local/bin/app", SHOP, 0o755)
    machine.run("install -d -o app -g app /srv/backup /srv/backup/app")
    machine.run("litestreamd init app -user app -group app && systemctl daemon-reload && systemctl start app")
    machine.wait("litestreamd@app.service", "ActiveState", "active")
    machine.wait("app.service", "ActiveState", "active")
    until(lambda: orders(machine) > 50, "the shop sells")

    # Points are an interval apart, a second: the barriers stand for the half minutes in between.
    sold_by_then = orders(machine)
    machine.run("litestreamd sync -wait app")
    good = now(machine)
    until(lambda: orders(machine) > sold_by_then + 20, "it sells on")
    machine.run("litestreamd sync -wait app")
    before_migration = now(machine)
    ask(machine, MIGRATION)
    assert int(ask(machine, "SELECT count(*) FROM orders WHERE total = 0")) > sold_by_then
    damage = ask(machine, "SELECT count(*) FROM orders WHERE total = 0")

    began = time.monotonic()
    done = machine.out(f"litestreamd-restore -yes -timestamp {good} app")
    took = time.monotonic() - began
    stood = re.search(r"stopped for ([0-9.]+m?s)", done)
    assert stood, done
    print(f"\nrolled back in {took:.1f} s, of which the application was stopped for {stood[1]}")

    # Nobody who reads along is told to finish or to give up what is going on.
    assert "is not finished" not in machine.text("litestreamd-restore@app") + machine.text("litestreamd@app")
    # The shop is open, nothing of the migration is left, and what had been sold by then is there.
    assert machine.show("app.service", "ActiveState") == "active"
    assert ask(machine, "SELECT count(*) FROM orders WHERE total = 0") == "0"
    assert ask(machine, "SELECT count(*) FROM sqlite_schema WHERE name = 'nonsense'") == "0"
    assert int(ask(machine, f"SELECT count(*) FROM orders WHERE id <= {sold_by_then}")) == sold_by_then
    found = orders(machine)
    until(lambda: orders(machine) > found, "the shop sells")

    # What was sold between the good moment and the migration is fetched out of the history.
    machine.run(f"litestreamd restore -timestamp {before_migration} -o /root/last-good.db app")
    assert int(ask(machine, "SELECT max(id) FROM orders", "/root/last-good.db")) >= sold_by_then + 20
    # And what was there when the command was given is kept, whole: as a file and in the history.
    kept = machine.out(f"ls {app.DATABASE}.before-*")
    assert ask(machine, "SELECT count(*) FROM orders WHERE total = 0", kept) == damage
    assert ask(machine, "PRAGMA integrity_check", kept) == "ok"
    machine.run("litestreamd sync -wait app")
    assert machine.out("ls /srv/backup/app/ltx/9 | wc -l") == "1", "no second full copy"
    machine.run("litestreamd verify app", timeout=300)
