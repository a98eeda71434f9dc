"""The history of a replica: merged, imaged, let go, healed; nothing while nothing is due."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from litestreamd.jobs.events import (
    Compacted,
    Expired,
    Found,
    Healed,
    ImageStarted,
    ObjectDamaged,
    Pushed,
    RetentionStopped,
)
from litestreamd.plan.rules import Rules
from tests.support.driving import Drive, image_of, names
from tests.support.live import App, create, insert, resize

RULES = Rules()
NO_SNAPSHOTS = replace(RULES, snapshot_interval_s=1e9)
"""The first image is the only one."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found, rows=100)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "one"


def write(drive: Drive, app: App, times: int, every_s: float = 2) -> None:
    for _ in range(times):
        app.write(insert(3))
        drive.event().elapse(every_s)


def levels(root: Path) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for name in names(root):
        level, _, span = name.partition("/")
        low, _, high = span.partition("-")
        found.setdefault(int(level), []).append((int(low), int(high)))
    return found


def test_level_0_is_merged_and_goes(path: Path, app: App, root: Path) -> None:
    drive = Drive(path, root, rules=NO_SNAPSHOTS).settle()
    write(drive, app, 10)
    drive.elapse(35)
    held = levels(root)
    assert held[1][0][0] == 2, "the first image is not copied into level 1"
    assert held[1][-1][1] == held[0][-1][1]
    assert len(held[0]) == 11, "level 0 stays for its retention"
    drive.elapse(320)
    held = levels(root)
    assert len(held[0]) == 1, held
    drive.assert_equal(app)
    assert drive.problems == []
    assert drive.stop().behind == ()


def test_higher_levels_follow(path: Path, app: App, root: Path) -> None:
    drive = Drive(path, root, rules=NO_SNAPSHOTS).settle()
    for _ in range(4):
        write(drive, app, 3, every_s=31)
        drive.elapse(400)
    drive.elapse(4000)
    held = levels(root)
    assert len(held[2]) >= 3
    assert held[3], held
    for level in (2, 3):
        spans = held[level]
        assert all(low == before + 1 for (_, before), (low, _) in itertools.pairwise(spans))
    drive.assert_equal(app)
    assert drive.problems == []


def test_idle_is_free(path: Path, app: App, root: Path) -> None:
    drive = Drive(path, root, rules=RULES).settle()
    write(drive, app, 5)
    drive.elapse(3 * 86400)
    drive.events.clear()
    held = names(root)
    drive.elapse(5 * 86400)
    told = [event for event in drive.events if isinstance(event, Pushed | Compacted | Expired | ImageStarted)]
    assert told == []
    assert names(root) == held


def test_a_snapshot_each_interval_and_the_window_stays(path: Path, app: App, root: Path) -> None:
    rules = replace(RULES, snapshot_interval_s=3600, snapshot_retention_s=3 * 3600)
    drive = Drive(path, root, rules=rules).settle()
    for _ in range(12):
        write(drive, app, 2, every_s=40)
        drive.elapse(3600)
    held = levels(root)
    assert 3 <= len(held[9]) <= 6, held[9]
    assert drive.seen(Expired)
    drive.assert_equal(app)
    assert drive.problems == []


def test_two_replicas_each_by_its_own_rules(path: Path, app: App, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    coarse = Rules(levels_s=(600.0,), l0_retention_s=1200.0, snapshot_interval_s=1e9)
    drive = Drive(path, one, other, rules=[NO_SNAPSHOTS, coarse]).settle()
    write(drive, app, 20, every_s=10)
    drive.elapse(700)
    assert len(levels(one)[0]) == 1
    assert len(levels(other)[0]) == 21
    assert len(levels(other)[1]) <= 3
    drive.assert_equal(app)


def test_retention_off_deletes_nothing(path: Path, app: App, root: Path) -> None:
    drive = Drive(path, root, rules=replace(RULES, enabled=False)).settle()
    write(drive, app, 10)
    drive.elapse(3 * 86400)
    assert len(levels(root)[0]) == 11
    assert drive.seen(Expired) == []


def test_a_restart_goes_on_where_it_was(path: Path, app: App, root: Path) -> None:
    drive = Drive(path, root, rules=RULES).settle()
    write(drive, app, 5)
    drive.elapse(40)
    assert drive.stop().behind == ()
    second = Drive(path, root, rules=RULES, time=drive.time).settle()
    write(second, app, 5)
    second.elapse(40)
    spans = levels(root)[1]
    assert all(low == before + 1 for (_, before), (low, _) in itertools.pairwise(spans))
    second.elapse(400)
    assert len(levels(root)[0]) == 1
    second.assert_equal(app)
    assert second.problems == []


def rot(path: Path, offset: int) -> None:
    """The disk under the live database. Another process does it: closing the file here would drop SQLite's locks."""
    code = (
        f"f = open({str(path)!r}, 'r+b'); f.seek({offset}); b = f.read(1); f.seek({offset}); f.write(bytes([b[0] ^ 1]))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def flip(file: Path, offset: int = 300) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 1
    status = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_damaged_file_is_gone_round_and_replaced(path: Path, app: App, root: Path) -> None:
    drive = Drive(path, root, rules=NO_SNAPSHOTS).settle()
    write(drive, app, 6, every_s=31)
    first = next(iter(sorted((root / "ltx" / "1").iterdir())))
    flip(first)
    before = names(root)
    drive.elapse(600)
    assert len(drive.seen(ObjectDamaged)) == 1, drive.events[-5:]
    (healed,) = drive.seen(Healed)
    assert first.name in healed.name
    assert not first.exists()
    assert len([name for name in names(root) if name.startswith("9/")]) > len(
        [name for name in before if name.startswith("9/")]
    )
    drive.assert_equal(app)
    write(drive, app, 3)
    drive.elapse(4000)
    drive.assert_equal(app)


def test_a_live_database_that_does_not_prove_itself_stops_every_deletion(path: Path, app: App, root: Path) -> None:
    rules = replace(RULES, snapshot_interval_s=3600, snapshot_retention_s=3600)
    drive = Drive(path, root, rules=rules).settle()
    write(drive, app, 5)
    rot(path, 4096 * 6 + 2000)
    drive.elapse(4000)
    assert drive.seen(RetentionStopped)
    held = names(root)
    drive.elapse(2 * 86400)
    assert set(held) <= set(names(root))
    assert drive.seen(Expired) == [] or held == names(root)


def test_a_long_backlog_goes_up_merged(path: Path, app: App, root: Path, tmp_path: Path) -> None:
    drive = Drive(path, root, rules=NO_SNAPSHOTS).settle()
    write(drive, app, 3)
    drive.elapse(40)
    away = tmp_path / "away"
    root.rename(away)
    write(drive, app, 120, every_s=1.5)
    away.rename(root)
    drive.events.clear()
    drive.elapse(200)
    pushed = [event for event in drive.seen(Pushed) if event.level == 0]
    assert len(pushed) < 20, len(pushed)
    assert len(drive.seen(Compacted)) >= 6
    drive.assert_equal(app)
    held = levels(root)
    assert held[0][-1][1] == held[1][-1][1] or held[0][-1][1] > held[1][-1][1]
    assert image_of(root) == app.image()


def test_a_hole_found_at_the_start_is_named(path: Path, app: App, root: Path) -> None:
    drive = Drive(path, root, rules=NO_SNAPSHOTS).settle()
    write(drive, app, 5)
    assert drive.stop().behind == ()
    (root / "ltx" / "0" / f"{4:016x}-{4:016x}.ltx").unlink()
    second = Drive(path, root, rules=NO_SNAPSHOTS, time=drive.time).settle().elapse(5)
    found = second.seen(Found)
    assert len(found) == 1 or any(each.lost for each in found)
    second.assert_equal(app)
    write(second, app, 3)
    second.elapse(4000)
    second.assert_equal(app)


def test_a_page_size_that_changes_is_never_merged_across(path: Path, root: Path) -> None:
    with App(path) as app:
        drive = Drive(path, root, rules=NO_SNAPSHOTS).settle()
        write(drive, app, 3)
        assert drive.stop().behind == ()
    resize(path, 8192)
    with App(path) as app:
        second = Drive(path, root, rules=NO_SNAPSHOTS, time=drive.time).settle()
        write(second, app, 3)
        history = second.replication.histories[0]
        singles = [stored for stored in history.line.owned.objects if stored.name.level == 0]
        history._merging.merge(1, singles)
        merged = levels(root)[1]
        assert len(merged) == 2
        assert merged[0][1] + 1 == merged[1][0]
        assert image_of(root) == app.image()
        second.elapse(4000)
        assert second.problems == []
        assert image_of(root) == app.image()


def test_a_database_that_nobody_writes_has_one_image(path: Path, app: App, root: Path) -> None:
    drive = Drive(path, root, rules=RULES).settle().elapse(4 * 86400)
    assert names(root) == ["0/2-2", "1/2-2", "9/1-2"]
    assert drive.problems == []


def test_a_replica_comes_back_after_its_head_has_expired_on_the_other(
    path: Path, app: App, root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    drive = Drive(path, root, other, rules=NO_SNAPSHOTS).settle()
    write(drive, app, 3)
    assert drive.stop().behind == ()
    away = tmp_path / "away" / "other"
    away.parent.mkdir()
    other.rename(away)
    other.touch()  # a root that cannot be listed
    second = Drive(path, root, other, rules=NO_SNAPSHOTS, time=drive.time).settle()
    write(second, app, 5)
    second.elapse(700)
    assert len(levels(root)[0]) == 1
    other.unlink()
    away.rename(other)
    second.elapse(120)
    second.assert_equal(app)
    assert second.stop().behind == ()
