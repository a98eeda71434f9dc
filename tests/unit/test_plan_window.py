"""The window of a replica: its two ends, kept up as files come."""

from pathlib import Path

from litestreamd.database.manifest import Manifest
from litestreamd.jobs.owned_root import OwnedRoot
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.plan.window import Window, extended, window_of
from litestreamd.replica.folder.replica import FolderReplica
from litestreamd.replica.port import StoredObject
from litestreamd.replica.writers import Writer


def stored(level: int, first: int, last: int, ms: int) -> StoredObject:
    return StoredObject(ObjectName(level, first, last), 100 + last, ms)


HISTORY = [stored(SNAPSHOT_LEVEL, 1, 3, 30), stored(1, 4, 5, 50), stored(0, 5, 5, 50), stored(0, 6, 6, 60)]


def ends(window: Window | None) -> tuple[int, int, int, int]:
    assert window
    return window.oldest.txid, window.oldest.created_ms, window.newest.txid, window.newest.created_ms


def test_both_ends() -> None:
    assert ends(window_of(HISTORY)) == (3, 30, 6, 60)
    assert ends(window_of(HISTORY[:1])) == (3, 30, 3, 30)
    assert window_of([]) is None
    assert window_of(HISTORY[1:]) is None  # nothing to begin with


def test_behind_a_hole_nothing_counts() -> None:
    assert ends(window_of([HISTORY[0], *HISTORY[3:]])) == (3, 30, 3, 30)


def test_the_next_file_is_what_a_new_listing_would_say() -> None:
    known = window_of(HISTORY)
    assert known
    for ms in (70, 55):  # a clock that was set back cannot make a state restorable before the one below it
        came = stored(0, 7, 7, ms)
        assert extended(known, came) == window_of([*HISTORY, came])


def test_every_other_object_takes_the_listing() -> None:
    known = window_of(HISTORY)
    assert known
    for came in (stored(0, 8, 8, 80), stored(1, 6, 7, 70), stored(SNAPSHOT_LEVEL, 1, 6, 60)):
        assert extended(known, came) is None


def test_an_owned_root_keeps_it_up(tmp_path: Path) -> None:
    replica = FolderReplica(tmp_path, "r0")
    owned = OwnedRoot(replica, Manifest(tmp_path, "r0", replica.description))
    owned.hold([], Writer(7, "machine", "host", "app", 0, 0))
    assert owned.window is None
    came = {(0, 1, 1): 10, (0, 2, 2): 20, (0, 3, 3): 15, (9, 1, 2): 20, (0, 5, 5): 50, (1, 4, 5): 50}
    for name, ms in came.items():
        owned.create(ObjectName(*name), lambda: iter([b"x"]), ms)
        assert owned.window == window_of(owned.objects)
    assert ends(owned.window) == (1, 10, 5, 50)
    owned.delete([stored(0, 1, 1, 10)])
    assert ends(owned.window) == (2, 20, 5, 50)
    owned.forget([ObjectName(1, 4, 5)])
    assert ends(owned.window) == (2, 20, 3, 20)
