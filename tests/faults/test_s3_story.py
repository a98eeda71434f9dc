"""A database, a bucket, a lost machine: with the real programs, from the configuration a newcomer writes."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import folder_listing, images
from tests.support.bucket_root import BucketRoot
from tests.support.driving import image_of
from tests.support.fault_proxy import FaultProxy
from tests.support.live import App, create, insert
from tests.support.network_faults import ACCESS_DENIED, INTERNAL_ERROR, SKEWED, UNKNOWN_KEY, Hang
from tests.support.programs import EXIT_LEFT_BEHIND, EXIT_OK, OURS, TREE, environment
from tests.support.replicator import Protected, Replicator
from tests.support.s3_requests import Operation
from tests.support.s3_servers import shared
from tests.support.waiting import until

EXIT_UNREACHABLE, EXIT_RIGHTS = 69, 77


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "machine" / "app.db"
    found.parent.mkdir()
    create(found)
    return found


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(shared("ministack").access) as found:
        yield found


@pytest.fixture
def root(proxy: FaultProxy) -> BucketRoot:
    return BucketRoot(proxy.access, proxy.server.make_bucket("my-backups"), direct=proxy.server)


def run(*words: str, **env: str) -> "subprocess.CompletedProcess[str]":
    command = [*OURS.start, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment(**env), check=False)


def seed_configuration(root: BucketRoot, path: Path) -> str:
    """The first example of docs/s3.md; changed are the bucket and the database, for they have to exist, and the
    endpoint."""
    text = (TREE / "docs" / "s3.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    assert "region: auto" in text
    assert "${R2_SECRET_ACCESS_KEY}" in text
    text = text.replace("my-backups", root.bucket).replace("/var/lib/app/app.db", str(path))
    return re.sub(r"https://ACCOUNT_ID\.r2\.cloudflarestorage\.com", root.access.endpoint, text)


def test_the_first_configuration_of_the_guide_as_it_is(path: Path, root: BucketRoot, tmp_path: Path) -> None:
    """Replicate, lose the machine and all its files, restore, go on."""
    config, env = tmp_path / "litestream.yml", {"R2_ACCESS_KEY_ID": root.access.access_key}
    config.write_text(seed_configuration(root, path))
    env["R2_SECRET_ACCESS_KEY"] = root.access.secret_key
    with Replicator(OURS, tmp_path, [Protected(path, (root,))], env=env) as daemon, App(path) as app:
        daemon.config = config
        daemon.start().wait_head(2)
        for _ in range(5):
            app.write(insert(5))
        daemon.wait_head(3)
        os.kill(daemon.pid, signal.SIGTERM)
        assert daemon.wait_end() == EXIT_OK
        expected = app.image()
    for file in path.parent.iterdir():
        subprocess.run(["rm", "-rf", str(file)], check=True)
    done = run("restore", "-config", str(config), "-if-db-not-exists", "-if-replica-exists", str(path), **env)
    assert done.returncode == EXIT_OK, done.stderr
    assert not images.first_difference(path.read_bytes(), expected, 4096)
    with Replicator(OURS, tmp_path, [Protected(path, (root,))], env=env) as daemon, App(path) as app:
        daemon.config = config
        head = root.head()
        daemon.start()
        app.write(insert(1))
        daemon.wait_head(head + 1)
        daemon.stop_clean()
        assert "error" not in daemon.log.lower()
        assert sum(each.level == 9 for each in root.objects()) == 1, "no second full image"


def test_no_backup_yet_is_a_successful_listing_and_nothing_else(
    path: Path, root: BucketRoot, proxy: FaultProxy, tmp_path: Path
) -> None:
    """The application must not start empty because of a typo, a lost right, or a store that is away."""
    gone = tmp_path / "gone.db"
    config = tmp_path / "app.yml"

    def restored(**changed: object) -> int:
        config.write_text(json.dumps({"dbs": [{"path": str(gone), "replica": {**root.entry, **changed}}]}))
        done = run("restore", "-config", str(config), "-if-replica-exists", str(gone))
        assert not gone.exists()
        assert done.returncode == EXIT_OK or len(done.stderr.splitlines()) == 1, done.stderr
        return done.returncode

    assert restored() == EXIT_OK
    assert restored(bucket="no-such-bucket") == EXIT_UNREACHABLE
    assert restored(**{"secret-access-key": "wrong"}) == EXIT_RIGHTS
    for fault, code in ((ACCESS_DENIED, EXIT_RIGHTS), (UNKNOWN_KEY, EXIT_RIGHTS), (SKEWED, EXIT_UNREACHABLE)):
        proxy.add(fault)
        assert restored() == code
        proxy.clear()
    proxy.down()
    assert restored() == EXIT_UNREACHABLE


def test_an_idle_daemon_asks_for_nothing(path: Path, root: BucketRoot, proxy: FaultProxy, tmp_path: Path) -> None:
    """And a busy one for no listing."""
    quick = {"sync-interval": "50ms"}
    top = {
        "levels": [{"interval": "1s"}, {"interval": "5s"}],
        "l0-retention": "1s",
        "l0-retention-check-interval": "1s",
    }
    with Replicator(OURS, tmp_path, [Protected(path, (root,))], quick, top) as daemon, App(path) as app:
        daemon.start().wait_head(2)
        daemon.wait(lambda: any(each.level == 9 for each in root.objects()), "the first image")
        assert listings(proxy) <= 4
        proxy.forget()
        for _ in range(20):
            before = root.head()
            app.write(insert(2))
            daemon.wait_head(before + 1)
        daemon.wait(lambda: any(each.level == 2 for each in root.objects()), "a merge of level 2")
        daemon.wait(lambda: sum(each.level == 0 for each in root.objects()) == 1, "level 0 has expired")
        assert listings(proxy) == 0
        until(lambda: time.monotonic() - proxy.requests()[-1].at > 10, "ten quiet seconds", 60)
        daemon.stop_clean()


def listings(proxy: FaultProxy) -> int:
    """Requests that are as dear as a write."""
    bill = proxy.bill()
    return bill[Operation.LIST] + bill[Operation.LIST_OLD] + bill[Operation.MULTIPART_LIST]


def test_a_second_daemon_on_another_machine_is_refused(path: Path, root: BucketRoot, tmp_path: Path) -> None:
    other = tmp_path / "other" / "app.db"
    other.parent.mkdir()
    create(other, rows=50)
    with Replicator(OURS, tmp_path, [Protected(path, (root,))]) as first, App(path) as app:
        first.start().wait_head(2)
        before = root.sizes()
        with Replicator(OURS, other.parent, [Protected(other, (root,))], top={"shutdown-sync-timeout": "0s"}) as second:
            second.start().wait(lambda: "--take-over" in second.log, "a refusal that names the way out")
            with App(other) as other_app:
                other_app.write(insert(5))
            assert second.stop() != EXIT_OK
        assert root.sizes() == before
        app.write(insert(5))
        first.wait_head(3)
        first.stop_clean()


LOOKS = [["databases"], ["ltx", "DB"], ["points", "DB"], ["verify", "DB"], ["generations", "DB"]]


def test_secrets_are_nowhere(path: Path, root: BucketRoot, proxy: FaultProxy, tmp_path: Path) -> None:
    """In no log line at the finest level, no error of any kind, no listing, no list of processes."""
    key, secret = root.access.access_key, root.access.secret_key
    said: list[str] = []
    top = {"logging": {"level": "debug"}, "shutdown-sync-timeout": "3s"}
    with (
        Replicator(OURS, tmp_path, [Protected(path, (root,))], {"sync-interval": "50ms"}, top) as daemon,
        App(path) as app,
    ):
        for fault in (None, ACCESS_DENIED, UNKNOWN_KEY, SKEWED, INTERNAL_ERROR):
            daemon.start()
            daemon.wait(lambda: "opened" in daemon.log, "the database is open")
            app.write(insert(2))
            if fault is not None:
                proxy.add(fault)
                app.write(insert(2))
                daemon.wait(lambda: "ERROR" in daemon.log, "an error")
            said += [line.read_bytes().decode(errors="replace") for line in Path("/proc").glob("[0-9]*/cmdline")]
            daemon.stop()
            said.append(daemon.log)
            daemon.log_path.unlink()
            proxy.clear()
        daemon.start().wait_head(2)
        daemon.stop_clean()
        said.append(daemon.log)
    for words in LOOKS:
        named = [str(path) if word == "DB" else word for word in words]
        for form in ([], ["-json"]):
            said += outputs(run(named[0], "-config", str(daemon.config), *form, *named[1:]))
    configured = json.loads(daemon.config.read_text())
    broken: list[dict[str, object]] = [
        {"bucket": "nobody"},
        {"secret-access-key": f"{secret}x"},
        {"access-key-id": f"{key}x"},
        {"endpoint": "http://127.0.0.1:9"},
        {"endpoint": f"http://{secret}@127.0.0.1"},
        {"url": f"s3://{key}:{secret}@bucket/path"},
        {"secret-access-key": ["a", secret]},
        {"session-token": secret},
    ]
    for changed in broken:
        entry = json.loads(json.dumps(configured))
        entry["dbs"][0]["replica"].update(changed)
        daemon.config.write_text(json.dumps(entry))
        done = run("restore", "-config", str(daemon.config), "-o", str(tmp_path / "x.db"), str(path))
        assert done.returncode != EXIT_OK, changed
        said += outputs(done)
    everything = "\n".join(said)
    assert everything.count("s3://") > 10
    assert key not in everything
    assert secret not in everything


def outputs(done: "subprocess.CompletedProcess[str]") -> list[str]:
    return [done.stdout, done.stderr]


def test_a_store_that_hangs_holds_up_no_other_replica(
    path: Path, root: BucketRoot, proxy: FaultProxy, tmp_path: Path
) -> None:
    """Neither while both run, nor in the final sync, which says what was left behind."""
    near = tmp_path / "near"
    top = {"shutdown-sync-timeout": "1s"}
    with Replicator(OURS, tmp_path, [Protected(path, (root, near))], top=top) as daemon, App(path) as app:
        daemon.start().wait_head(2)
        proxy.add(Hang("response"))
        for _ in range(3):
            app.write(insert(2))
            before = folder_listing.head(near)
            daemon.wait(lambda seen=before: folder_listing.head(near) > seen, "the folder gets it all the same", 5)
        app.write(insert(2))
        assert daemon.stop(120) == EXIT_LEFT_BEHIND
        assert not images.first_difference(image_of(near), app.image(), 4096)
        assert "r0 lacks" in daemon.log
