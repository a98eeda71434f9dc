"""The captured state between two lives: what is damaged is named, and never taken for the truth."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from litestreamd.basics.errors import DamagedData, EnvironmentFault
from litestreamd.database.captured import CapturedState
from litestreamd.database.live import Absent
from tests.support.live import App, Engine, Follower, create, insert


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


def lived(path: Path, app: App) -> tuple[Path, Follower]:
    """A life that ends with state settled at TXID 2 and TXIDs 3 and 4 in the spool only. Out: the directory."""
    with Engine(path) as engine:
        follower = engine.follower(app)
        for number in range(3):
            app.write(insert(20 + number))
            engine.take()
            if not number:
                engine.state.settle()
        return engine.folder, follower


def opened(folder: Path) -> CapturedState:
    state = CapturedState(folder, node_id=8)
    try:
        state.open()
    finally:
        state.rest()
    return state


def damaged(folder: Path, *words: str) -> None:
    with pytest.raises(DamagedData) as raised:
        opened(folder)
    for word in words:
        assert word in str(raised.value)


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def entry(folder: Path, txid: int) -> Path:
    return folder / "spool" / f"{txid:016x}.spool"


def test_what_was_settled_and_what_was_not_come_back(path: Path, app: App) -> None:
    folder, _ = lived(path, app)
    assert json.loads((folder / "state.json").read_text())["txid"] == 2
    state = opened(folder)
    assert state.head is not None
    assert (state.head.txid, state.settled_txid) == (4, 2)
    assert [each.txid for each in state.spool.entries()] == [2, 3, 4]


def test_our_node_ids_are_remembered_the_newest_last(path: Path, app: App) -> None:
    folder, _ = lived(path, app)
    assert opened(folder).node_ids == (7, 8)


def test_an_empty_directory_knows_nothing(tmp_path: Path) -> None:
    assert opened(tmp_path / "new").head is None


@pytest.mark.parametrize("part", [0, 0.2, 0.5, 0.9, -1])
def test_a_bit_flipped_in_an_entry_is_found(path: Path, app: App, part: float) -> None:
    folder, _ = lived(path, app)
    place = entry(folder, 3)
    flip(place, -1 if part < 0 else int(part * place.stat().st_size))
    damaged(folder, str(place))


@pytest.mark.parametrize("left", [0, 1, 23, 24, 500, -1])
def test_an_entry_that_was_cut_is_found(path: Path, app: App, left: int) -> None:
    folder, _ = lived(path, app)
    place = entry(folder, 4)
    place.write_bytes(place.read_bytes()[:left])
    damaged(folder, str(place))


def test_an_entry_under_another_ones_name_is_found(path: Path, app: App) -> None:
    folder, _ = lived(path, app)
    entry(folder, 4).rename(entry(folder, 5))
    damaged(folder, "holds TXID 0000000000000004")


@pytest.mark.parametrize("txid", [2, 3, 4])
def test_an_entry_that_is_gone_does_not_lead_astray(path: Path, app: App, txid: int) -> None:
    """What is left proves itself as an older state or the newest; the next look mends the rest."""
    folder, _ = lived(path, app)
    entry(folder, txid).unlink()
    with Engine(path) as engine:
        engine.take()
        assert engine.capture.head.checksum == Follower(app.image(), 4096, 0).checksum


def test_an_entry_that_is_gone_while_we_run_is_named(path: Path, app: App) -> None:
    with Engine(path) as engine:
        app.fill(1)
        engine.take()
        place = entry(engine.folder, 2)
        place.unlink()
        with pytest.raises(DamagedData, match=str(place)):
            engine.ltx(2)


@pytest.mark.parametrize("offset", [0, 8 * 3 + 5, -1])
def test_a_bit_flipped_in_the_page_hashes_is_found(path: Path, app: App, offset: int) -> None:
    folder, _ = lived(path, app)
    (pages,) = folder.glob("pages.*")
    opened(folder)  # entries of the spool bring their pages forward again
    untouched = next(at for at in range(8) if flip_matters(folder, at * 8))
    flip(pages, untouched * 8 + offset % 8)
    damaged(folder, "checksum", str(folder))


def flip_matters(folder: Path, offset: int) -> bool:
    """Whether no entry of the spool writes this page hash anew."""
    (pages,) = folder.glob("pages.*")
    before = pages.read_bytes()
    flip(pages, offset)
    try:
        opened(folder)
    except DamagedData:
        return True
    finally:
        pages.write_bytes(before)
    return False


@pytest.mark.parametrize("size", [0, 5, 8, 17])
def test_page_hashes_that_were_cut_are_found(path: Path, app: App, size: int) -> None:
    folder, _ = lived(path, app)
    (pages,) = folder.glob("pages.*")
    pages.write_bytes(pages.read_bytes()[:size])
    damaged(folder, "checksum")


def test_page_hashes_that_are_gone_are_missed(path: Path, app: App) -> None:
    folder, _ = lived(path, app)
    (pages,) = folder.glob("pages.*")
    pages.unlink()
    damaged(folder, "checksum")


def test_a_spool_without_its_state_is_no_first_start(path: Path, app: App) -> None:
    folder, _ = lived(path, app)
    (folder / "state.json").unlink()
    damaged(folder, "state.json", "missing")


Change = Callable[[dict[str, object]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.pop("txid"),
        lambda value: value.update(position=None),
        lambda value: value.update(checksum="not a number"),
        lambda value: value["position"].update(salts="xyz"),
        lambda value: value.update(node_ids=[3]),
    ],
    ids=["missing", "none", "text", "salts", "node ids"],
)
def test_a_state_without_sense_is_damaged(path: Path, app: App, change: Change) -> None:
    folder, _ = lived(path, app)
    place = folder / "state.json"
    value = json.loads(place.read_text())
    change(value)
    place.write_text(json.dumps(value))
    damaged(folder, str(place))


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"version": 99}', "\xff"])
def test_a_state_file_of_anything_else_is_refused(path: Path, app: App, content: str) -> None:
    folder, _ = lived(path, app)
    (folder / "state.json").write_bytes(content.encode("latin-1"))
    damaged(folder, "state.json")


def test_a_checksum_that_the_pages_do_not_give_is_not_believed(path: Path, app: App) -> None:
    folder, _ = lived(path, app)
    for txid in (2, 3, 4):
        entry(folder, txid).unlink()
    damaged(folder)


def test_a_directory_we_may_not_use_is_an_error_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    with pytest.raises(EnvironmentFault):
        opened(tmp_path / "state")


def test_leftovers_of_a_write_that_was_cut_short_are_removed(path: Path, app: App) -> None:
    folder, follower = lived(path, app)
    (folder / "spool" / f"{5:016x}.tmp").write_bytes(b"half")
    with Engine(path) as engine:
        assert not list((folder / "spool").glob("*.tmp"))
        engine.assert_followed(follower, app)


def test_entries_that_come_back_after_trimming_are_harmless(path: Path, app: App) -> None:
    """Deleting is not made durable; a power cut may bring entries back that the page hashes left behind."""
    folder, follower = lived(path, app)
    old = {txid: entry(folder, txid).read_bytes() for txid in (2, 3)}
    with Engine(path) as engine:
        engine.bring(follower)
        engine.state.settle()
        assert engine.state.spool.trim(4) == 3
    for txid, content in old.items():
        entry(folder, txid).write_bytes(content)
    with Engine(path) as engine:
        app.write("DELETE FROM t WHERE id < 9")
        engine.assert_followed(follower, app)


def test_nothing_is_said_to_be_there_before_it_is(tmp_path: Path) -> None:
    """A database that is not there leaves no state behind."""
    engine = Engine(tmp_path / "absent.db")
    with pytest.raises(Absent):
        engine.open()
    assert not engine.folder.exists()
