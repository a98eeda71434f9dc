"""Both programs on the same bucket: what one writes the other restores, and goes on with.

Litestream is the real 0.5.17, and for the old format 0.3.13; the store is MiniStack, for some also Ceph's gateway.
"""

import hashlib
import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from litestreamd.basics.clock import format_time
from tests.support.bucket_root import BucketRoot
from tests.support.programs import EXIT_OK, LITESTREAM, LITESTREAM_3, OURS, Program, demand, environment
from tests.support.replicator import Protected, Replicator
from tests.support.s3_servers import shared
from tests.support.scene import EAGER, Scene
from tests.support.vectors import ROOT as VECTORS
from tests.support.vectors import manifest
from tests.support.waiting import TimedOut


def bucket_root(kind: str = "ministack", path: str | None = None) -> BucketRoot:
    """A bucket of its own."""
    server = shared(kind)
    return BucketRoot(server.access, server.make_bucket("interop"), "some/app" if path is None else path)


@pytest.mark.parametrize(
    ("kind", "page_size"), [("ministack", 512), ("ministack", 4096), ("ministack", 65536), ("radosgw", 4096)]
)
def test_litestream_restores_ours(kind: str, page_size: int, tmp_path: Path) -> None:
    scene = Scene(tmp_path, page_size, root=bucket_root(kind))
    scene.work()
    with scene.ours() as ours:
        ours.start().wait_head(1)
        scene.work(30)
        ours.stop_clean()
    source = scene.source()
    scene.assert_same(source, scene.restored(LITESTREAM))
    scene.assert_same(source, scene.restored(OURS))


@pytest.mark.parametrize(
    ("kind", "page_size"), [("ministack", 512), ("ministack", 4096), ("ministack", 65536), ("radosgw", 4096)]
)
def test_we_restore_litestreams(kind: str, page_size: int, tmp_path: Path) -> None:
    scene = Scene(tmp_path, page_size, root=bucket_root(kind))
    scene.work()
    with scene.litestream() as litestream:
        litestream.start().wait_head(1)
        scene.work(30)
        litestream.stop_clean()
    source = scene.source()
    scene.assert_same(source, scene.restored(OURS))
    scene.assert_same(source, scene.restored(LITESTREAM))


@pytest.mark.parametrize("writer", [OURS, LITESTREAM], ids=lambda program: program.name)
def test_both_restore_the_same_moments(writer: Program, tmp_path: Path) -> None:
    """By TXID, and just before and after the time in each object's metadata, which no listing shows."""
    scene = Scene(tmp_path, root=bucket_root())
    with scene.ours() if writer is OURS else scene.litestream() as running:
        running.start().wait_head(1)
        for _ in range(4):
            before = scene.root.head()
            scene.work(5)
            running.wait_head(before + 1)
        running.stop_clean()
    singles = scene.root.objects((0,))
    assert len(singles) >= 5
    for each in singles:
        at_txid = scene.restored(OURS, txid=each.max_txid)
        scene.assert_same(at_txid, scene.restored(LITESTREAM, txid=each.max_txid))
        if each != singles[-1]:
            moment = format_time(_time_ms(scene.root, each.key) + 1)
            scene.assert_same(at_txid, scene.restored(OURS, timestamp=moment))
            theirs = _restored_with_config(LITESTREAM, scene, ["-timestamp", moment])
            scene.assert_same(at_txid, theirs)


def _restored_with_config(program: Program, scene: Scene, options: list[str]) -> bytes:
    """As its last run was configured. (From a URL Litestream holds a time against LastModified, which is later.)"""
    out, config = scene.folder / f"{program.name}-configured.db", scene.folder / f"{program.name}.yml"
    if not config.exists():
        with scene.litestream():
            pass  # writes the configuration down
    out.unlink(missing_ok=True)
    command = [*program.start, "restore", "-config", str(config), "-o", str(out), *options, str(scene.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)
    assert done.returncode == EXIT_OK, done.stdout + done.stderr
    return out.read_bytes()


def _time_ms(root: BucketRoot, key: str) -> int:
    text = root.client.head_object(Bucket=root.bucket, Key=key)["Metadata"]["litestream-timestamp"]
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize("kind", ["ministack", "radosgw"])
def test_they_take_over_from_each_other(kind: str, tmp_path: Path) -> None:
    """After each turn the newest state, and the state after every turn before, come back with both."""
    scene, points = Scene(tmp_path, root=bucket_root(kind)), {}
    for make in (scene.ours, scene.litestream, scene.ours, scene.litestream, scene.ours):
        before, epochs = scene.root.head(), _epochs(scene.root)
        with make() as running:
            running.start()
            if running.program is OURS:
                running.wait(lambda seen=epochs: _epochs(scene.root) > seen, "an epoch of its own")
            scene.work()
            running.wait_head(before + 1)
            running.stop_clean()
        points[scene.root.head()] = scene.source()
        for program in (OURS, LITESTREAM):
            for txid, image in points.items():
                scene.assert_same(image, scene.restored(program, txid=txid))
            scene.assert_same(scene.source(), scene.restored(program))
    assert len(points) == 5


def _epochs(root: BucketRoot) -> set[str]:
    return {key for key in root.sizes() if "/writers/" in key and key.endswith(".json")}


@pytest.mark.parametrize("path", ["some/app", "", "/lead", "trail/", "two//slashes"])
def test_keys_are_where_litestream_looks_for_them(path: str, tmp_path: Path) -> None:
    """Whatever `path` is like: each finds what the other wrote under the same configuration."""
    scene = Scene(tmp_path, root=bucket_root(path=path))
    client, bucket = scene.root.client, scene.root.bucket
    for make in (scene.litestream, scene.ours):
        with make() as running:
            running.start()
            if running.program is OURS:  # what changes before the first look is no continuation of what is there
                running.wait(lambda now=running: "is at TXID" in now.log, "the root is ours to continue")
            before = _all_keys(client, bucket)
            scene.work(3)
            running.wait(lambda seen=before: _all_keys(client, bucket) > seen, "something new")
            running.stop_clean()
    keys = _all_keys(client, bucket)
    mine = {key for key in keys if "litestreamd/" not in key}
    prefixes = {key.partition("000")[0] for key in mine}
    assert len(prefixes) == 1, prefixes
    for program in (OURS, LITESTREAM):
        scene.assert_same(scene.source(), _restored_with_config(program, scene, []))


def _all_keys(client: Any, bucket: str) -> set[str]:
    """But for what comes and goes while the store is asked for its habits."""
    keys = {each["Key"] for each in client.list_objects_v2(Bucket=bucket).get("Contents", ())}
    return {key for key in keys if "/.habits/" not in key}


OFTEN = {"monitor-interval": "10ms", "checkpoint-interval": "200ms", "min-checkpoint-page-count": 20}


def test_what_litestream_3_wrote_in_a_bucket(tmp_path: Path) -> None:
    demand(LITESTREAM_3)
    scene = Scene(tmp_path, root=bucket_root())
    options = {**EAGER, "snapshot-interval": "1h", "retention": "24h"}
    with Replicator(LITESTREAM_3, tmp_path, [Protected(scene.path, (scene.root,), OFTEN)], options) as running:
        running.start()
        for _ in range(3):
            scene.work()
        running.wait(lambda: sum("/wal/" in key for key in scene.root.sizes()) > 3, "segments")
        for _ in range(10):
            try:
                if running.stop() == EXIT_OK:
                    break
            except TimedOut:  # 0.3.13 hangs at its end now and then
                running.kill()
            running.start()
    scene.assert_same(scene.source(), scene.restored(OURS))
    scene.assert_same(_restored_with_config(LITESTREAM_3, scene, []), scene.restored(OURS))
    # A history of ours beside it, and both formats stay within reach.
    with scene.ours() as ours:
        ours.start().wait_head(2)
        scene.work()
        ours.wait_head(3)
        ours.stop_clean()
    scene.assert_same(scene.source(), scene.restored(OURS))
    scene.assert_same(scene.source(), scene.restored(LITESTREAM))


@pytest.mark.parametrize("name", sorted(manifest("s3-objects")))
def test_vectors_of_the_real_programs(name: str, tmp_path: Path) -> None:
    """Objects as they lay in a bucket, planted again."""
    told = manifest("s3-objects")[name]
    root = bucket_root(path=told["path"])
    for item in sorted(told["objects"], key=lambda each: each["last_modified"]):
        body = (VECTORS / "s3-objects" / item["body"]).read_bytes()
        root.client.put_object(Bucket=root.bucket, Key=item["key"], Body=body, Metadata=item["metadata"])
    config = tmp_path / "app.yml"
    database = tmp_path / "app.db"
    config.write_text(json.dumps({"dbs": [{"path": str(database), "replica": root.entry}]}))
    command = [*OURS.start, "restore", "-config", str(config), str(database)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(), check=False)
    assert done.returncode == EXIT_OK, done.stderr
    assert hashlib.sha256(database.read_bytes()).hexdigest() == told["restored_sha256"]


def test_the_replicas_of_one_database_may_be_of_both_kinds(tmp_path: Path) -> None:
    """A folder and a bucket: both have everything, and either alone brings it back."""
    far, near = bucket_root(), tmp_path / "near"
    scene = Scene(tmp_path, root=far)
    with Replicator(OURS, tmp_path, [Protected(scene.path, (far, near))], EAGER) as ours:
        ours.start().wait_head(1)
        scene.work(10)
        ours.stop_clean()
    source = scene.source()
    for root in (far, near):
        scene.root = root
        scene.assert_same(source, scene.restored(OURS))
        scene.assert_same(source, scene.restored(LITESTREAM))
