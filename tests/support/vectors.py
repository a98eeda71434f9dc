"""Replicas of the real programs, as tests/vectors/README.md describes them.

In: names of vectors. Out: manifests, paths, and replicas whose files carry their own times again.
"""

import json
import os
import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1] / "vectors"


def names(prefix: str) -> list[str]:
    """The vectors that hold a replica and start with `prefix` (`v5-`, `v3-`)."""
    return sorted(folder.parent.name for folder in ROOT.glob(f"{prefix}*/replica"))


def manifest(name: str) -> Any:
    """Everything known about a vector."""
    return json.loads((ROOT / name / "manifest.json").read_text())


def materialize(name: str, target: Path) -> Path:
    """Copy a vector's replica to `target` (not there yet) with the times its manifest gives; out: `target`."""
    shutil.copytree(ROOT / name / "replica", target)
    for file in manifest(name)["files"]:
        os.utime(target / file["path"], ns=(file["mtime_ns"], file["mtime_ns"]))
    return target


def handmade_cases() -> dict[str, Any]:
    """What Litestream said about each handmade replica: `sha256` of what it restored, or `error`."""
    return {case["name"]: case for case in manifest("handmade")["cases"]}


def materialize_handmade(name: str, target: Path) -> Path:
    """Copy a handmade replica to `target`; its file times mean nothing."""
    return Path(shutil.copytree(ROOT / "handmade" / name, target))


def ltx_files() -> list[Path]:
    """Every LTX file that the real Litestream wrote: in folders and as bodies of S3 objects."""
    in_folders = [path for name in names("v5-") for path in ROOT.glob(f"{name}/replica/ltx/*/*.ltx")]
    objects = [item for bucket in manifest("s3-objects").values() for item in bucket["objects"]]
    in_buckets = [ROOT / "s3-objects" / item["body"] for item in objects if item["key"].endswith(".ltx")]
    return sorted(in_folders + in_buckets)
