"""The Debian package on machines that had nothing of it: the story of the service, upgrade, downgrade, removal, purge.

Time from `apt install` to the first commit on a replica, sizes and dependencies are printed (pytest -s).
"""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.packages.debs import APT, FOLLOWING, Debs, build, give
from tests.packages.protected import ENABLE, has_everything, images, runs, set_up
from tests.support.machine import Machine
from tests.support.markdown import blocks
from tests.support.programs import LITESTREAM, TREE
from tests.support.waiting import until
from tests.system import test_story

COUNT = "import sqlite3; print(sqlite3.connect('/tmp/earlier.db').execute('select count(*) from rows').fetchone()[0])"
SCRAPE = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9186/metrics').read().decode())"
GUIDE = TREE / "docs" / "getting-started.md"


def test_the_first_page_of_the_documentation(debs: Debs, minimal: Machine, release: str) -> None:
    """Its commands, as they stand there, in their order, on a machine that has nothing of it."""
    give(minimal, debs.present)
    install, application, protect, *others = (each.text for each in blocks(GUIDE) if each.language == "sh")

    def run(script: str) -> str:
        return minimal.out(f'set -e; cd /root/packages; apt() {{ {APT} "$@"; }}\n{script}', timeout=300)

    began = time.monotonic()
    told = run(install)
    took = time.monotonic() - began
    run(application)
    until(
        lambda: "counter.db" in minimal.out("ls /var/lib/counter", check=False), "the application has made its database"
    )
    began = time.monotonic()
    run(protect)
    minimal.run("litestreamd sync -wait counter")
    first = took + time.monotonic() - began
    look, lose, read, *rest = others
    assert "equal to the live database" in run(look)
    run(lose)
    minimal.wait_journal("-u", "counter", "--grep=found [1-9]")
    assert re.search(r"found [1-9]\d* rows", run(read))
    for script in rest:
        run(script)
    assert minimal.out("stat -c %U:%G /var/lib/counter/counter.db") == "counter:counter"
    assert minimal.out(["python3", "-c", COUNT]) != "0"
    assert 'litestreamd_up{instance="counter"} 1' in minimal.out(["python3", "-c", SCRAPE])
    # Nothing of the program is a slow stand-in.
    assert minimal.out("litestreamd version -verbose | grep CRC").endswith("anycrc")
    assert minimal.out("ls /usr/share/man/man1/litestreamd-restore.1.gz") != ""

    size = int(minimal.out("dpkg-query -W -f '${Installed-Size}' litestreamd"))
    new = re.search(r"(\d+) newly installed", told)
    got = re.search(r"Need to get ([\d,.]+ \w+)", told)
    used = re.search(r"([\d,.]+ \w+) of additional disk space", told)
    assert new and got and used, told
    print(
        f"\n{release}: apt install took {took:.1f} s, the first commit was on a replica after {first:.1f} s;"
        f" litestreamd {debs.present.stat().st_size >> 10} KiB, {size} KiB installed; with it came {int(new[1]) - 1}"
        f" packages, {got[1]} fetched, {used[1]} on the disk; Litestream 0.5.17 is one program of"
        f" {Path(LITESTREAM.start[0]).stat().st_size >> 20} MiB"
    )


def test_a_database_outlives_its_machine(new_machine: Callable[[], Machine]) -> None:
    test_story.test_a_database_outlives_its_machine(new_machine, True)


def test_reboot_and_shutdown(new_machine: Callable[[], Machine]) -> None:
    test_story.test_the_order_of_a_reboot_and_the_last_row_of_a_shutdown(new_machine, True)


def test_an_upgrade_under_load_and_back(machine: Machine, debs: Debs) -> None:
    set_up(machine)
    # Another instance, which the operator has stopped.
    machine.run(
        "install -d -o app -g app /var/lib/other /srv/backup/other && runuser -u app -- sqlite3 /var/lib/other/o.db"
        " 'pragma journal_mode=wal; create table t (x)'"
    )
    machine.run(
        "litestreamd init -db /var/lib/other/o.db -replica /srv/backup/other -user app -group app other"
        " && systemctl daemon-reload && systemctl enable --now litestreamd@other && systemctl stop litestreamd@other"
    )
    present = machine.out("litestreamd version")
    pid, daemon = (machine.show(unit, "MainPID") for unit in ("app.service", "litestreamd@app.service"))
    for package, version in ((debs.following, present + FOLLOWING), (debs.present, present)):
        machine.run(f"{APT} install --allow-downgrades /root/packages/{package.name}", timeout=300)
        assert machine.out("dpkg-query -W -f '${Version}' litestreamd") == version
        machine.wait("litestreamd@app.service", "ActiveState", "active")
        assert machine.show("app.service", "MainPID") == pid, "the application was touched"
        restarted = machine.show("litestreamd@app.service", "MainPID")
        assert restarted not in (daemon, "0"), "the old program goes on"
        daemon = restarted
        assert machine.show("litestreamd@other.service", "ActiveState") == "inactive"
        told = machine.journal("-u", "litestreamd@app", "LITESTREAMD_EVENT=Closed")
        assert "every replica has everything" in told[-1]["MESSAGE"]
        runs(machine)
    has_everything(machine)
    assert len(images(machine)) == 1, "a new program is no reason for a full upload"


def comes_back(machine: Machine, debs: Debs) -> None:
    machine.run(f"{APT} install /root/packages/{debs.present.name}")
    machine.run(ENABLE)
    machine.run("litestreamd sync -wait app", timeout=200)


def test_removal_never_keeps_the_application_from_starting(machine: Machine, debs: Debs) -> None:
    set_up(machine)
    machine.run("systemctl enable --now litestreamd-metrics.socket")
    # The administrator keeps the configuration elsewhere, and a unit of his own runs a program of the package.
    machine.run("mv /etc/litestreamd /srv/configuration && ln -s /srv/configuration /etc/litestreamd")
    gate = "/etc/systemd/system/other.service.d/gate.conf"
    machine.write(gate, "[Service]\nExecStartPre=+/usr/bin/litestreamd-restore -if-db-not-exists other\n")
    told = machine.out(f"{APT} remove litestreamd 2>&1")
    assert "systemctl enable --now litestreamd@app" in told
    assert [line for line in told.splitlines() if "runs a program of this package" in line] == [
        f"litestreamd: {gate} runs a program of this package: take that out, or the unit will not start any more"
    ]
    assert machine.out("find /etc/systemd/system -name 'litestreamd*@*' -type l") == ""
    assert machine.out("readlink /etc/litestreamd") == "/srv/configuration"
    machine.run("rm /etc/litestreamd && mv /srv/configuration /etc/litestreamd")
    runs(machine)
    machine.run("systemctl restart app")
    machine.wait("app.service", "ActiveState", "active")
    runs(machine)
    machine.reboot()
    machine.wait("app.service", "ActiveState", "active")
    runs(machine)
    # Installed again, its state is the one it left: the replica is continued with the pages that changed meanwhile.
    comes_back(machine, debs)
    has_everything(machine)
    assert len(images(machine)) == 1

    # Purged, it keeps what it knows unless it is told otherwise, and says so: the application went on all the time.
    told = machine.out(f"{APT} purge litestreamd")
    assert "keeping /var/lib/litestreamd" in told and "keeping /etc/litestreamd" in told
    assert machine.out("ls /run/litestreamd 2>/dev/null || true") == ""
    machine.run("systemctl restart app")
    machine.wait("app.service", "ActiveState", "active")
    comes_back(machine, debs)
    has_everything(machine)
    assert len(images(machine)) == 1, "the replica is continued"

    # Told to forget, it forgets; a database in which nothing has changed since is recognized on the replica.
    machine.run("systemctl stop app && litestreamd sync -wait app")
    machine.run("echo litestreamd litestreamd/purge-state boolean true | debconf-set-selections")
    told = machine.out(f"{APT} purge litestreamd")
    assert "removing /var/lib/litestreamd" in told and "keeping /etc/litestreamd" in told
    assert machine.out("ls /var/lib/litestreamd 2>/dev/null || true") == ""
    assert machine.out("ls /etc/litestreamd") == "app.yml"
    comes_back(machine, debs)
    machine.run("systemctl start app")
    has_everything(machine)
    assert len(images(machine)) == 1, "the replica is continued"


def test_two_builds_are_the_same_bytes(debs: Debs, tmp_path: Path) -> None:
    build(tmp_path)
    first = {path.name: path.read_bytes() for path in debs.folder.glob("*.deb")}
    again = {path.name: path.read_bytes() for path in tmp_path.glob("*.deb")}
    assert first.keys() == again.keys() and len(first) >= 2
    assert [name for name in first if first[name] != again[name]] == []
    sources = [{path.name: path.read_bytes() for path in folder.glob("*.tar.xz")} for folder in (debs.folder, tmp_path)]
    assert sources[0] == sources[1] != {}


def test_debians_own_way_to_test_it(debs: Debs, machine: Machine, release: str) -> None:
    """autopkgtest, on the package and its source package. This is a machine of its own, which it cannot know."""
    give(machine, *debs.folder.glob("litestreamd_*.dsc"), *debs.folder.glob("litestreamd_*.tar.xz"))
    machine.run(f"{APT} install autopkgtest dpkg-dev fakeroot", timeout=300)
    told = machine.run(
        "cd /root/packages && autopkgtest --ignore-restrictions isolation-container --no-built-binaries"
        f" ./{debs.present.name} ./litestreamd_*.dsc -- null",
        check=False, timeout=280,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-4000:]
    assert re.search(r"^story +PASS", told.stdout + told.stderr, re.M), told.stdout[-2000:]


def test_the_journal_is_read_with_cysystemd(machine: Machine, debs: Debs, release: str) -> None:
    """Its modules are for one Python: what is built here is for Debian 12."""
    if release != "bookworm":
        pytest.skip("make deb builds python3-cysystemd for the release on which it runs")
    set_up(machine)
    give(machine, debs.cysystemd)
    machine.run(f"{APT} install /root/packages/{debs.cysystemd.name}", timeout=300)
    machine.run("mv /usr/lib/python3/dist-packages/systemd /usr/lib/python3/dist-packages/away")
    assert "Started litestreamd@app" in machine.out("litestreamd logs app")
