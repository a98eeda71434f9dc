"""What only a folder has: modes, owners, file systems that refuse, and what a killed process leaves."""

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from litestreamd.basics.errors import RightsError, StoreError, StoreMissing
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.build import build_replica
from litestreamd.replica.folder.access import Access, access_like
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.folder.settings import FolderSettings
from litestreamd.replica.port import Created, Fence, ReplicaSpec
from tests.contract.places import no_hard_links
from tests.support.programs import TREE, environment

NAME = ObjectName(0, 1, 1)
KEY = "ltx/0/0000000000000001-0000000000000001.ltx"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_the_layout_and_modes_are_litestreams(tmp_path: Path) -> None:
    database = tmp_path / "home" / "app.db"
    database.parent.mkdir()
    database.write_bytes(b"x")
    database.chmod(0o640)
    database.parent.chmod(0o750)
    root = tmp_path / "replica"
    replica = build_replica(ReplicaSpec("file", FolderSettings(root)), database)
    replica.create(NAME, [b"x"], 1_750_000_000_123)
    replica.create_note("writers/a.json", b"x")
    assert mode(root / KEY) == 0o640
    for folder in (root, root / "ltx", root / "ltx/0", root / "litestreamd/writers"):
        assert mode(folder) == 0o750
    status = (root / KEY).stat()
    assert status.st_mtime_ns == status.st_atime_ns == 1_750_000_000_123_000_000
    assert [stored.mode for stored in replica.list()] == [0o640]


def test_the_umask_does_not_matter(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        FolderReplica(tmp_path / "r", "file", Access(0o664, 0o775)).create(NAME, [b"x"], 1)
    finally:
        os.umask(before)
    assert (mode(tmp_path / "r"), mode(tmp_path / "r" / KEY)) == (0o775, 0o664)


@pytest.mark.parametrize(
    ("parent", "folder"),
    [(0o700, 0o700), (0o755, 0o755), (0o744, 0o755), (0o1777, 0o1777), (0o2770, 0o770)],
)
def test_folders_can_be_entered_and_keep_the_sticky_bit(tmp_path: Path, parent: int, folder: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "app.db").write_bytes(b"")
    home.chmod(parent)
    assert access_like(home / "app.db").directory_mode == folder


def test_without_a_database_everything_is_private(tmp_path: Path) -> None:
    assert access_like(tmp_path / "none.db") == Access(0o600, 0o700)


@needs_root
def test_root_gives_files_to_the_owner_of_the_database(tmp_path: Path) -> None:
    database = tmp_path / "app.db"
    database.write_bytes(b"")
    os.chown(database, 1234, 2345)
    replica = FolderReplica(tmp_path / "r", "file", access_like(database))
    replica.create(NAME, [b"x"], 1)
    for path in (tmp_path / "r", tmp_path / "r" / KEY):
        assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


def test_making_a_replica_touches_nothing(tmp_path: Path) -> None:
    FolderReplica(tmp_path / "r", "file")
    build_replica(ReplicaSpec("file", FolderSettings(tmp_path / "r")), tmp_path / "app.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_place_of_the_root(tmp_path: Path) -> None:
    (tmp_path / "r").write_text("not a folder")
    replica = FolderReplica(tmp_path / "r", "file")
    with pytest.raises(StoreMissing):
        list(replica.list())
    with pytest.raises(StoreError):
        replica.create(NAME, [b"x"], 1)


def test_folders_and_links_to_nowhere_are_no_objects(tmp_path: Path) -> None:
    replica = FolderReplica(tmp_path / "r", "file")
    replica.create(NAME, [b"x"], 1)
    level = tmp_path / "r/ltx/0"
    (level / ObjectName(0, 2, 2).file_name).mkdir()
    (level / ObjectName(0, 3, 3).file_name).symlink_to("nowhere")
    assert [stored.name for stored in replica.list()] == [NAME]


def test_level_10_is_nobodys(tmp_path: Path) -> None:
    replica = FolderReplica(tmp_path / "r", "file")
    replica.create(NAME, [b"x"], 1)
    (tmp_path / "r/ltx/10").mkdir()
    (tmp_path / "r/ltx/10" / NAME.file_name).write_bytes(b"x")
    assert [stored.name for stored in replica.list()] == [NAME]


UNREADABLE = """
import os, sys
from pathlib import Path
from litestreamd.basics.errors import RightsError
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.folder.replica import FolderReplica
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
replica, name = FolderReplica(Path(sys.argv[1]), "file"), ObjectName(0, 1, 1)
actions = {
    "list": lambda: list(replica.list()), "v3": replica.has_v3, "notes": replica.list_notes,
    "create": lambda: replica.create(name, [b"x"], 1), "read": lambda: replica.read_at(name, 0, 1),
    "delete": lambda: replica.delete([name]),
}
for action in sys.argv[2:]:
    try:
        actions[action]()
    except RightsError as error:
        print(action, error)
"""


@pytest.mark.parametrize(
    ("closed", "actions"),
    [("", ["list", "v3", "notes", "create", "read", "delete"]), ("ltx/0", ["list", "read", "delete"]), (KEY, ["read"])],
)
def test_a_forbidden_folder_is_never_empty(tmp_path: Path, closed: str, actions: list[str]) -> None:
    tmp_path.chmod(0o755)
    for folder in (tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    root = tmp_path / "r"
    FolderReplica(root, "file", Access(0o644, 0o755)).create(NAME, [b"x"], 1)
    (root / closed).chmod(0o000)
    try:
        command = [sys.executable, "-c", UNREADABLE, str(root), *actions]
        done = subprocess.run(command, capture_output=True, text=True, cwd=TREE, env=environment(), check=True)
    finally:
        (root / closed).chmod(0o755)
    assert [line.split()[0] for line in done.stdout.splitlines()] == actions, done.stderr


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, number: int) -> None:
    def link(source: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number), str(source), None, str(target))

    replica = FolderReplica(tmp_path / "r", "file", link=link)
    with pytest.raises(StoreError, match="full") as caught:
        replica.create(NAME, [b"x"], 1)
    assert caught.value.retry
    assert not [path for path in (tmp_path / "r").rglob("*") if path.is_file()]


def test_a_read_only_disk_is_named(tmp_path: Path) -> None:
    def link(source: Path, target: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(source), None, str(target))

    with pytest.raises(StoreError, match="read-only"):
        FolderReplica(tmp_path / "r", "file", link=link).create(NAME, [b"x"], 1)


def test_no_right_to_link_is_not_taken_for_a_weak_file_system(tmp_path: Path) -> None:
    def link(source: Path, target: Path) -> None:
        raise OSError(errno.EACCES, "Permission denied", str(source), None, str(target))

    replica = FolderReplica(tmp_path / "r", "file", link=link)
    with pytest.raises(RightsError):
        replica.create(NAME, [b"x"], 1)
    assert replica.fence is Fence.STRONG


def leftover(folder: Path, name: str, age_s: float) -> Path:
    path = folder / name
    path.write_bytes(b"half")
    os.utime(path, (time.time() - age_s,) * 2)
    return path


def test_what_a_killed_creator_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    level = tmp_path / "r/ltx/0"
    FolderReplica(tmp_path / "r", "file").create(NAME, [b"x"], 1)
    own = f"{ObjectName(0, 2, 2).file_name}.{'0a' * 8}.tmp"
    abandoned = leftover(level, own, age_s=3600)
    young = leftover(level, own.replace("0a", "0b"), age_s=0)
    litestreams = leftover(level, f"{ObjectName(0, 2, 2).file_name}.tmp", age_s=3600)
    busy = leftover(level, own.replace("0a", "0c"), age_s=3600)
    with busy.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        FolderReplica(tmp_path / "r", "file").create(ObjectName(0, 3, 3), [b"x"], 1)
    assert not abandoned.exists()
    assert young.exists()
    assert litestreams.exists()
    assert busy.exists()


def test_an_abandoned_reservation_does_not_block_for_ever(tmp_path: Path) -> None:
    level = tmp_path / "r/ltx/0"
    FolderReplica(tmp_path / "r", "file").create(ObjectName(0, 9, 9), [b"x"], 1)
    reservation = leftover(level, NAME.file_name + ".reserved", age_s=3600)
    replica = FolderReplica(tmp_path / "r", "file", link=no_hard_links)
    assert replica.create(NAME, [b"x"], 1) is Created.CREATED
    assert not reservation.exists()


def test_a_held_reservation_is_respected(tmp_path: Path) -> None:
    level = tmp_path / "r/ltx/0"
    FolderReplica(tmp_path / "r", "file").create(ObjectName(0, 9, 9), [b"x"], 1)
    reservation = leftover(level, NAME.file_name + ".reserved", age_s=3600)
    replica = FolderReplica(tmp_path / "r", "file", link=no_hard_links)
    with reservation.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreError, match="another process is creating") as caught:
            replica.create(NAME, [b"x"], 1)
    assert caught.value.retry
    assert [stored.name for stored in replica.list()] == [ObjectName(0, 9, 9)]


def test_a_folder_removed_meanwhile_is_made_again(tmp_path: Path) -> None:
    replica = FolderReplica(tmp_path / "r", "file")
    replica.create(NAME, [b"x"], 1)
    replica.delete([NAME])
    (tmp_path / "r/ltx/0").rmdir()
    assert replica.create(NAME, [b"x"], 1) is Created.CREATED


def test_an_object_deleted_during_a_listing_is_simply_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replica = FolderReplica(tmp_path / "r", "file")
    for txid in (1, 2, 3):
        replica.create(ObjectName(0, txid, txid), [b"x"], 1)
    real = os.scandir

    class Scan:
        """scandir whose second entry vanishes after it was read."""

        def __init__(self, where: int) -> None:
            self._scan = real(where)

        def __enter__(self) -> "Scan":
            return self

        def __exit__(self, *_: object) -> None:
            self._scan.close()

        def __iter__(self) -> object:
            for entry in list(self._scan):
                if entry.name.startswith("0000000000000002"):
                    (tmp_path / "r/ltx/0" / entry.name).unlink()
                yield entry

    monkeypatch.setattr(os, "scandir", Scan)
    assert [stored.name.max_txid for stored in replica.list()] == [1, 3]


@pytest.mark.parametrize("weak", [False, True])
def test_an_object_is_durable_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weak: bool
) -> None:
    """Only a power cut could show it; so the calls are watched, and still made."""
    calls: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def watched_fsync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        calls.append(f"fsync {path.name}" if path.is_dir() else "fsync file")
        fsync(descriptor)

    def watched_link(source: Path, target: Path) -> None:
        if weak:
            no_hard_links(source, target)
        calls.append("named")
        os.link(source, target)

    def watched_rename(source: Path, target: Path) -> Path:
        calls.append("named")
        return rename(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "rename", watched_rename)
    replica = FolderReplica(tmp_path / "r", "file", link=watched_link)
    replica.create(NAME, [b"x"], 1)
    assert calls == [f"fsync {tmp_path.name}", "fsync r", "fsync ltx", "fsync file", "named", "fsync 0"]
    calls.clear()
    replica.create(ObjectName(0, 2, 2), [b"x"], 1)
    assert calls == ["fsync file", "named", "fsync 0"]
    calls.clear()
    replica.create(NAME, [b"y"], 1)
    assert calls[-1] == "fsync 0", "an earlier try may have died before it"
    calls.clear()
    replica.delete([NAME])
    assert calls == ["fsync 0"]
