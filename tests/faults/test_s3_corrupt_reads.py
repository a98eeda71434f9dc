"""Bytes that change on their way to us are no damage: nothing is healed, deleted or restored wrongly for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from litestreamd.jobs.events import Compacted, Healed, ObjectDamaged
from litestreamd.plan.rules import Rules
from litestreamd.replica.build import build_replica
from litestreamd.replica.port import ReplicaSpec
from litestreamd.replica.s3.settings import S3Settings, StaticKeys
from tests.support import images
from tests.support.driving import Drive
from tests.support.fault_proxy import FaultProxy
from tests.support.live import App, create, insert
from tests.support.network_faults import Corrupt
from tests.support.restoring import restored
from tests.support.s3_requests import Operation
from tests.support.s3_servers import shared

RULES = Rules(levels_s=(10, 60), l0_retention_s=30, l0_check_s=5, snapshot_interval_s=1e9)


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    with FaultProxy(shared("ministack").access) as found:
        yield found


@pytest.fixture
def spec(proxy: FaultProxy) -> ReplicaSpec:
    access = proxy.access
    keys = StaticKeys(access.access_key, access.secret_key)
    return ReplicaSpec("s3", S3Settings(proxy.server.make_bucket("reads"), "app", access.endpoint, keys=keys))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    return found


def test_a_merge_reads_again_before_it_calls_anything_damaged(path: Path, spec: ReplicaSpec, proxy: FaultProxy) -> None:
    drive = Drive(path, replicas=[build_replica(spec)], rules=RULES).settle()
    with App(path) as app:
        for _ in range(8):
            app.write(insert(20))
            drive.event().elapse(9)
        # Level 2 is made of objects of level 1, which are in no spool any more.
        proxy.add(Corrupt(700), operation=Operation.GET, path="/0001/", times=1)
        drive.elapse(120)
        assert [event for event in drive.seen(Compacted) if event.level == 2]
        assert "came with other bytes than it has" in " ".join(drive.problems)
        assert drive.seen(ObjectDamaged) == []
        assert drive.seen(Healed) == []
        drive.stop()
        out = path.with_name("restored.db")
        restored(build_replica(spec), out)
        assert not images.first_difference(out.read_bytes(), app.image(), 4096)


def test_a_restore_never_ends_with_wrong_bytes(path: Path, spec: ReplicaSpec, proxy: FaultProxy) -> None:
    """Whichever byte changes: the result is right, or there is none."""
    drive = Drive(path, replicas=[build_replica(spec)], rules=RULES).settle()
    with App(path) as app:
        for _ in range(4):
            app.write(insert(20))
            drive.event().elapse(2)
        drive.stop()
        expected = app.image()
    refused = 0
    for at in range(0, 4000, 250):
        for number in range(3):
            proxy.add(Corrupt(at), operation=Operation.GET, path=r"/000\d/", times=1, skip=number)
            out = path.with_name(f"restored-{at}-{number}.db")
            try:
                restored(build_replica(spec), out)
            except Exception as error:  # noqa: BLE001  whichever it is, there is no file
                assert "litestreamd" in type(error).__module__, error
                assert not out.exists()
                refused += 1
            else:
                assert not images.first_difference(out.read_bytes(), expected, 4096)
            proxy.clear()
    assert refused > 10
