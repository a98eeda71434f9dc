"""What a service of ours may not do, tried from within its sandbox; and that nothing runs beside it with more."""

import json

import pytest

from tests.support.machine import Machine
from tests.system import app

ATTEMPTS = {
    "write outside": "open('/usr/lib/planted', 'w')",
    "write another user's file": "open('/var/lib/other/secret', 'a')",
    "read another user's file": "open('/var/lib/other/secret').read()",
    "read the shadow": "open('/etc/shadow').read()",
    "make a setuid file": "os.chmod(os.environ['STATE_DIRECTORY'] + '/planted', 0o4755)",
    "a new user namespace": "assert libc.unshare(0x10000000) == 0, 'refused'",
    "a new mount namespace": "assert libc.unshare(0x20000) == 0, 'refused'",
    "memory that is written and run": "mmap.mmap(-1, 4096, prot=7)",
    "a packet socket": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "another host name": "socket.sethostname('planted')",
    "become another user": "os.setuid(1)",
    "real-time priority": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
    "see other users' processes": "open('/proc/1/environ').read()",
    "signal other users' processes": "os.kill(int(open('/run/victim').read()), 0)",
    "kernel settings": "open('/proc/sys/kernel/hostname', 'w').write('planted')",
}
TRIED = """
[Service]
Type=exec
Restart=no
ExecStartPre=
ExecStart=
ExecStart=/usr/bin/python3 /usr/local/lib/attempts.py
"""
SCRIPT = """
import ctypes, json, mmap, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
open(os.environ['STATE_DIRECTORY'] + '/planted', 'w').close()
told = {}
for name, attempt in json.load(open('/run/attempts.json')).items():
    try:
        exec(attempt)
    except Exception as error:
        told[name] = type(error).__name__
    else:
        told[name] = 'DONE'
print('TOLD ' + json.dumps(told), flush=True)
"""


@pytest.mark.parametrize("unit", ["litestreamd", "litestreamd-restore", "litestreamd-verify"])
def test_attempts_are_refused(machine: Machine, unit: str) -> None:
    """As the owner of the database, with the drop-in that init writes: the tightest, and what is recommended."""
    app.install(machine, "{path: /srv/backup/app}", enable=False)
    machine.run("install -d -o app -g app /srv/backup /srv/backup/app && systemctl start app")
    machine.run("useradd other && install -d -o other -m 700 /var/lib/other")
    machine.run(
        "echo secret >/var/lib/other/secret; chown other /var/lib/other/secret; chmod 600 /var/lib/other/secret"
    )
    machine.run("systemd-run --unit=victim --uid=other sleep 600 && systemctl show -P MainPID victim >/run/victim")
    machine.run("litestreamd init app -user app -group app")
    machine.write("/run/attempts.json", json.dumps(ATTEMPTS))
    machine.write("/usr/local/lib/attempts.py", SCRIPT)
    machine.write(f"/etc/systemd/system/{unit}@app.service.d/tried.conf", TRIED)
    machine.run(f"systemctl daemon-reload && systemctl start {unit}@app", check=False)
    entry = machine.wait_journal("-u", f"{unit}@app", "--grep=^TOLD")
    told = json.loads(entry["MESSAGE"].removeprefix("TOLD "))
    assert set(told) == set(ATTEMPTS)
    assert [name for name, answer in told.items() if answer == "DONE"] == []
