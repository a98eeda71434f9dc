"""An application that is protected by an installed package, set up with the commands of the manual.

In: a machine with the package. Out: app.service and litestreamd@app with a folder replica; what is asked of them later.
"""

from tests.support.machine import Machine
from tests.support.waiting import until
from tests.system import app

INIT = f"litestreamd init -db {app.DATABASE} -replica /srv/backup/app -user app -group app app"
ENABLE = "systemctl daemon-reload && systemctl enable --now litestreamd@app"


def set_up(machine: Machine) -> None:
    """An application that runs, and its protection, by the commands of the manual."""
    app.install(machine, "{path: /srv/backup/app}", enable=False)
    machine.run("rm /etc/litestreamd/app.yml && install -d -o app -g app /srv/backup /srv/backup/app")
    machine.run("systemctl enable --now app")
    machine.run(INIT)
    machine.run(ENABLE)
    machine.wait("litestreamd@app.service", "ActiveState", "active")
    until(lambda: app.count(machine) > 3, "the application writes")
    machine.run("litestreamd sync -wait app")


def has_everything(machine: Machine) -> None:
    """What the replica gives is what the application has, to the last row."""
    machine.run("litestreamd sync -wait app && systemctl stop app && litestreamd sync -wait app")
    machine.run("rm -f /root/copy.db && litestreamd restore -o /root/copy.db app")
    assert app.rows(machine, "/root/copy.db") == app.rows(machine)
    machine.run("systemctl start app")


def images(machine: Machine) -> list[str]:
    """The full images on its replica: a second one means that the history was not continued."""
    return machine.out("ls /srv/backup/app/ltx/9").split()


def runs(machine: Machine) -> None:
    """The application writes on."""
    before = app.count(machine)
    until(lambda: app.count(machine) > before + 3, "the application writes")
