"""Keys as credentials of systemd: never in the configuration, encrypted at rest, renewed without a restart."""

from collections.abc import Iterator

import pytest

from tests.support.machine import Machine
from tests.support.s3_access import Access
from tests.support.s3_servers import shared
from tests.support.waiting import until
from tests.system import app

NAMES = ("s3-access-key-id", "s3-secret-access-key")


@pytest.fixture
def access() -> Iterator[Access]:
    yield shared("radosgw").access


def replica(access: Access, bucket: str) -> str:
    place = f"bucket: {bucket}, path: app, endpoint: '{access.endpoint}', region: {access.region}"
    return f"{{type: s3, {place}, force-path-style: true}}"


def drop_in(machine: Machine, lines: list[str]) -> None:
    text = "[Service]\n" + "\n".join(lines) + "\n"
    for unit in ("litestreamd", "litestreamd-restore", "litestreamd-verify"):
        machine.write(f"/etc/systemd/system/{unit}@app.service.d/credentials.conf", text)
    machine.run("systemctl daemon-reload")


@pytest.mark.parametrize("how", ["LoadCredential", "LoadCredentialEncrypted"])
def test_keys_come_as_credentials(machine: Machine, access: Access, how: str) -> None:
    bucket = access.make_bucket()
    app.install(machine, replica(access, bucket))
    machine.run("litestreamd init app -user app -group app")
    machine.run("install -d -m 700 /etc/keys")
    for name, value in zip(NAMES, (access.access_key, access.secret_key), strict=True):
        machine.write(f"/etc/keys/{name}", value, 0o600)
        if how == "LoadCredentialEncrypted":
            machine.run(
                f"systemd-creds encrypt --name={name} /etc/keys/{name} /etc/keys/{name}.cred && rm /etc/keys/{name}"
            )
    suffix = ".cred" if how == "LoadCredentialEncrypted" else ""
    drop_in(machine, [f"{how}={name}:/etc/keys/{name}{suffix}" for name in NAMES])
    machine.run("systemctl start app litestreamd@app && litestreamd sync -wait app")
    machine.run("systemctl stop app litestreamd@app")
    rows = app.rows(machine)
    machine.run("rm /var/lib/app/*")
    machine.run("systemctl start app litestreamd@app")
    machine.wait("app.service", "ActiveState", "active")
    until(lambda: app.count(machine) > len(rows), "it goes on with what it had")
    assert app.rows(machine)[: len(rows)] == rows
    machine.run("litestreamd sync -wait app && systemctl start litestreamd-verify@app", timeout=300)
    # In root's shell the units' own are lent: what works there works here, and leaves nothing.
    machine.run("litestreamd restore -o /root/copy.db app && litestreamd points app")
    assert app.rows(machine, "/root/copy.db")[: len(rows)] == rows
    assert machine.out("ls -d /run/litestreamd-lent-* 2>/dev/null", check=False) == ""
    everything = machine.out(
        "journalctl --no-pager -o export; cat /proc/*/cmdline; cat /etc/litestreamd/*", check=False
    )
    assert access.secret_key not in everything
    assert access.secret_key not in machine.out(
        "cat /var/lib/litestreamd/app/health.json; litestreamd status -json app"
    )


def test_new_keys_are_read_on_reload(machine: Machine, access: Access) -> None:
    """The files of the configuration's own environment, in place of credentials that systemd copies at the start."""
    bucket = access.make_bucket()
    app.install(machine, replica(access, bucket), enable=False)
    app.start_alone(machine)
    for name in NAMES:
        machine.write(f"/run/keys/{name}", "wrong", 0o644)
    drop_in(machine, ["Environment=CREDENTIALS_DIRECTORY=/run/keys"])
    machine.run("systemctl start litestreamd@app")
    machine.wait_journal("-u", "litestreamd@app", "-p", "err")
    for name, value in zip(NAMES, (access.access_key, access.secret_key), strict=True):
        machine.write(f"/run/keys/{name}", value, 0o644)
    machine.run("systemctl reload litestreamd@app && litestreamd sync -wait app")
    assert machine.show("litestreamd@app.service", "NRestarts") == "0"
