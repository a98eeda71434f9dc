"""The exporter under systemd: started by a scrape, gone when idle, true about the dead, and never refusing."""

import threading
import time
import urllib.request

from tests.support.machine import Machine
from tests.support.waiting import until
from tests.system import app

PORT = {"bookworm": 19186, "trixie": 19187}
"""The machines share the network of the host."""


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
        return str(answer.read().decode())


def test_the_exporter(release: str, machine: Machine) -> None:
    port = PORT[release]
    listening = f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{port}\n"
    machine.write("/etc/systemd/system/litestreamd-metrics.socket.d/port.conf", listening)
    quick = "[Service]\nExecStart=\nExecStart=/usr/bin/litestreamd metrics -idle 1s\n"
    machine.write("/etc/systemd/system/litestreamd-metrics.service.d/quick.conf", quick)
    app.install(machine, "{path: /srv/backup/app}")
    machine.run("install -d -o app -g app /srv/backup /srv/backup/app")
    machine.run("litestreamd init app -user app -group app && systemctl daemon-reload")
    machine.run("systemctl start app litestreamd@app && systemctl enable --now litestreamd-metrics.socket")
    machine.run("litestreamd sync -wait app")
    assert machine.show("litestreamd-metrics.service", "ActiveState") == "inactive"

    text = scrape(port)
    assert 'litestreamd_up{instance="app"} 1.0' in text
    assert f'litestreamd_replica_healthy{{db="{app.DATABASE}",instance="app",replica="file"}} 1.0' in text
    until(lambda: machine.show("litestreamd-metrics.service", "ActiveState") == "inactive", "it ends when idle", 30)

    # A stopped daemon is not started by being asked, and is seen to be dead.
    machine.run("systemctl stop litestreamd@app")
    text = scrape(port)
    assert 'litestreamd_up{instance="app"} 0.0' in text
    assert "litestreamd_replica_last_sync_timestamp_seconds" in text
    assert machine.show("litestreamd@app.service", "ActiveState") == "inactive"
    machine.run("systemctl start litestreamd@app")

    # Restarts of everything under load: nobody is refused.
    answers: list[str] = []
    done = threading.Event()

    def restart_all() -> None:
        for _ in range(4):
            machine.run("systemctl restart litestreamd-metrics.service litestreamd@app.service")
        done.set()

    restarting = threading.Thread(target=restart_all)
    restarting.start()
    while len(answers) < 100 or not done.is_set():
        answers.append(scrape(port))
        time.sleep(0.01)
    restarting.join()
    assert len(answers) >= 100
    assert all("litestreamd_build_info" in answer for answer in answers)
    assert 'litestreamd_up{instance="app"} 1.0' in scrape(port)
