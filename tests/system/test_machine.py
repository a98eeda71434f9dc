"""The machines that the other tests here stand on, and the program on a distribution's own libraries."""

from tests.support.machine import Machine


def test_a_machine_reboots_dies_and_comes_back(machine: Machine) -> None:
    first = machine.out("cat /proc/sys/kernel/random/boot_id; cat /etc/machine-id")
    machine.write("/var/lib/kept", "kept", 0o600, "daemon:daemon")
    machine.run("logger -t first hello; sync /var/lib/kept")
    machine.reboot()
    assert machine.out("stat -c '%U %a' /var/lib/kept") == "daemon 600"
    machine.run("logger -t second hello")
    assert [entry["MESSAGE"] for entry in machine.journal("-t", "first", "-t", "second")] == ["hello", "hello"]
    machine.run("echo more >>/var/lib/kept; sync /var/lib/kept")
    machine.cut_power()
    machine.boot()
    assert machine.read("/var/lib/kept") == "keptmore\n"
    machine.shut_down()
    machine.boot()
    assert machine.out("cat /etc/machine-id") == first.splitlines()[1]


def test_the_program_runs_on_what_the_distribution_has(machine: Machine) -> None:
    """Its Python, boto3, apsw, systemd: write, lose the file, restore."""
    assert machine.out("litestreamd version")
    assert "status" in machine.out("litestreamd -h")
    machine.run("mkdir -p /srv/app /srv/backup")
    machine.run("sqlite3 /srv/app/app.db 'pragma journal_mode=wal; create table t(x); insert into t values (42);'")
    machine.run("systemd-run --unit=loose litestreamd replicate /srv/app/app.db /srv/backup/app")
    machine.wait_journal("-u", "loose", "LITESTREAMD_EVENT=DatabaseOpened")
    machine.run("systemctl stop loose && rm -r /srv/app && mkdir /srv/app")
    machine.run("litestreamd-restore -o /srv/app/app.db /srv/backup/app")
    assert machine.out("sqlite3 /srv/app/app.db 'select x from t'") == "42"
