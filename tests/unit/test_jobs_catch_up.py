"""A catch-up file on its way: what it never lets through, what it keeps aside, and a file with nothing to hold."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from litestreamd.basics.errors import DamagedData, EnvironmentFault
from litestreamd.database import moving_image
from litestreamd.database.debt import Debt, Since
from litestreamd.database.debts import Debts
from litestreamd.database.page_set import PageSet
from litestreamd.jobs.catch_up import prepare_catch_up
from litestreamd.jobs.image import PreparedImage
from tests.support.live import App, Engine, Follower, create, insert, scribble
from tests.support.ltx_reading import decode

CHANGE = "UPDATE t SET b = randomblob(400) WHERE id % 50 = 0"
REWRITE = "UPDATE t SET b = randomblob(400)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "app.db"
    create(found, rows=1000)
    return found


@pytest.fixture
def app(path: Path) -> Iterator[App]:
    with App(path) as opened:
        yield opened


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    with Engine(path) as opened:
        yield opened


def owed(app: App, engine: Engine) -> tuple[Follower, Debt]:
    """A replica and its debt: three files have left the spool, the newest is in it."""
    follower = engine.follower(app)
    debts = Debts(engine.folder / "replicas", "nas")
    for _ in range(4):
        app.write(CHANGE)
        engine.take()
    through = engine.capture.head.txid - 1
    spool = engine.state.spool
    assert debts.owe(follower.txid, [one for one in spool.ledgers(follower.txid) if one.head.txid <= through])
    spool.trim(through)
    debt = debts.due(follower.txid, follower.checksum, spool)
    assert debt is not None
    return follower, debt


def prepared(engine: Engine, debt: Debt) -> PreparedImage:
    header = engine.header
    assert engine.take() == []
    image = prepare_catch_up(engine.capture, header, debt)
    assert image is not None
    return image


def test_only_what_changed_is_sent(app: App, engine: Engine) -> None:
    follower, debt = owed(app, engine)
    image = prepared(engine, debt)
    data = b"".join(image.body())
    file, head = decode(data), engine.capture.head
    assert file.header == image.header()
    assert (file.header.commit, file.header.timestamp_ms) == (head.position.commit, head.timestamp_ms)
    assert [pgno for pgno, _ in file.pages] == list(debt.pages.within(1, head.position.commit))
    assert len(file.pages) == debt.count < head.position.commit / 2
    follower.apply(data, head.txid)
    engine.assert_followed(follower, app)


def test_a_debt_that_is_not_of_the_head_gives_nothing(app: App, engine: Engine) -> None:
    _, debt = owed(app, engine)
    app.write(CHANGE)
    header = engine.header
    engine.take()
    assert prepare_catch_up(engine.capture, header, debt) is None
    assert prepare_catch_up(engine.capture, header, replace(debt, page_size=1024)) is None


def ends_badly(image: PreparedImage) -> bytes:
    """What came before the error."""
    sent = []
    with pytest.raises(DamagedData, match="do not lead to its recorded checksum: they were not stored"):
        for piece in image.body():
            sent.append(piece)
    image.close()
    return b"".join(sent)


def test_a_page_that_rotted_is_not_sent_as_a_whole_file(path: Path, app: App, engine: Engine) -> None:
    _, debt = owed(app, engine)
    engine.keeper.truncate(engine.tick())
    image = prepared(engine, debt)
    pgno = next(debt.pages.within(2, 1000))
    scribble(path, pgno * 4096 - 8, b"rotten!!")
    assert ends_badly(image)


@pytest.mark.parametrize("wrong", ["a page too few", "a page too many", "another start"])
def test_a_wrong_list_of_pages_is_no_whole_file(app: App, engine: Engine, wrong: str) -> None:
    _, debt = owed(app, engine)
    pages = set(debt.pages.within(1, 10_000))
    if wrong == "a page too few":
        pages.remove(max(pages))
    elif wrong == "a page too many":
        pages.add(min(set(range(2, 1000)) - pages))
    else:
        debt.old ^= 2
    debt.pages = PageSet()
    for pgno in pages:
        debt.pages.add(pgno)
    ends_badly(prepared(engine, debt))


def test_a_file_always_has_a_page(app: App, engine: Engine) -> None:
    follower, head = engine.follower(app), engine.capture.head
    engine.capture.stamp(engine.header, engine.tick())
    debt = Debt(head.txid, head.checksum, head.txid + 1, head.checksum, 4096, head.position.commit)
    data = b"".join(prepared(engine, debt).body())
    assert [pgno for pgno, _ in decode(data).pages] == [1]
    follower.apply(data, head.txid + 1)
    assert bytes(follower.image) == app.image()


def test_pages_that_are_not_wanted_are_not_kept(app: App, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application rewrites everything while a file of two pages is on its way."""
    monkeypatch.setattr(moving_image, "PORTION", 8 * 4096)
    head, last = engine.capture.head, engine.capture.head.position.commit
    wanted = PageSet()
    for pgno in (1, last - 1):
        wanted.add(pgno)
    before = app.image()
    image = engine.capture.image(engine.header, wanted)
    first = image.read()
    app.write(REWRITE)
    engine.refresh()
    app.checkpoint("TRUNCATE")
    engine.refresh()
    app.write(insert(5), REWRITE)
    engine.refresh()
    assert 0 < image.kept_bytes <= 2 * 4096
    pages = [*first, *image.read()]
    assert image.read() == []
    assert pages == [(pgno, before[(pgno - 1) * 4096 : pgno * 4096]) for pgno in (1, last - 1)]
    assert head.txid < engine.capture.head.txid


def test_a_catch_up_ends_when_its_database_is_let_go(app: App, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    _, debt = owed(app, engine)
    monkeypatch.setattr(moving_image, "PORTION", 4096)
    image = prepared(engine, debt)
    body = image.body()
    next(body)
    image.close()
    with pytest.raises(EnvironmentFault, match="was let go"):
        list(body)
    assert image.since == Since(debt.txid, debt.before, debt.since.rest)
