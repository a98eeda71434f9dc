"""What the port promises of objects that Litestream 0.3 left: listed in order, read as stored, left alone."""

import pytest

from litestreamd.basics.errors import ObjectMissing, StoreMissing
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.port import CHUNK
from litestreamd.v3.names import SegmentName, SnapshotName
from tests.contract.places import Place

OLD, NEW = "0123456789abcdef", "fedcba9876543210"
TIME_NS = 1_795_396_281_598_064_281
WANTED = [
    SnapshotName(OLD, 0),
    SnapshotName(OLD, 0x10),
    SegmentName(OLD, 0, 0),
    SegmentName(OLD, 0, 0x1038),
    SegmentName(OLD, 0, 0x1_0000_0000),
    SegmentName(OLD, 2, 0),
    SnapshotName(NEW, 0x7FFFFFFF),
]
FOREIGN = [
    f"generations/{OLD}/snapshots/00000001.snapshot.lz4.tmp",
    f"generations/{OLD}/snapshots/0000001.snapshot.lz4",
    f"generations/{OLD}/snapshots/80000000.snapshot.lz4",
    f"generations/{OLD}/snapshots/0000000A.snapshot.lz4",
    f"generations/{OLD}/wal/00000000.wal.lz4",
    f"generations/{OLD}/wal/00000000_000000000.wal.lz4",
    f"generations/{OLD}/wal/00000000_00000000.wal",
    f"generations/{OLD}/00000003.snapshot.lz4",
    "generations/0123456789ABCDEF/snapshots/00000000.snapshot.lz4",
    "generations/readme.txt",
    "generations/01234567/wal/00000000_00000000.wal.lz4",
]


def test_a_place_without_any(place: Place) -> None:
    assert list(place.replica().list_v3()) == []
    place.replica().create(ObjectName(0, 1, 1), [b"x"], 1)
    place.replica().create_note("writers/a.json", b"x")
    assert list(place.replica().list_v3()) == []


def test_they_are_listed_in_order_with_sizes_and_times(place: Place) -> None:
    for number, name in enumerate(reversed(WANTED)):
        place.plant(name.path, bytes(number), TIME_NS + number)
    for key in FOREIGN:
        place.plant(key, b"foreign")
    found = list(place.replica().list_v3())
    assert [stored.name for stored in found] == WANTED
    assert [stored.size for stored in found] == [6, 5, 4, 3, 2, 1, 0]
    if place.shows_times:
        assert [stored.created_ns - TIME_NS for stored in found] == [6, 5, 4, 3, 2, 1, 0]


def test_only_foreign_names_are_no_objects_and_still_something(place: Place) -> None:
    place.plant(FOREIGN[0], b"half a snapshot")
    assert list(place.replica().list_v3()) == []
    assert place.replica().has_v3() is True


def test_they_are_read_as_stored(place: Place) -> None:
    data = bytes(range(256)) * (CHUNK // 128)
    place.plant(WANTED[0].path, data)
    chunks = list(place.replica().open_v3(WANTED[0]))
    assert b"".join(chunks) == data
    assert max(map(len, chunks)) <= CHUNK


def test_one_that_is_gone(place: Place) -> None:
    with pytest.raises(ObjectMissing, match="00000000_00001038"):
        next(place.replica().open_v3(WANTED[3]))


def test_a_place_that_is_not_there_is_not_empty(place: Place) -> None:
    with pytest.raises(StoreMissing):
        place.lost().list_v3()


def test_both_formats_live_side_by_side(place: Place) -> None:
    place.plant(WANTED[0].path, b"old", TIME_NS)
    place.replica().create(ObjectName(0, 1, 1), [b"new"], 1)
    place.replica().delete([ObjectName(0, 1, 1)])
    assert [stored.name for stored in place.replica().list_v3()] == WANTED[:1]
    assert list(place.replica().list()) == []
