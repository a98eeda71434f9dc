"""Replicas that the real Litestream 0.3 wrote: for every restore recorded the very bytes it gave, or a refusal.

What 0.5.17 restored from them is the same wherever it was asked.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from litestreamd.basics.clock import parse_time_ns
from litestreamd.basics.errors import NotAvailable
from litestreamd.jobs.restore import Integrity
from litestreamd.jobs.restore_choice import Wish
from litestreamd.plan.restore import Before, Latest
from litestreamd.plan.restore_v3 import TargetV3
from litestreamd.replica.folder.replica import FolderReplica
from tests.support import vectors
from tests.support.restoring import left_in, restored

RESTORES = [
    pytest.param(name, verdict, id=f"{name}-{number}")
    for name in vectors.names("v3-")
    for number, verdict in enumerate(vectors.manifest(name)["restores"])
]
V3_BUCKETS = [name for name in vectors.manifest("s3-objects") if name.startswith("v3")]


def wish_of(verdict: dict[str, Any]) -> Wish:
    if "generation" in verdict:
        return TargetV3(verdict["generation"], int(verdict["index"], 16) if "index" in verdict else None)
    if "timestamp" not in verdict:
        return Latest()
    ns = parse_time_ns(verdict["timestamp"])
    return Before(ns / 1_000_000, ns)


@pytest.mark.parametrize(("name", "verdict"), RESTORES)
def test_every_restore_of_the_real_programs(tmp_path: Path, name: str, verdict: dict[str, Any]) -> None:
    replica = FolderReplica(vectors.materialize(name, tmp_path / "replica"), "file")
    out = tmp_path / "out" / "data.db"
    if "error" in verdict:
        with pytest.raises(NotAvailable, match=r"Litestream 0\.3 has anything for .*-timestamp 2026"):
            restored(replica, out, wish_of(verdict))
        assert not out.exists()
        return
    done = restored(replica, out, wish_of(verdict))
    assert (hashlib.sha256(out.read_bytes()).hexdigest(), out.stat().st_size) == (verdict["sha256"], verdict["size"])
    assert (done.proven, done.integrity, done.size) == (False, Integrity.FULL, verdict["size"])
    assert left_in(out.parent) == {"data.db"}


def test_there_is_something_of_every_kind() -> None:
    kinds = {"latest", "timestamp", "generation", "index", "error"}
    assert all(any(kind in param.values[1] for param in RESTORES) for kind in kinds)
    assert len(RESTORES) > 100


@pytest.mark.parametrize("bucket", V3_BUCKETS)
def test_what_lay_in_a_bucket(tmp_path: Path, bucket: str) -> None:
    """Keys are the paths of a folder replica, below a prefix or at the top."""
    content = vectors.manifest("s3-objects")[bucket]
    for item in content["objects"]:
        file = tmp_path / "replica" / item["key"].removeprefix(content["path"]).removeprefix("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(vectors.ROOT / "s3-objects" / item["body"], file)
    assert restored(FolderReplica(tmp_path / "replica", "file"), tmp_path / "out.db").size
    assert hashlib.sha256((tmp_path / "out.db").read_bytes()).hexdigest() == content["restored_sha256"]
