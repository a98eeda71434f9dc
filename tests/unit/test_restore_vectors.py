"""Replicas that the real Litestream 0.5 wrote, and those made by hand: the very bytes that it restored, or a refusal.

The one known difference is wanted: with a time, `litestream restore URL` also demands that the time lies between the
oldest and the newest object, and so can never reach the newest; ours takes the last state before the time.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from litestreamd.basics.clock import parse_time_ms
from litestreamd.basics.errors import DamagedData, LitestreamdError, NotAvailable
from litestreamd.jobs.events import Event
from litestreamd.jobs.restore import Integrity
from litestreamd.jobs.restore_events import HeaderTimesUsed, PointResolved
from litestreamd.jobs.verify import Checks, verify
from litestreamd.plan.restore import AtTxid, Before, Latest, RestorePlan, Target
from litestreamd.replica.folder.replica import FolderReplica
from tests.support import vectors
from tests.support.restoring import left_in, restored

RESTORES = [
    (name, number, verdict)
    for name in vectors.names("v5-")
    for number, verdict in enumerate(vectors.manifest(name)["restores"])
    if verdict["by"].startswith("0.5")
]
OUT_OF_BOUNDS = "timestamp does not exist"


def target_of(verdict: dict[str, Any]) -> Target:
    if "txid" in verdict:
        return AtTxid(int(verdict["txid"], 16))
    return Before(parse_time_ms(verdict["timestamp"])) if "timestamp" in verdict else Latest()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("name", "verdict"), [pytest.param(name, verdict, id=f"{name}-{number}") for name, number, verdict in RESTORES]
)
def test_every_restore_of_the_real_program(tmp_path: Path, name: str, verdict: dict[str, Any]) -> None:
    replica = FolderReplica(vectors.materialize(name, tmp_path / "replica"), "file")
    out = tmp_path / "out" / "data.db"
    if "error" not in verdict:
        done = restored(replica, out, target_of(verdict))
        assert [str(step.name) for step in done.plan.steps] == verdict["plan"]
        assert (sha256(out), out.stat().st_size) == (verdict["sha256"], verdict["size"])
        assert (done.proven, done.integrity) == (False, Integrity.FULL)
        assert left_in(out.parent) == {"data.db"}
    elif OUT_OF_BOUNDS in verdict["error"] and _later_than_all(replica, verdict):
        restored(replica, out, target_of(verdict))
        assert sha256(out) == vectors.manifest(name)["source_after_checkpoint_sha256"]
    else:
        with pytest.raises(NotAvailable):
            restored(replica, out, target_of(verdict))
        assert not out.exists()


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        pytest.param(name, verdict, id=f"{name}-{number}")
        for name, number, verdict in RESTORES
        if "timestamp" in verdict and "error" not in verdict
    ],
)
def test_a_time_resolves_to_what_the_real_program_restored(
    tmp_path: Path, name: str, verdict: dict[str, Any], copied: bool
) -> None:
    """The point is named, also where a copy of the replica has lost its times."""
    root = vectors.materialize(name, tmp_path / "replica")
    if copied:
        root = shutil.copytree(root, tmp_path / "copy", copy_function=shutil.copyfile)
    events: list[Event] = []
    target = target_of(verdict)
    done = restored(FolderReplica(root, "file"), tmp_path / "out.db", target, events=events)
    assert sha256(tmp_path / "out.db") == verdict["sha256"]
    assert isinstance(done.plan, RestorePlan)
    assert [str(step.name) for step in done.plan.steps] == verdict["plan"]
    (resolution,) = [event.resolution for event in events if isinstance(event, PointResolved)]
    assert resolution.point.txid == done.plan.max_txid
    assert isinstance(target, Before)
    assert resolution.point.created_ms < target.ms
    assert resolution.after is None or resolution.after.created_ms >= target.ms
    assert [isinstance(event, HeaderTimesUsed) for event in events].count(True) == copied


@pytest.mark.parametrize("name", vectors.names("v5-"))
def test_what_the_real_program_wrote_is_verified(tmp_path: Path, name: str) -> None:
    replica = FolderReplica(vectors.materialize(name, tmp_path / "replica"), "file")
    answer = verify(replica, Checks(everything=True), lambda event: None)
    assert (answer.damage, answer.read) == ((), len(list(replica.list())))
    assert answer.filled
    assert answer.filled.size == vectors.manifest(name)["restores"][0]["size"]


def _later_than_all(replica: FolderReplica, verdict: dict[str, Any]) -> bool:
    return all(stored.created_ms < parse_time_ms(verdict["timestamp"]) for stored in replica.list())


def test_there_is_something_of_every_kind() -> None:
    kinds = {kind for _, _, verdict in RESTORES for kind in ("latest", "txid", "timestamp", "error") if kind in verdict}
    assert kinds == {"latest", "txid", "timestamp", "error"}


@pytest.mark.parametrize("name", sorted(vectors.handmade_cases()))
def test_handmade(tmp_path: Path, name: str) -> None:
    verdict = vectors.handmade_cases()[name]
    replica = FolderReplica(vectors.materialize_handmade(name, tmp_path / "replica"), "file")
    out = tmp_path / "out" / "data.db"
    if "sha256" in verdict:
        assert verify(replica, Checks(), lambda event: None).damage == ()
        restored(replica, out)
        assert sha256(out) == verdict["sha256"]
        return
    answer = verify(replica, Checks(), lambda event: None)
    assert (bool(answer.damage), answer.filled) == (True, None)
    with pytest.raises(LitestreamdError) as caught:
        restored(replica, out)
    assert isinstance(caught.value, NotAvailable if name == "gap" else DamagedData)
    assert not out.parent.exists() or not left_in(out.parent)
