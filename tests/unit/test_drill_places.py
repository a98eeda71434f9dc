"""What a drill needs beside the databases: scratch, room, the record, and the objects that tell what changed."""

import os
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from litestreamd.basics.errors import DamagedData, EnvironmentFault
from litestreamd.database import page_differences, scratch
from litestreamd.database.live_pages import LivePages, Replaced
from litestreamd.database.page_differences import RestoredPages, differences
from litestreamd.database.page_set import PageSet
from litestreamd.database.scratch import ensure_room, scratch_folder
from litestreamd.database.verified import Verified, load_verified, save_verified
from litestreamd.jobs.drill import Outcome, summarize
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.following import following
from tests.support.live import App, create

# Scratch


def test_scratch_is_empty_private_and_gone(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyboardInterrupt), scratch_folder(tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_abandoned_scratch_is_removed_and_other_things_are_not(tmp_path: Path) -> None:
    abandoned = tmp_path / "scratch-0123456789abcdef"
    abandoned.mkdir()
    (abandoned / "restored.db").write_bytes(b"x")
    others = {tmp_path / "spool", tmp_path / "scratch-of-mine"}
    for other in others:
        other.mkdir()
    (tmp_path / "scratch-0123456789abcdee").symlink_to(tmp_path / "spool")
    with scratch_folder(tmp_path) as first, scratch_folder(tmp_path) as second:
        assert first.is_dir() and second.is_dir()
        assert not abandoned.exists()
    assert {path for path in tmp_path.iterdir() if not path.is_symlink()} == others


def test_a_full_disk_is_told_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "free_bytes", lambda folder: 100 << 20)
    ensure_room(tmp_path, 75 << 20)
    with pytest.raises(EnvironmentFault, match=r"has 100\.0 MiB free and the database needs 76\.0 MiB") as raised:
        ensure_room(tmp_path, 76 << 20)
    assert "-scratch DIR" in str(raised.value)


# Reading


def test_reading_in_slices_lets_the_wal_be_reset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, copy = tmp_path / "app.db", tmp_path / "copy.db"
    monkeypatch.setattr(page_differences, "PORTION", 4096)
    with App(path) as app:
        create(path, rows=300)
        app.run("SELECT count(*) FROM t")
        copy.write_bytes(app.image())
        resets: list[list[int]] = []

        def between(seconds: float) -> None:
            # Nobody holds the WAL here: it can be emptied although the reading has only begun.
            if len(resets) < 3:
                app.write("UPDATE t SET b = randomblob(400) WHERE id = 300")
                resets.append(app.checkpoint("TRUNCATE"))

        # A clock that moves on at each look: every slice is over after one portion, on a machine of any speed.
        clock = SimpleNamespace(monotonic=count().__next__, sleep=between)
        monkeypatch.setattr(page_differences, "time", clock)
        with LivePages(path).open() as live, RestoredPages(copy, 4096) as restored:
            found = list(differences(live, restored))
        assert resets == [[0, 0, 0]] * 3
        assert 1 <= len(found) <= 3


def test_the_database_is_not_even_opened_for_writing(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    create(path)
    with App(path) as app:
        app.run("SELECT count(*) FROM t")
        with LivePages(path).open() as live, live.snapshot():
            links = [link for link in Path("/proc/self/fd").iterdir() if link.exists()]
            ours = [link.name for link in links if os.readlink(link) == str(path)]
            flags = [Path("/proc/self/fdinfo", name).read_text().split("flags:")[1].split()[0] for name in ours]
    assert len(flags) == 2
    assert {int(each, 8) & os.O_ACCMODE for each in flags} == {os.O_RDONLY}


def test_only_what_is_wanted_is_compared(tmp_path: Path) -> None:
    path, copy = tmp_path / "app.db", tmp_path / "copy.db"
    create(path, rows=100)
    image = bytearray(path.read_bytes())
    for page in (4, 7):
        image[4096 * page - 1] ^= 1
    copy.write_bytes(image + bytes(2 * 4096))
    count = len(image) // 4096
    wanted = PageSet()
    for page in (1, 7, count + 1):
        wanted.add(page)
    with LivePages(path).open() as live, RestoredPages(copy, 4096) as restored:
        assert list(differences(live, restored)) == [4, 7, count + 1, count + 2]
        assert list(differences(live, restored, wanted)) == [7, count + 1]


def test_a_database_that_is_replaced_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    create(path)
    create(tmp_path / "other.db")
    with LivePages(path).open() as live:
        (tmp_path / "other.db").rename(path)
        with pytest.raises(Replaced), live.snapshot():
            pass


# The record


def test_the_record_comes_back_as_it_was(tmp_path: Path) -> None:
    assert load_verified(tmp_path) is None
    record = Verified(False, 5, 12, "s3", "it is damaged", "not compared", 3)
    save_verified(tmp_path, record)
    assert load_verified(tmp_path) == record
    assert (tmp_path / "verified.json").stat().st_mode & 0o777 == 0o600
    (tmp_path / "verified.json").write_text('{"version": 1, "ok": true}')
    with pytest.raises(DamagedData):
        load_verified(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_the_record_belongs_to_the_owner_of_its_folder(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)
    save_verified(tmp_path, Verified(True, 5, 12, "s3"))
    found = (tmp_path / "verified.json").stat()
    assert (found.st_uid, found.st_gid) == (65534, 65534)


def test_a_failure_counts_and_the_last_success_stays() -> None:
    well, ill = Outcome("a", 1.0), Outcome("b", 1.0, fault=EnvironmentFault("the disk is full"))
    first = summarize([well], 100, None)
    assert (first.ok, first.replica, first.error, first.last_ok_ms) == (True, "a", None, 100)
    second = summarize([well, ill], 200, first)
    assert (second.ok, second.replica, second.error, second.last_ok_ms) == (False, "b", "the disk is full", 100)
    assert summarize([ill], 300, None).last_ok_ms is None


# Which objects tell what changed


@dataclass(frozen=True)
class Listed:
    name: ObjectName
    size: int = 0
    created_ms: int = 0


@pytest.mark.parametrize(
    ("names", "after", "until", "chosen"),
    [
        ([(0, 1, 1), (0, 2, 2), (0, 3, 3)], 1, 3, [(0, 2, 2), (0, 3, 3)]),
        ([(1, 1, 4), (0, 3, 3), (0, 4, 4)], 2, 4, [(0, 3, 3), (0, 4, 4)]),
        ([(2, 1, 9), (1, 3, 6), (0, 5, 5)], 3, 9, [(1, 3, 6), (2, 1, 9)]),
        ([(9, 1, 7), (0, 7, 7)], 5, 7, []),
        ([(0, 6, 6), (0, 8, 8)], 5, 8, [(0, 6, 6)]),
        ([(0, 6, 6), (0, 7, 7)], 5, 6, [(0, 6, 6)]),
        ([(1, 6, 7), (0, 6, 6), (0, 7, 7)], 5, 7, [(0, 6, 6), (0, 7, 7)]),
    ],
)
def test_the_narrowest_objects_are_followed(
    names: list[tuple[int, int, int]], after: int, until: int, chosen: list[tuple[int, int, int]]
) -> None:
    found = following([Listed(ObjectName(*name)) for name in names], after, until)
    assert [(each.name.level, each.name.min_txid, each.name.max_txid) for each in found] == chosen
