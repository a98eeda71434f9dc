"""An application that nobody here wrote: PowerDNS with its SQLite back end, from Debian's packages."""

from tests.support.machine import Machine
from tests.support.waiting import until

DATABASE = "/var/lib/powerdns/pdns.sqlite3"
CONFIGURATION = f"""
launch=gsqlite3
gsqlite3-database={DATABASE}
gsqlite3-pragma-journal-mode=wal
local-address=127.0.0.1
local-port=%d
"""
PORTS = {"bookworm": 15353, "trixie": 15354}


def test_a_name_server_loses_its_zones_and_has_them_back(release: str, machine: Machine) -> None:
    machine.run("install -d -o pdns -g pdns /var/lib/powerdns /srv/backup /srv/backup/pdns")
    schema = machine.out("find / -xdev -name 'schema.sqlite3.sql*' | head -1")
    assert schema, "the schema is part of the package"
    unpack = "zcat -f" if schema.endswith(".gz") else "cat"
    machine.run(f"{unpack} {schema} | sqlite3 {DATABASE} && chown pdns:pdns {DATABASE}")
    machine.write("/etc/powerdns/pdns.d/sqlite.conf", CONFIGURATION % PORTS[release])
    machine.run("rm -f /etc/powerdns/pdns.d/bind.conf; sed -i 's/^launch=.*//' /etc/powerdns/pdns.conf")
    machine.write("/etc/litestreamd/pdns.yml", f"dbs:\n  - path: {DATABASE}\n    replica: {{path: /srv/backup/pdns}}\n")
    machine.run("litestreamd init pdns && systemctl daemon-reload")
    machine.run("systemctl enable --now litestreamd@pdns && systemctl enable --now pdns")
    machine.wait("pdns.service", "ActiveState", "active")
    machine.run("pdnsutil create-zone example.org ns1.example.org && pdnsutil add-record example.org www A 192.0.2.7")
    machine.run("litestreamd sync -wait pdns")

    machine.run("systemctl stop pdns litestreamd@pdns && rm /var/lib/powerdns/*")
    machine.reboot()
    machine.wait("pdns.service", "ActiveState", "active")
    machine.wait("litestreamd@pdns.service", "ActiveState", "active")
    assert machine.out(f"stat -c %U:%G {DATABASE}") == "pdns:pdns"
    assert "192.0.2.7" in machine.out("pdnsutil list-zone example.org")
    machine.run("pdnsutil add-record example.org new A 192.0.2.8")
    machine.run("litestreamd sync -wait pdns")
    until(lambda: "in sync" in machine.out("litestreamd status pdns", check=False), "all of it is on the replica")
