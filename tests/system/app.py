"""An application in a machine: a service that writes a row now and then, and what is known of its rows.

In: a machine. Out: app.service with a database of its own, under a user of its own.
The application makes its table when there is none, writes the first row before it says that it is ready, and the last
one when it is told to stop: what is lost at either end is seen.
"""

from collections.abc import Mapping

from tests.support.machine import Machine
from tests.support.waiting import until

DATABASE = "/var/lib/app/app.db"
PROGRAM = """#!/usr/bin/python3 -I
import os, signal, sqlite3, sys, time
os.umask(0o027)
db = sqlite3.connect("/var/lib/app/app.db", isolation_level=None, timeout=30)
db.execute("PRAGMA journal_mode=wal")
db.execute("PRAGMA synchronous=full")
db.execute("CREATE TABLE IF NOT EXISTS rows (n INTEGER PRIMARY KEY, word TEXT, at REAL)")
found = db.execute("SELECT count(*) FROM rows").fetchone()[0]
def write(word):
    db.execute("INSERT INTO rows (word, at) VALUES (?, ?)", (word, time.time()))
def stop(*_):
    write("last words")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
write("hello, found %d rows" % found)
print("ready, found", found, "rows", flush=True)
while True:
    time.sleep(0.05)
    write("tick")
"""
UNIT = """
[Unit]
Description=An application with a database
[Service]
User=app
Group=app
StateDirectory=app
StateDirectoryMode=0750
ExecStart=/usr/local/bin/app
Restart=on-failure
[Install]
WantedBy=multi-user.target
"""
# The application writes all the time, and its commit may hold the lock just now.
WRITING = ("sqlite3", "-cmd", ".timeout 30000")
READING = (*WRITING, "-readonly")


def install(machine: Machine, replica: str, top: Mapping[str, str] | None = None, enable: bool = True) -> None:
    """The application, and an instance that protects it. `replica`: the mapping of the configuration, as YAML."""
    machine.run("useradd --system --user-group --no-create-home app")
    machine.write("/usr/local/bin/app", PROGRAM, 0o755)
    machine.write("/etc/systemd/system/app.service", UNIT)
    machine.run("install -d -o app -g app -m 750 /var/lib/app")
    configure(machine, replica, top)
    machine.run("systemctl daemon-reload")
    if enable:
        machine.run("systemctl enable app litestreamd@app")


def start_alone(machine: Machine) -> None:
    """The application with a database of its own, before anybody protects it."""
    machine.run("systemctl start app")
    until(lambda: count(machine) > 3, "the application writes")


def configure(machine: Machine, replica: str, top: Mapping[str, str] | None = None) -> None:
    """Write the configuration of the instance."""
    lines = [f"{key}: {value}" for key, value in (top or {}).items()]
    lines += ["dbs:", f"  - path: {DATABASE}", f"    replica: {replica}"]
    machine.write("/etc/litestreamd/app.yml", "\n".join(lines) + "\n")


def rows(machine: Machine, database: str = DATABASE) -> list[str]:
    """What is in the database, in order."""
    return machine.out([*READING, database, "select word from rows order by n"]).splitlines()


def write(machine: Machine, word: str) -> None:
    """A row by somebody else than the application, beside it."""
    machine.run([*WRITING, DATABASE, f"insert into rows (word) values ('{word}')"])


def count(machine: Machine) -> int:
    """How many rows there are; 0 as long as there is no table."""
    return int(machine.out([*READING, DATABASE, "select count(*) from rows"], check=False) or 0)
