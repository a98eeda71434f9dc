"""A real full disk: a small tmpfs in a mount namespace of our own, for the target and for the replica."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from tests.support.histories import History, sqlite_history
from tests.support.programs import TREE, environment
from tests.support.restoring import restored

MOUNT = 'mount -t tmpfs -o size=256k none "$1" && shift && exec "$@"'


def on_small_disk(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command that sees a disk of 256 KiB at `folder`."""
    folder.mkdir(exist_ok=True)
    space = ["unshare", "--mount", "--map-root-user", "sh", "-c", MOUNT, "sh", str(folder)]
    return subprocess.run(
        [*space, *command], capture_output=True, text=True, cwd=TREE, env=environment(), check=False, timeout=120
    )


@pytest.fixture(autouse=True)
def namespaces(tmp_path: Path) -> None:
    if shutil.which("unshare") is None or on_small_disk(tmp_path / "probe", "true").returncode:
        pytest.skip("this machine does not let us mount a disk of our own")


RESTORE = """
import json, os, sys
from litestreamd.cli.main import main
code = main(["restore", "-o", sys.argv[1], *sys.argv[2:]])
print(json.dumps([code, sorted(os.listdir(os.path.dirname(sys.argv[1])))]))
"""


def test_a_target_that_is_too_small(tmp_path: Path) -> None:
    history = History(FolderReplica(tmp_path / "replica", "file"))
    history.commit([bytes([n % 256]) * 512 for n in range(1000)])
    history.store(9, 1, 1)
    disk = tmp_path / "disk"
    done = on_small_disk(
        disk,
        sys.executable,
        "-c",
        RESTORE,
        str(disk / "app.db"),
        "-integrity-check",
        "none",
        f"file://{tmp_path}/replica",
    )
    assert json.loads(done.stdout) == [1, []], done.stderr
    assert "No space left on device" in done.stderr
    assert "are free); make room, or restore to another place" in done.stderr


def test_an_old_database_survives_when_there_is_no_room_for_the_new_one(tmp_path: Path) -> None:
    history = History(FolderReplica(tmp_path / "replica", "file"))
    history.commit([bytes([n % 256]) * 512 for n in range(1000)])
    history.store(9, 1, 1)
    disk = tmp_path / "disk"
    program = (
        f"import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(b'old')\n{RESTORE}print(open(sys.argv[1]).read())"
    )
    done = on_small_disk(
        disk, sys.executable, "-c", program, str(disk / "app.db"), "-force", f"file://{tmp_path}/replica"
    )
    assert done.stdout.splitlines() == ['[1, ["app.db"]]', "old"], done.stderr


CREATE = """
import sys
from pathlib import Path
from litestreamd.basics.errors import StoreError
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica
replica, before = FolderReplica(Path(sys.argv[1]) / "replica", "file"), Path(sys.argv[1]).stat()
replica.create(ObjectName(0, 1, 1), [b"fits"], 1)
try:
    replica.create(ObjectName(0, 2, 2), (bytes([n]) * 100_000 for n in range(9)), 1)
except StoreError as error:
    print(error.retry, error)
print([str(stored.name) for stored in replica.list()])
print(sorted(path.name for path in Path(sys.argv[1]).rglob("*") if path.is_file()))
replica.create(ObjectName(0, 3, 3), [bytes(100_000)], 1)
"""


def test_a_replica_that_is_full_holds_whole_objects_only(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    done = on_small_disk(disk, sys.executable, "-c", CREATE, str(disk))
    assert done.returncode == 0, done.stderr
    error, names, files = done.stdout.splitlines()
    assert error.startswith("True ")
    assert "the disk is full" in error
    assert names == str([str(ObjectName(0, 1, 1))])
    assert files == str([ObjectName(0, 1, 1).file_name])


def test_with_room_the_same_commands_work(tmp_path: Path) -> None:
    history = sqlite_history(tmp_path, tmp_path / "replica")
    disk = tmp_path / "disk"
    done = on_small_disk(disk, sys.executable, "-c", RESTORE, str(disk / "app.db"), f"file://{tmp_path}/replica")
    assert json.loads(done.stdout.splitlines()[-1]) == [0, ["app.db"]], done.stderr
    restored(history.replica, tmp_path / "out.db")
