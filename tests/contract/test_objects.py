"""What the port promises of objects: created once and whole, listed completely, read in ranges, deleted."""

import random
from collections.abc import Iterator

import pytest

from litestreamd.basics.checksum import digest
from litestreamd.basics.errors import ObjectMissing, StoreMissing
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.port import CHUNK, Created, Times
from tests.contract.places import Place

TIME_MS = 1_750_000_000_123
NAME = ObjectName(0, 7, 7)


def test_an_empty_place_is_an_empty_listing_and_stays_empty(place: Place) -> None:
    assert list(place.replica().list()) == []
    assert place.replica().has_v3() is False
    assert list(place.replica().list_notes()) == []
    assert place.keys() == set()


def test_a_created_object_is_listed_with_its_size_and_time(place: Place) -> None:
    assert place.replica().create(NAME, [b"abc", b"", b"de"], TIME_MS) is Created.CREATED
    (stored,) = place.replica().list()
    assert (stored.name, stored.size) == (NAME, 5)
    if place.shows_times:
        assert stored.created_ms == TIME_MS
    assert b"".join(place.replica().open(NAME)) == b"abcde"


@pytest.mark.parametrize("time_ms", [1, 999, 1_000, TIME_MS + 1, 4_102_444_800_001])
def test_times_are_kept_to_the_millisecond(place: Place, time_ms: int) -> None:
    place.replica().create(NAME, [b"x"], time_ms)
    if not place.shows_times:
        assert place.replica().times is Times.STORE_UNASKED
        return
    assert [stored.created_ms for stored in place.replica().list()] == [time_ms]


def test_the_fence_is_known_after_a_create(place: Place) -> None:
    replica = place.replica()
    replica.create(NAME, [b"x"], TIME_MS)
    assert replica.fence is place.fence


def test_an_object_is_never_overwritten(place: Place) -> None:
    place.replica().create(NAME, [b"first"], TIME_MS)
    assert place.replica().create(NAME, [b"second"], TIME_MS + 5) is Created.EXISTS
    (stored,) = place.replica().list()
    assert stored.size == 5
    assert not place.shows_times or stored.created_ms == TIME_MS
    assert place.replica().read_at(NAME, 0, 100) == b"first"


def test_one_object_is_found_as_a_listing_shows_it(place: Place) -> None:
    assert place.replica().find(NAME) is None
    place.replica().create(NAME, [b"abc"], TIME_MS)
    found = place.replica().find(NAME)
    (listed,) = place.replica().list()
    assert found is not None
    assert (found.name, found.size) == (listed.name, listed.size)
    # In a listing some stores tell the time more finely than elsewhere.
    assert found.created_ms // 1000 == listed.created_ms // 1000
    assert place.replica().find(ObjectName(3, 7, 7)) is None


LARGE = 20 << 20


def pieces(seed: int) -> Iterator[bytes]:
    """LARGE bytes that depend on the seed."""
    source = random.Random(seed)
    return (source.randbytes(1 << 20) for _ in range(LARGE >> 20))


@pytest.mark.parametrize("most", [None, LARGE + 5])
def test_a_large_object_is_created_once(place: Place, most: int | None) -> None:
    replica = place.replica()
    assert replica.create(NAME, pieces(1), TIME_MS, most) is Created.CREATED
    assert replica.create(NAME, pieces(2), TIME_MS, most) is Created.EXISTS
    found = replica.find(NAME)
    assert found is not None
    assert found.size == LARGE
    assert digest(replica.open(NAME)) == digest(pieces(1))
    for offset in (0, (8 << 20) - 3, LARGE - 10):
        assert replica.read_at(NAME, offset, 10) == b"".join(pieces(1))[offset : offset + 10]
    assert len(place.keys()) == 1


def test_a_large_body_that_fails_leaves_nothing(place: Place) -> None:
    class Broken(Exception):
        pass

    def body() -> Iterator[bytes]:
        yield from pieces(1)
        raise Broken

    replica = place.replica()
    with pytest.raises(Broken):
        replica.create(NAME, body(), TIME_MS)
    replica.clear_unfinished()
    assert place.keys() == set()
    assert replica.create(NAME, pieces(2), TIME_MS) is Created.CREATED
    assert digest(replica.open(NAME)) == digest(pieces(2))


def test_an_empty_object_is_an_object(place: Place) -> None:
    assert place.replica().create(NAME, [], TIME_MS) is Created.CREATED
    assert [stored.size for stored in place.replica().list()] == [0]
    assert list(place.replica().open(NAME)) == []


def test_a_body_that_fails_leaves_nothing(place: Place) -> None:
    class Broken(Exception):
        pass

    def body() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise Broken

    with pytest.raises(Broken):
        place.replica().create(NAME, body(), TIME_MS)
    assert list(place.replica().list()) == []
    assert place.keys() == set()
    assert place.replica().create(NAME, [b"whole"], TIME_MS) is Created.CREATED


def test_nothing_but_the_object_is_left_behind(place: Place) -> None:
    place.replica().create(NAME, [b"x"], TIME_MS)
    place.replica().create(NAME, [b"y"], TIME_MS)
    assert len(place.keys()) == 1


def test_the_listing_is_complete_and_ascending(place: Place) -> None:
    names = [ObjectName(level, low, low + more) for level in range(10) for low in (1, 9, 300) for more in (0, 1, 99)]
    for name in reversed(names):
        place.replica().create(name, [b"x"], TIME_MS)
    assert [stored.name for stored in place.replica().list()] == sorted(names)
    for level in range(10):
        assert [stored.name for stored in place.replica().list(level)] == [n for n in names if n.level == level]


def test_foreign_names_are_ignored_and_left_alone(place: Place) -> None:
    place.replica().create(NAME, [b"x"], TIME_MS)
    (key,) = place.keys()
    folder, _, own = key.rpartition("/")
    foreign = {
        f"{folder}/{own.upper()}",
        f"{folder}/{own}.tmp",
        f"{folder}/readme.txt",
        f"{folder}/{own[1:]}",
        f"{folder}/deeper/{own}",
        "something/else",
    }
    for each in foreign:
        place.plant(each, b"theirs")
    place.replica().create(ObjectName(0, 8, 8), [b"y"], TIME_MS)
    assert [stored.name for stored in place.replica().list()] == [NAME, ObjectName(0, 8, 8)]
    assert foreign <= place.keys()


def test_ranges(place: Place) -> None:
    body = bytes(range(256)) * (CHUNK // 100)
    place.replica().create(NAME, [body], TIME_MS)
    replica = place.replica()
    size = len(body)
    for offset, length in [
        (0, 1),
        (0, size),
        (5, 0),
        (CHUNK - 1, 2),
        (size - 1, 1),
        (size - 3, 10),
        (size, 5),
        (9, CHUNK),
    ]:
        assert replica.read_at(NAME, offset, length) == body[offset : offset + length]
        assert b"".join(replica.open(NAME, offset, length)) == body[offset : offset + length]
    assert b"".join(replica.open(NAME, 77)) == body[77:]
    assert max(len(chunk) for chunk in replica.open(NAME)) <= CHUNK


def test_a_missing_object_is_told_apart(place: Place) -> None:
    place.replica().create(NAME, [b"x"], TIME_MS)
    gone = ObjectName(3, 1, 2)
    with pytest.raises(ObjectMissing, match=str(gone)):
        place.replica().read_at(gone, 0, 1)
    with pytest.raises(ObjectMissing, match=str(gone)):
        next(place.replica().open(gone))


def test_delete_removes_these_and_is_repeatable(place: Place) -> None:
    names = [ObjectName(0, txid, txid) for txid in range(1, 6)]
    for name in names:
        place.replica().create(name, [b"x"], TIME_MS)
    place.replica().delete(names[1:3])
    place.replica().delete([*names[1:3], ObjectName(4, 1, 9)])
    place.replica().delete([])
    assert [stored.name for stored in place.replica().list()] == [names[0], *names[3:]]


def test_a_deleted_name_can_be_created_again(place: Place) -> None:
    place.replica().create(NAME, [b"x"], TIME_MS)
    place.replica().delete([NAME])
    assert place.replica().create(NAME, [b"y"], TIME_MS) is Created.CREATED


def test_a_place_that_is_not_there_is_an_error_and_is_not_made(place: Place) -> None:
    lost = place.lost()
    with pytest.raises(StoreMissing, match=place.lost_words):
        list(lost.list())
    with pytest.raises(StoreMissing):
        lost.has_v3()
    with pytest.raises(StoreMissing):
        lost.list_notes()
    for _ in range(2):
        with pytest.raises(StoreMissing):
            lost.create(NAME, [b"x"], TIME_MS)
        with pytest.raises(StoreMissing):
            lost.create_note("writers/x.json", b"x")


def test_objects_of_litestream_3_are_seen(place: Place) -> None:
    place.plant("generations/0123456789abcdef/snapshots/00000000.snapshot.lz4", b"x")
    assert place.replica().has_v3() is True
    assert list(place.replica().list()) == []
