"""The drill: restored to scratch, compared with a live database that goes on, and what it says then."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from litestreamd.basics.checksum import FLAG
from litestreamd.ltx.decoder import Pages, read_pages
from litestreamd.ltx.header import Header, Proof
from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName
from litestreamd.replica.folder.replica import FolderReplica
from tests.support import folder_listing
from tests.support.drilling import Result, drilled
from tests.support.driving import Drive, Time, image_of
from tests.support.histories import damage, encode, flip, object_path, split
from tests.support.live import App, create, insert, resize

SCRIBBLE = """
import sys
path, at = sys.argv[1], int(sys.argv[2])
with open(path, "r+b") as file:
    file.seek(at)
    byte = file.read(1)[0]
    file.seek(at)
    file.write(bytes([byte ^ 0xFF]))
"""


class Stage:
    """A database in use, its replication and its replica."""

    def __init__(self, folder: Path, auto_vacuum: str = "NONE") -> None:
        self.path, self.root = folder / "app.db", folder / "r0"
        self.root.mkdir()
        create(self.path, auto_vacuum=auto_vacuum, rows=200)
        self.app = App(self.path)
        self.time = Time()
        self.drive = self.start()
        self.deeds: list[Callable[[], object]] = []
        """Done one by one, each after a barrier was reached and before it is told."""
        self.early: list[Callable[[], object]] = []
        """The same, before it is reached."""
        self.barriers = self.forged = 0

    def start(self) -> Drive:
        return Drive(self.path, self.root, time=self.time).settle()

    def barrier(self) -> int | None:
        """What the daemon does for `sync --wait`."""
        self.barriers += 1
        if self.early:
            self.early.pop(0)()
        self.drive.event().elapse(3)
        head = folder_listing.head(self.root)
        if self.deeds:
            self.deeds.pop(0)()
        return head

    def drill(self, *deeds: Callable[[], object]) -> Result:
        self.deeds = list(deeds)
        return drilled(self.path, self.root, self.barrier)

    def settle_file(self) -> None:
        """Everything committed is in the database file, and nothing of the WAL counts any more."""
        self.drive.event().elapse(3)
        _, frames, backfilled = self.app.checkpoint("PASSIVE")
        assert frames == backfilled

    def rot(self, page: int, page_size: int = 4096, at: int = 3000) -> None:
        """One byte of a page in the file, changed by nobody."""
        place = (page - 1) * page_size + at
        subprocess.run([sys.executable, "-c", SCRIBBLE, str(self.path), str(place)], check=True)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.drive.die()
    made.app.kill()


def test_an_idle_database(stage: Stage) -> None:
    result = stage.drill()
    assert (result.live, result.changed, result.error) == ("equal", 0, None)
    assert (result.txid, stage.barriers) == (folder_listing.head(stage.root), 1)
    assert result.events[-1] == "DrillPassed"


def test_what_was_committed_before_is_on_the_replica(stage: Stage) -> None:
    before = folder_listing.head(stage.root)
    stage.app.fill(50)
    result = stage.drill()
    assert (result.live, result.changed) == ("equal", 0)
    assert result.txid == folder_listing.head(stage.root) > before


def test_a_page_that_changes_after_the_restore_is_explained(stage: Stage) -> None:
    result = stage.drill(lambda: stage.app.write("UPDATE t SET b = randomblob(400) WHERE id = 100"))
    assert (result.live, result.error, stage.barriers) == ("equal", None, 2)
    assert result.changed >= 1


@pytest.mark.parametrize("also_checkpointed", [False, True])
def test_growth_and_shrinking_are_explained(tmp_path: Path, also_checkpointed: bool) -> None:
    stage = Stage(tmp_path, auto_vacuum="FULL")

    def then(*sql: str) -> Callable[[], None]:
        def deed() -> None:
            stage.app.write(*sql)
            if also_checkpointed:
                stage.app.checkpoint("PASSIVE")

        return deed

    grown = stage.drill(then(insert(300)))
    shrunk = stage.drill(then("DELETE FROM t WHERE id > 100"))
    stage.deeds.clear()
    both = stage.drill(then(insert(300)), then("DELETE FROM t WHERE id > 50"))
    for result in (grown, shrunk, both):
        assert (result.live, result.error) == ("equal", None)
        assert result.changed > 5
    stage.drive.die()
    stage.app.kill()


def test_a_vacuum_is_explained(stage: Stage) -> None:
    stage.app.write("DELETE FROM t WHERE id % 2")
    result = stage.drill(lambda: stage.app.run("VACUUM"))
    assert (result.live, result.error) == ("equal", None)
    assert result.changed > 5


def test_a_page_that_was_seen_between_two_states_that_were_captured(stage: Stage) -> None:
    """It is changed after the restore, and as before when the capture looks again, which compares all pages then: no
    object names it. It is found to be equal when it is read again."""
    stage.settle_file()
    (old,) = stage.app.run("SELECT hex(b) FROM t WHERE id = 100")[0]
    set_to = "UPDATE t SET b = {} WHERE id = 100"

    def change() -> None:
        stage.drive.stop()
        stage.app.write(set_to.format("randomblob(400)"))

    def back() -> None:
        stage.app.write(set_to.format(f"x'{old}'"))
        assert stage.app.checkpoint("TRUNCATE")[0] == 0
        stage.drive = stage.start()

    stage.early = [lambda: None, back]
    result = stage.drill(change)
    assert (result.live, result.error, result.changed) == ("equal", None, 1)
    assert result.txid == folder_listing.head(stage.root)


def test_rot_in_the_live_file_is_named(stage: Stage) -> None:
    stage.settle_file()
    stage.rot(9)
    result = stage.drill()
    assert (result.live, result.different, result.pages, result.code) == ("different", 1, [9], 65)
    assert result.error is not None
    assert f"page 9 is not as in TXID {result.txid:016x}" in result.error
    assert result.events[-1] == "DrillFailed"


def test_rot_is_found_among_pages_that_changed(stage: Stage) -> None:
    stage.settle_file()
    stage.rot(9)
    result = stage.drill(*[lambda: stage.app.fill(30)] * 4)
    assert (result.live, result.pages, result.code) == ("different", [9], 65)
    assert result.changed >= 1


def test_only_the_first_ten_are_named(stage: Stage) -> None:
    stage.settle_file()
    for page in range(3, 17):
        stage.rot(page)
    result = stage.drill()
    assert (result.different, result.pages) == (14, list(range(3, 13)))
    assert "14 pages (3, 4, 5, 6, 7, 8, 9, 10, 11, 12 ...) are" in result.why


def test_a_commit_that_never_arrived_is_a_difference(stage: Stage) -> None:
    """The barrier lies: what it says is durable lacks a commit."""
    head = folder_listing.head(stage.root)
    stage.app.write("UPDATE t SET b = randomblob(400) WHERE id = 100")
    result = drilled(stage.path, stage.root, lambda: head)
    assert (result.live, result.code) == ("different", 65)
    assert result.different >= 1


def test_rot_on_the_replica(stage: Stage) -> None:
    stage.barrier()
    newest = max(folder_listing.objects(stage.root), key=lambda each: (each.max_txid, -each.level))
    image = ObjectName(SNAPSHOT_LEVEL, 1, newest.max_txid)
    damage(object_path(stage.root, image), flip(300))
    result = stage.drill()
    assert (result.live, result.code) == ("not compared", 65)
    assert result.error is not None
    assert str(image) in result.error


def test_rot_in_what_explains_a_change(stage: Stage) -> None:
    def hurt() -> None:
        head = folder_listing.head(stage.root)
        damage(object_path(stage.root, ObjectName(0, head, head)), flip(150))

    result = stage.drill(lambda: stage.app.fill(5), hurt)
    assert result.code == 65
    assert "ltx" in (result.error or "")


def test_a_replica_that_lost_what_had_arrived(stage: Stage) -> None:
    stage.app.fill(5)
    head = stage.barrier()
    assert head
    FolderReplica(stage.root, "r0").delete([ObjectName(0, head, head)])
    result = drilled(stage.path, stage.root, lambda: head)
    assert result.code == 65
    assert f"although TXID {head:016x} had arrived there" in (result.error or "")


def test_a_change_that_arrived_as_something_else(stage: Stage) -> None:
    """Every object is sound, and one of them says of a page what was never committed."""
    replica = FolderReplica(stage.root, "r0")

    def forge() -> None:
        head = folder_listing.head(stage.root)
        name = ObjectName(0, head, head)
        header, *rest = read_pages(replica.open(name))
        assert isinstance(header, Header)
        pages = [page for event in rest if isinstance(event, Pages) for page in event.pages]
        (number, image), *others = pages[::-1]
        others.insert(0, (number, image[:-1] + bytes([image[-1] ^ 1])))
        replica.delete([name])
        replica.create(name, [encode(header, others[::-1])], 1_800_000_000_000)
        stage.forged = number

    result = stage.drill(lambda: stage.app.write("UPDATE t SET b = randomblob(400) WHERE id = 100"), forge)
    assert (result.live, result.pages, result.code) == ("different", [stage.forged], 65)


def test_changes_that_were_replaced_by_an_image_lead_to_a_new_restore(stage: Stage) -> None:
    """Nothing says any more what changed since the first restore; the second is of the image."""
    replica = FolderReplica(stage.root, "r0")

    def only_an_image() -> None:
        head = folder_listing.head(stage.root)
        name = ObjectName(0, head, head)
        header = next(iter(read_pages(replica.open(name))))
        assert isinstance(header, Header)
        assert header.proof
        pages = list(enumerate(split(image_of(stage.root), 4096), 1))
        whole = dataclasses.replace(header, min_txid=1, proof=Proof(FLAG, header.proof.after))
        replica.create(ObjectName(SNAPSHOT_LEVEL, 1, head), [encode(whole, pages)], 1_800_000_000_000)
        replica.delete([name])

    result = stage.drill(lambda: stage.app.fill(5), only_an_image)
    assert (result.live, result.error) == ("equal", None)
    assert result.txid == folder_listing.head(stage.root)


def test_another_page_size(stage: Stage) -> None:
    def change() -> None:
        stage.drive.stop()
        stage.app.close()
        resize(stage.path, 1024)
        stage.app = App(stage.path)
        stage.drive = Drive(stage.path, stage.root, time=stage.time)  # it begins with the next barrier

    result = stage.drill(change)
    assert (result.live, result.error) == ("equal", None)
    assert stage.barriers == 3


def test_without_the_live_database(stage: Stage) -> None:
    result = drilled(stage.path, stage.root, stage.barrier, compare_live=False)
    assert (result.live, result.why, result.error) == ("not compared", "-no-live was given", None)


# Nobody replicates


@pytest.fixture
def ended(stage: Stage) -> Stage:
    """As a daemon leaves it after a clean stop, the application still there."""
    stage.app.fill(20)
    stage.settle_file()
    stage.drive.stop()
    return stage


def test_nobody_replicates_and_nothing_changed(ended: Stage) -> None:
    result = drilled(ended.path, ended.root, None)
    assert (result.live, result.error) == ("equal", None)


def test_nobody_replicates_and_something_changed(ended: Stage) -> None:
    ended.app.fill(20)
    result = drilled(ended.path, ended.root, None)
    assert (result.live, result.error) == ("not compared", None)
    assert "no daemon answers, and " in result.why


def test_nobody_replicates_and_the_file_rots(ended: Stage) -> None:
    ended.rot(9)
    result = drilled(ended.path, ended.root, None)
    assert (result.live, result.pages, result.code) == ("different", [9], 65)


def test_a_daemon_that_goes_away_meanwhile(stage: Stage) -> None:
    answers = [stage.barrier()]
    stage.app.fill(5)
    result = drilled(stage.path, stage.root, lambda: answers.pop() if answers else None)
    assert (result.live, result.error) == ("not compared", None)


def test_a_database_at_rest_stays_as_it_is(ended: Stage) -> None:
    ended.app.close()
    sidecars = [ended.path.with_name(ended.path.name + ending) for ending in ("-wal", "-shm")]
    assert not [path for path in sidecars if path.exists()]
    before = ended.path.stat()
    assert drilled(ended.path, ended.root, None).live == "equal"
    assert not [path for path in sidecars if path.exists()]
    assert ended.path.stat().st_mtime_ns == before.st_mtime_ns
    ended.rot(9)
    assert drilled(ended.path, ended.root, None).live == "not compared"


def test_a_wal_that_nobody_has_taken_up_is_left_alone(ended: Stage) -> None:
    ended.app.fill(3)
    ended.app.kill()
    ended.path.with_name("app.db-shm").unlink()
    result = drilled(ended.path, ended.root, None)
    assert (result.live, result.error) == ("not compared", None)
    assert "-wal holds commits" in result.why
    assert not ended.path.with_name("app.db-shm").exists()


@pytest.mark.parametrize("how", ["gone", "empty", "rollback journal"])
def test_no_live_database_to_compare_with(ended: Stage, how: str) -> None:
    ended.app.close()
    ended.path.rename(ended.path.with_name("kept.db"))
    if how == "empty":
        ended.path.touch()
    if how == "rollback journal":
        ended.path.write_bytes(ended.path.with_name("kept.db").read_bytes())
        with App(ended.path) as app:
            app.run("PRAGMA journal_mode=DELETE")
            app.close()
    result = drilled(ended.path, ended.root, None)
    assert (result.live, result.error) == ("not compared", None)
    assert ("rollback-journal" if how == "rollback journal" else "there is no live database") in result.why


def test_what_is_no_database(ended: Stage) -> None:
    ended.app.close()
    ended.path.write_bytes(b"no database at all" * 100)
    assert drilled(ended.path, ended.root, None).code == 65
