"""What the port promises of notes, and what writer epochs make of them."""

import pytest

from litestreamd.basics.errors import ConflictError, ObjectMissing
from litestreamd.ltx.names import ObjectName
from litestreamd.replica.port import Created
from litestreamd.replica.writers import Writer, check_still_highest, close_epoch, open_epoch, read_writers
from tests.contract.places import Place

WRITER = Writer(node_id=(1 << 64) - 1, machine="m-1", host="alpha", instance="app", start_ms=1_750_000_000_000, head=41)


def test_a_note_is_created_once_and_read_back(place: Place) -> None:
    assert place.replica().create_note("writers/a.json", b"first") is Created.CREATED
    assert place.replica().create_note("writers/a.json", b"second") is Created.EXISTS
    assert place.replica().read_note("writers/a.json") == b"first"
    assert place.replica().has_note("writers/a.json") is True


def test_notes_are_listed_by_prefix(place: Place) -> None:
    for name in ("writers/b.json", "writers/a.json", "writers/a.closed", "other/a.json", "top.json"):
        place.replica().create_note(name, b"")
    assert list(place.replica().list_notes("writers/a")) == ["writers/a.closed", "writers/a.json"]
    assert list(place.replica().list_notes("writers/")) == ["writers/a.closed", "writers/a.json", "writers/b.json"]
    assert list(place.replica().list_notes("nothing/")) == []
    assert len(place.replica().list_notes()) == 5


def test_notes_and_objects_do_not_see_each_other(place: Place) -> None:
    place.replica().create_note("writers/a.json", b"x")
    assert list(place.replica().list()) == []
    assert place.replica().has_v3() is False
    place.replica().create(ObjectName(0, 1, 1), [b"x"], 1)
    assert list(place.replica().list_notes()) == ["writers/a.json"]


def test_a_note_that_only_tried_the_place_can_be_taken_away(place: Place) -> None:
    for name in ("probes/a.json", "writers/a.json"):
        place.replica().create_note(name, b"x")
    for _ in range(2):
        place.replica().delete_note("probes/a.json")
        assert list(place.replica().list_notes()) == ["writers/a.json"]
    with pytest.raises(ObjectMissing):
        place.replica().read_note("probes/a.json")
    assert place.replica().create_note("probes/a.json", b"y") is Created.CREATED


def test_a_missing_note(place: Place) -> None:
    assert place.replica().has_note("writers/none.json") is False
    with pytest.raises(ObjectMissing):
        place.replica().read_note("writers/none.json")


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../up", "a/../b", "a//b", "UPPER", "a b", "a/", ".hidden", "a.tmp"]
)
def test_a_note_stays_where_notes_are(place: Place, name: str) -> None:
    with pytest.raises(ValueError, match="note"):
        place.replica().create_note(name, b"x")
    assert place.keys() == set()


def test_epochs_count_up_and_are_read_back(place: Place) -> None:
    assert read_writers(place.replica()).highest is None
    assert open_epoch(place.replica(), WRITER) == 1
    highest = read_writers(place.replica()).highest
    assert highest is not None
    assert (highest.number, highest.writer, highest.closed) == (1, WRITER, False)
    check_still_highest(place.replica(), 1)
    close_epoch(place.replica(), 1)
    close_epoch(place.replica(), 1)
    highest = read_writers(place.replica()).highest
    assert highest is not None
    assert highest.closed
    assert open_epoch(place.replica(), WRITER) == 2
    highest = read_writers(place.replica()).highest
    assert highest is not None
    assert (highest.number, highest.closed) == (2, False)


def test_whoever_is_not_the_highest_writer_finds_out(place: Place) -> None:
    first = open_epoch(place.replica(), WRITER)
    open_epoch(place.replica(), WRITER)
    with pytest.raises(ConflictError, match=r"app on alpha.*taken over"):
        check_still_highest(place.replica(), first)


def test_a_writer_whose_record_is_gone_finds_out(place: Place) -> None:
    open_epoch(place.replica(), WRITER)
    with pytest.raises(ConflictError, match="emptied or exchanged"):
        check_still_highest(place.replica(), 2)


def test_nobody_comes_back_under_a_taken_number(place: Place) -> None:
    for _ in range(3):
        open_epoch(place.replica(), WRITER)
    check_still_highest(place.replica(), 3)
    for number in (1, 2):
        with pytest.raises(ConflictError, match="taken over"):
            check_still_highest(place.replica(), number)


def test_a_record_from_the_future_still_counts(place: Place) -> None:
    place.replica().create_note(f"writers/{9:016x}.json", b"\xff not for us")
    highest = read_writers(place.replica()).highest
    assert highest is not None
    assert (highest.number, highest.writer) == (9, None)
    assert open_epoch(place.replica(), WRITER) == 10


def test_foreign_notes_are_no_epochs(place: Place) -> None:
    for name in ("writers/readme.txt", "writers/00000000000000ff", "writers/ff.json", "writers/00000000000000fg.json"):
        place.replica().create_note(name, b"")
    assert read_writers(place.replica()).highest is None
