"""The same plan as the real Litestream makes: random layouts, put to `litestream restore -dry-run -json`.

Its dry run looks at names and times only, so the objects are empty of meaning. Latest and TXIDs are asked by URL;
times by configuration, because the URL form refuses moments outside the listing before it plans.
"""

import json
import os
import random
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from litestreamd.basics.errors import NotAvailable
from litestreamd.plan.restore import AtTxid, Before, Latest, Target, plan_restore
from litestreamd.replica.folder.replica import FolderReplica
from tests.support.layouts import START_MS, Entry, random_layout
from tests.support.programs import LITESTREAM, environment

BATCHES, LAYOUTS_A_BATCH, AT_ONCE = 10, 31, 4


def put(root: Path, objects: list[Entry]) -> None:
    for each in objects:
        path = root / "ltx" / str(each.name.level) / each.name.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(each.size))
        os.utime(path, ns=(each.created_ms * 1_000_000,) * 2)


def theirs(folder: Path, root: Path, target: Target) -> list[str] | None:
    """The files Litestream would fetch, None when it refuses."""
    words = ["restore", "-dry-run", "-json", "-o", str(folder / "none.db")]
    if isinstance(target, Before):
        config = folder / "litestream.yml"
        config.write_text(
            json.dumps({"dbs": [{"path": str(folder / "app.db"), "replica": {"type": "file", "path": str(root)}}]})
        )
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=target.ms)
        words += [
            "-config",
            str(config),
            "-timestamp",
            moment.isoformat(timespec="milliseconds"),
            str(folder / "app.db"),
        ]
    else:
        words += ["-txid", f"{target.txid:016x}"] if isinstance(target, AtTxid) else []
        words += [f"file://{root}"]
    done = subprocess.run([*LITESTREAM.start, *words], capture_output=True, text=True, check=False, env=environment())
    if done.returncode:
        assert "backup files" in done.stderr or "non-contiguous" in done.stderr or "not available" in done.stderr, (
            done.stderr
        )
        return None
    return [f"{file['level']}/{file['name']}" for file in json.loads(done.stdout)["files"]]


def ours(root: Path, target: Target) -> list[str] | None:
    try:
        return [str(step.name) for step in plan_restore(list(FolderReplica(root, "file").list()), target).steps]
    except NotAvailable:
        return None


def compare(folder: Path, seed: int) -> int:
    """One layout, three targets; out: how many of them there is a plan for."""
    chance = random.Random(seed)
    objects = random_layout(chance)
    root = folder / "replica"
    root.mkdir(parents=True)
    put(root, objects)
    moment = Before(START_MS + chance.randrange(0, 22))
    targets: list[Target] = [Latest(), AtTxid(chance.randrange(1, 15)), moment]
    made = 0
    for target in targets:
        plan = ours(root, target)
        assert theirs(folder, root, target) == plan, (seed, target, [str(each.name) for each in objects])
        made += plan is not None
    return made


@pytest.mark.parametrize("batch", range(BATCHES))
def test_same_plan(tmp_path: Path, batch: int) -> None:
    seeds = range(1000 * batch, 1000 * batch + LAYOUTS_A_BATCH)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = sum(pool.map(lambda seed: compare(tmp_path / str(seed), seed), seeds))
    assert made > LAYOUTS_A_BATCH, "too few of these layouts can be restored to prove anything"
