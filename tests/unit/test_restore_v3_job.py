"""Restoring Litestream 0.3's objects: WALs of either byte order, every damage, and the way out that an error names."""

import hashlib
import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import lz4.frame
import pytest

from litestreamd.basics.clock import parse_time_ns
from litestreamd.basics.errors import DamagedData, LitestreamdError, NotAvailable
from litestreamd.jobs.events import Event
from litestreamd.jobs.restore import Integrity
from litestreamd.jobs.restore_choice import NoBackup, Wish
from litestreamd.jobs.restore_events import (
    FormatChosen,
    ReplicaPassedOver,
    RestorePlannedAgain,
    RestoreStartedV3,
)
from litestreamd.ltx.names import ObjectName
from litestreamd.plan.restore import AtTxid, Before, Latest
from litestreamd.plan.restore_v3 import TargetV3
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.v3.names import SegmentName, SnapshotName, V3Name
from tests.support import vectors
from tests.support.histories import sqlite_history
from tests.support.restoring import left_in, restored
from tests.support.v3_writer import GENERATION, START_NS, Backup, packed, store, three_wals
from tests.support.wal_writer import WalWriter

WALS = [case for case in vectors.manifest("wal-files") if case["committed_frames"]]


def replica(root: Path, name: str = "file") -> FolderReplica:
    return FolderReplica(root, name)


def image_of(root: Path, out: Path, wish: Wish | None = None, **more: list[Event]) -> bytes:
    restored(replica(root), out, wish, integrity=Integrity.NONE, **more)
    return out.read_bytes()


@pytest.fixture
def backup(tmp_path: Path) -> Backup:
    return three_wals(tmp_path / "replica")


@pytest.mark.parametrize("case", WALS, ids=lambda case: str(case["label"]))
@pytest.mark.parametrize("parts", [1, 3])
def test_what_sqlite_makes_of_a_wal(case: dict[str, object], parts: int, tmp_path: Path) -> None:
    """Also one of the other byte order; in one piece, or cut after commits."""
    folder = vectors.ROOT / "wal-files"
    label, size = case["label"], int(str(case["page_size"])) + 24
    wal = (folder / f"{label}.db-wal").read_bytes()[: int(str(case["committed_end_offset"]))]
    ends = [
        32 + (at + 1) * size
        for at in range((len(wal) - 32) // size)
        if wal[36 + at * size : 40 + at * size] != bytes(4)
    ]
    cuts = [0, *ends[:: max(1, len(ends) // parts)][: parts - 1], ends[-1]]
    store(tmp_path / "r", SnapshotName(GENERATION, 0), packed((folder / f"{label}.db").read_bytes()), START_NS)
    for start, end in pairwise(cuts):
        store(tmp_path / "r", SegmentName(GENERATION, 0, start), packed(wal[start:end]), START_NS + start)
    image = image_of(tmp_path / "r", tmp_path / "out.db")
    assert hashlib.sha256(image).hexdigest() == case["after_checkpoint_sha256"]


@pytest.mark.parametrize("page_size", [512, 4096, 65536])
def test_every_object_is_a_state(page_size: int, tmp_path: Path) -> None:
    made = three_wals(tmp_path / "replica", page_size)
    for count, entry in enumerate(made.log, 1):
        before = Before(entry.created_ns / 1e6, entry.created_ns)
        assert image_of(made.root, tmp_path / f"{count}.db", before) == made.image(count)
    assert image_of(made.root, tmp_path / "latest.db") == made.image(7)
    assert image_of(made.root, tmp_path / "index.db", TargetV3(index=1)) == made.image(6)
    assert image_of(made.root, tmp_path / "first.db", TargetV3(GENERATION, 0)) == made.image(3)


def test_a_wal_without_frames_changes_nothing(tmp_path: Path, backup: Backup) -> None:
    before = image_of(backup.root, tmp_path / "before.db")
    store(backup.root, SegmentName(GENERATION, 3, 0), packed(bytes(WalWriter(512).data)), backup.now_ns)
    assert image_of(backup.root, tmp_path / "after.db") == before


def test_what_is_told_and_what_is_left(tmp_path: Path, backup: Backup) -> None:
    events: list[Event] = []
    (tmp_path / "out").mkdir()
    done = restored(replica(backup.root), tmp_path / "out/a.db", integrity=Integrity.NONE, events=events)
    started = RestoreStartedV3(str(tmp_path / "out/a.db"), "file", GENERATION, 2, 4, done.plan.size)
    assert events == [started]
    assert left_in(tmp_path / "out") == {"a.db"}
    assert done.size == len(backup.image(7))


def test_the_file_gets_the_mode_of_what_it_came_from(tmp_path: Path, backup: Backup) -> None:
    backup.log[-1].path.chmod(0o604)
    image_of(backup.root, tmp_path / "out.db")
    assert (tmp_path / "out.db").stat().st_mode & 0o777 == 0o604


def test_sqlite_has_the_last_word(tmp_path: Path, backup: Backup) -> None:
    """These pages are no database, and nothing else can tell."""
    with pytest.raises(DamagedData, match=r"every object is sound, but .*a later -timestamp.*-integrity-check none"):
        restored(replica(backup.root), tmp_path / "out.db")
    assert not (tmp_path / "out.db").exists()


# Damage. The objects are: 0 snapshot 0; 1, 2 WAL 0; 3 snapshot 1; 4, 5 WAL 1; 6 WAL 2.


def flip(at: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        place = at % len(data)
        return data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :]

    return change


def unpacked(backup: Backup, number: int) -> bytes:
    """What a segment holds."""
    data: bytes = lz4.frame.decompress(backup.log[number].path.read_bytes())
    return data


DAMAGES: dict[str, tuple[int, Callable[[bytes, bytes], bytes], str]] = {
    "cut": (5, lambda body, _: body[:-3], "it is cut short"),
    "cut in half": (5, lambda body, _: body[: len(body) // 2], "it is cut short"),
    "empty": (5, lambda *_: b"", "it is empty"),
    "flipped": (5, lambda body, _: flip(30)(body), "it does not decompress"),
    "its checksum": (5, lambda body, _: flip(-1)(body), "it does not decompress"),
    "no frame": (5, lambda *_: b"not LZ4 at all", "it does not decompress"),
    "more behind it": (5, lambda body, _: body + b"x", "bytes after its end"),
    "twice": (5, lambda body, _: body + body, "bytes after its end"),
    "a page": (5, lambda _, plain: packed(flip(100)(plain)), r"at byte 568 of the WAL: the next frame's checksum"),
    "other salts": (5, lambda _, plain: packed(flip(8)(plain)), r"at byte 568 of the WAL: .*other salts"),
    "without its commit": (5, lambda _, plain: packed(plain[:536]), "does not end with a commit"),
    "half a frame": (5, lambda _, plain: packed(plain[:-100]), "does not end with a commit"),
    "no WAL": (4, lambda _, plain: packed(flip(0)(plain)), "does not begin with the header of a WAL"),
    "half a header": (6, lambda _, plain: packed(plain[:20]), "does not end with a commit"),
    "WAL header": (6, lambda _, plain: packed(flip(17)(plain)), "checksum is wrong"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_with_the_way_out(damage: str, tmp_path: Path, backup: Backup) -> None:
    number, change, sentence = DAMAGES[damage]
    path = backup.log[number].path
    stat = path.stat()
    path.write_bytes(change(path.read_bytes(), unpacked(backup, number)))
    store(backup.root, backup.log[number].name, path.read_bytes(), stat.st_mtime_ns)
    with pytest.raises(DamagedData, match=sentence) as caught:
        image_of(backup.root, tmp_path / "out.db")
    assert not (tmp_path / "out.db").exists()
    assert str(caught.value).startswith(f"file://{backup.root}: {backup.log[number].name}: ")
    assert image_of(backup.root, tmp_path / "way-out.db", way_out(caught.value)) == backup.image(number)


def way_out(error: LitestreamdError) -> Wish:
    """The state that the error names, as its options say."""
    found = re.search(r"-generation ([0-9a-f]{16}) (?:-timestamp (\S+)|-index ([0-9a-f]{8}))$", str(error))
    assert found, error
    if found[3]:
        return TargetV3(found[1], int(found[3], 16))
    return TargetV3(found[1], until_ns=parse_time_ns(found[2]))


@pytest.mark.parametrize(
    ("missing", "sentence", "count"),
    [
        (5, None, 0),
        (4, "the beginning of WAL index 00000001 is missing; an earlier state", 3),
        (6, None, 0),
    ],
)
def test_an_object_that_is_missing(
    missing: int, sentence: str | None, count: int, tmp_path: Path, backup: Backup
) -> None:
    """The last of a WAL is not missed by anybody; 0.3 itself passes over one amid it, and loses what follows."""
    backup.log[missing].path.unlink()
    if sentence is None:
        image_of(backup.root, tmp_path / "out.db")
        return
    with pytest.raises(NotAvailable, match=sentence) as caught:
        image_of(backup.root, tmp_path / "out.db")
    wish = way_out(caught.value)
    assert image_of(backup.root, tmp_path / "way-out.db", wish) == backup.image(count)


def test_a_segment_amid_a_wal_is_missing(tmp_path: Path) -> None:
    backup = Backup(tmp_path / "replica")
    backup.snapshot()
    for fill in range(1, 4):
        backup.segment(({1: fill, fill: fill}, 3))
    backup.log[2].path.unlink()
    with pytest.raises(NotAvailable, match=r"00000000_00000898.*lacks its bytes 568 to 2199|lacks its bytes") as caught:
        image_of(backup.root, tmp_path / "out.db")
    assert image_of(backup.root, tmp_path / "way-out.db", way_out(caught.value)) == backup.image(2)


def test_segments_that_overlap(tmp_path: Path, backup: Backup) -> None:
    entry = backup.log[5]
    assert isinstance(entry.name, SegmentName)
    store(backup.root, SegmentName(GENERATION, 1, entry.name.offset - 8), packed(b"x"), entry.created_ns)
    entry.path.unlink()
    with pytest.raises(DamagedData, match="begins before byte 568, where the segment before it ends"):
        image_of(backup.root, tmp_path / "out.db")


def test_a_whole_wal_is_missing(tmp_path: Path, backup: Backup) -> None:
    for number in (3, 4, 5):
        backup.log[number].path.unlink()
    with pytest.raises(NotAvailable, match="WAL index 00000001 is missing; the last state before it") as caught:
        image_of(backup.root, tmp_path / "out.db")
    assert image_of(backup.root, tmp_path / "way-out.db", way_out(caught.value)) == backup.image(3)


def test_pages_of_another_size(tmp_path: Path, backup: Backup) -> None:
    other = Backup(tmp_path / "other", 1024)
    other.snapshot()
    entry = other.segment(({1: 9}, 1))
    store(backup.root, SegmentName(GENERATION, 3, 0), entry.path.read_bytes(), backup.now_ns)
    with pytest.raises(DamagedData, match="its pages have 1024 bytes, those of the snapshot 512"):
        image_of(backup.root, tmp_path / "out.db")


def test_a_damaged_snapshot(tmp_path: Path, backup: Backup) -> None:
    path = backup.log[3].path
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DamagedData, match=r"00000001\.snapshot\.lz4: it is cut short; litestreamd generations lists"):
        image_of(backup.root, tmp_path / "out.db")
    assert image_of(backup.root, tmp_path / "out.db", TargetV3(GENERATION, 0)) == backup.image(3)


def test_an_object_that_vanishes_makes_a_new_plan(tmp_path: Path, backup: Backup) -> None:
    """0.3's own retention took the older snapshot, and everything below the newer one."""

    class Vanishing(FolderReplica):
        times = 1

        def open_v3(self, name: V3Name) -> object:  # type: ignore[override]
            if self.times and isinstance(name, SegmentName) and name.index == 2:
                Vanishing.times -= 1
                backup.log[6].path.unlink()
            return super().open_v3(name)

    events: list[Event] = []
    vanishing = Vanishing(backup.root, "file")
    restored(vanishing, tmp_path / "out.db", integrity=Integrity.NONE, events=events)
    assert (tmp_path / "out.db").read_bytes() == backup.image(6)
    assert [type(event) for event in events] == [RestoreStartedV3, RestorePlannedAgain, RestoreStartedV3]


# Which replica, and which format


def test_the_freshest_replica_is_taken(tmp_path: Path, backup: Backup) -> None:
    behind = three_wals(tmp_path / "behind")
    behind.log[-1].path.unlink()
    for order in ([behind.root, backup.root], [backup.root, behind.root]):
        done = restored(
            [replica(root, root.name) for root in order], tmp_path / f"{order[0].name}.db", integrity=Integrity.NONE
        )
        assert done.replica.name == "replica"


@pytest.mark.parametrize(("hours", "taken"), [(-1, "ltx"), (1, "replica")])
def test_between_formats_the_newer_state_counts(hours: int, taken: str, tmp_path: Path, backup: Backup) -> None:
    history = sqlite_history(tmp_path, tmp_path / "ltx")
    newest = max(stored.created_ms for stored in history.replica.list())
    shift = newest * 1_000_000 + hours * 3_600_000_000_000 - backup.log[-1].created_ns
    for entry in backup.log:
        store(backup.root, entry.name, entry.path.read_bytes(), entry.created_ns + shift)
    ltx = FolderReplica(tmp_path / "ltx", "ltx")
    done = restored([ltx, replica(backup.root, "replica")], tmp_path / "1.db", integrity=Integrity.NONE)
    assert done.replica.name == taken
    done = restored([replica(backup.root, "replica"), ltx], tmp_path / "2.db", integrity=Integrity.NONE)
    assert done.replica.name == taken


def test_a_txid_is_never_looked_for_in_the_old_format(tmp_path: Path, backup: Backup) -> None:
    with pytest.raises(NotAvailable, match=r"only a backup of Litestream 0\.3, which has no TXIDs"):
        restored(replica(backup.root), tmp_path / "out.db", AtTxid(1))
    history = sqlite_history(tmp_path, backup.root)
    events: list[Event] = []
    done = restored(history.replica, tmp_path / "out.db", AtTxid(8), events=events)
    assert done.plan.steps
    chosen = [event for event in events if isinstance(event, FormatChosen)]
    assert [(event.v3, event.why) for event in chosen] == [(False, "a TXID is asked for, which only LTX has")]


def test_a_generation_is_never_looked_for_in_the_new_format(tmp_path: Path) -> None:
    history = sqlite_history(tmp_path, tmp_path / "replica")
    with pytest.raises(NotAvailable, match=r"there is no backup of Litestream 0\.3"):
        restored(history.replica, tmp_path / "out.db", TargetV3(GENERATION))


def test_a_time_between_the_formats_is_the_end_of_the_old_one(tmp_path: Path, backup: Backup) -> None:
    """0.3 alone says that it has nothing for a time after its last object; with LTX beside it there is an answer."""
    last = backup.log[-1].created_ns
    later = Before((last + 10**9) / 1e6, last + 10**9)
    with pytest.raises(NotAvailable, match="the last state before it: -timestamp 2026-11-23T01:11:27"):
        image_of(backup.root, tmp_path / "out.db", later)
    FolderReplica(backup.root, "file").create(ObjectName(9, 1, 1), [b"x"], last // 1_000_000 + 60_000)
    assert image_of(backup.root, tmp_path / "out.db", later) == backup.image(7)


def test_half_of_an_upload_is_no_empty_place(tmp_path: Path) -> None:
    wal = tmp_path / "replica/generations" / GENERATION / "wal"
    wal.mkdir(parents=True)
    with pytest.raises(NoBackup):
        restored(replica(tmp_path / "replica"), tmp_path / "out.db")
    (wal / "00000000_00000000.wal.lz4.tmp").write_bytes(b"half")
    with pytest.raises(NotAvailable, match="nothing whole in it") as caught:
        restored(replica(tmp_path / "replica"), tmp_path / "out.db")
    assert not isinstance(caught.value, NoBackup)


def test_the_next_replica_helps_out(tmp_path: Path, backup: Backup) -> None:
    spare = three_wals(tmp_path / "spare")
    backup.log[6].path.write_bytes(b"x")
    store(backup.root, backup.log[6].name, b"x", backup.log[6].created_ns)
    events: list[Event] = []
    both = [replica(backup.root, "broken"), replica(spare.root, "spare")]
    assert (
        restored(both, tmp_path / "out.db", Latest(), integrity=Integrity.NONE, events=events).replica.name == "spare"
    )
    assert [event.replica for event in events if isinstance(event, ReplicaPassedOver)] == ["broken"]
