"""The script that sets up machines to try it on (the Vagrantfile's), on minimal machines, and what it says to try next.

On Debian 12 with the store that it sets up itself, on Debian 13 with a store that is there already, then with a folder.
"""

import re
import subprocess
from pathlib import Path

import pytest

from tests.packages.debs import Debs, give
from tests.support import tools
from tests.support.machine import Machine
from tests.support.ports import free_port
from tests.support.programs import TREE
from tests.support.s3_servers import demand, shared
from tests.support.waiting import until

PROVISION = TREE / "packaging" / "vagrant" / "provision.sh"
DATABASE = "/var/lib/app/app.db"
ASK = "import sqlite3; print(*sqlite3.connect('file:{}?mode=ro', uri=True, timeout=10).execute('{}').fetchone())"


def provision(machine: Machine, **environment: str) -> str:
    """Run it; out: what it printed."""
    machine.write("/root/provision.sh", PROVISION.read_text(), 0o755)
    return machine.out("/root/provision.sh", env={"PACKAGES": "/root/packages", **environment}, timeout=250)


def orders(machine: Machine, question: str = "select count(*) from orders", database: str = DATABASE) -> int:
    return int(machine.out(["python3", "-c", ASK.format(database, question)]))


def wheels(folder: Path) -> list[Path]:
    """The emulator and all it needs, for the Python of Debian 12."""
    demand("ministack")
    (wanted,) = re.findall(r"^emulator=(\S+)$", PROVISION.read_text(), re.MULTILINE)
    subprocess.run(
        [tools.TOOLS / "ministack" / "bin" / "python", "-m", "pip", "download", "--quiet", "--only-binary=:all:",
         "--python-version=3.11", "--dest", folder, wanted],
        check=True, capture_output=True, timeout=250,
    )  # fmt: skip
    return sorted(folder.glob("*.whl"))


def own_store(machine: Machine, folder: Path) -> dict[str, str]:
    """Nothing said but the port, which the host's servers share, and where pip finds what it would fetch."""
    for wheel in wheels(folder):
        machine.write(f"/root/wheels/{wheel.name}", wheel.read_bytes())
    return {"S3_PORT": str(free_port()), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/root/wheels"}


def given_store() -> dict[str, str]:
    server = shared("ministack")
    access = server.access
    return {
        "S3_ENDPOINT": access.endpoint, "S3_BUCKET": server.make_bucket(),
        "S3_ACCESS_KEY_ID": access.access_key, "S3_SECRET_ACCESS_KEY": access.secret_key,
    }  # fmt: skip


def suggested(told: str) -> tuple[list[str], list[str], str]:
    """What it says to try: commands that look, those that lose the database, and the way back in time."""
    text = told.partition("try next:")[2]
    assert text, told[-2000:]
    groups = [re.findall(r"^    (.*?)(?: +#.*)?$", part, re.M) for part in re.split(r"^[A-Z].*:$", text, flags=re.M)]
    look, lose, (back,) = groups
    return look, lose, back


def tried(machine: Machine, told: str) -> None:
    """All that it says, in its order."""
    look, lose, back = suggested(told)
    assert len(look) == 5 and len(lose) == 3
    for command in look:
        machine.run(command)
    assert orders(machine, database="/tmp/app.db") > 0
    assert "equal to the live database" in machine.out(look[-1])

    before = orders(machine)
    machine.run(lose[0])
    machine.run(lose[1])
    assert not machine.out("ls /var/lib/app")
    machine.run(lose[2])
    until(lambda: orders(machine, "select max(number) from orders") > before, "it goes on where it was")
    assert orders(machine, "select min(number) from orders") == 1
    assert orders(machine, "select count(*) - max(number) from orders") == 0, "no order is missing"

    # On a terminal it asks; and nobody waits for half a minute here.
    machine.run(["litestreamd", "sync", "-wait", "app"])
    assert "'30s ago'" in back
    machine.run(back.replace("30s", "2s").replace(" app", " -yes app"))
    machine.run("ls /var/lib/app/app.db.before-*")
    for unit in ("app", "litestreamd@app"):
        machine.wait(f"{unit}.service", "ActiveState", "active")
    machine.run("litestreamd sync -wait app")


@pytest.mark.timeout(600)
def test_a_machine_to_try_it_on(debs: Debs, minimal: Machine, release: str, tmp_path: Path) -> None:
    give(minimal, debs.present)
    store = own_store(minimal, tmp_path) if release == "bookworm" else given_store()
    told = provision(minimal, **store)
    for unit in ("app", "litestreamd@app", *["demo-s3"] * (release == "bookworm")):
        minimal.run(["systemctl", "is-enabled", unit])
        minimal.run(["systemctl", "is-active", unit])
    assert minimal.show("litestreamd@app.service", "User") == "app"
    assert minimal.out("stat -c '%a %U' /etc/litestreamd/keys/app/*").split() == ["600", "root"] * 2
    tried(minimal, told)

    before = orders(minimal)
    if release == "bookworm":
        # Once more, as `vagrant provision` does: nothing is begun anew.
        assert suggested(provision(minimal, **store)) == suggested(told)
        assert orders(minimal) >= before
    else:
        minimal.run("systemctl -q disable --now litestreamd@app")
        minimal.run(
            "rm -r /etc/litestreamd/app.yml /etc/litestreamd/keys /etc/systemd/system/litestreamd*@app.service.d"
        )
        provision(minimal, REPLICA="/srv/backup/app")
        minimal.run("litestreamd restore -o /tmp/again.db app")
        assert orders(minimal, database="/tmp/again.db") >= before
