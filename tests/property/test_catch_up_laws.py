"""One file with the pages that changed is worth all the files that left the spool, while the application goes on.

Random deeds of an application and of ours before the file is begun, some of what was captured leaving the spool, and
random deeds between any two pieces of it: guards move, checkpoints write the database, the WAL begins anew.
"""

import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from litestreamd.database import moving_image
from litestreamd.database.debts import Debts
from litestreamd.jobs.catch_up import prepare_catch_up
from tests.property.test_database_laws import DEEDS, act
from tests.support import images
from tests.support.live import NEW, STOCK, App, Engine, SqlError

PAGES_TOGETHER = 3


def do(app: App, engine: Engine, deed: str, what: object) -> None:
    """One deed; our own look is one too."""
    try:
        act(app, engine, deed, what)
    except SqlError as error:
        assert "locked" in str(error), error
        app.run("ROLLBACK") if app.run("SELECT 1") else None
    if deed == "look":
        engine.take()


def let_go(engine: Engine, debts: Debts, cursor: int, left: int) -> None:
    """All entries but the newest `left` leave the spool."""
    spool = engine.state.spool
    through = engine.capture.head.txid - left
    told = [one for one in spool.ledgers(debts.covered(cursor)) if one.head.txid <= through]
    assert debts.owe(cursor, told)
    engine.state.settle()
    spool.trim(through)


@pytest.mark.parametrize("library", [STOCK, NEW])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=DEEDS,
    meanwhile=DEEDS,
    page_size=st.sampled_from((512, 4096, 65536)),
    auto_vacuum=st.sampled_from(("NONE", "FULL", "INCREMENTAL")),
    left=st.integers(1, 3),
    each=st.integers(1, 3),
)
def test_a_catch_up_is_worth_the_files(
    library: str,
    before: list[tuple[str, object]],
    meanwhile: list[tuple[str, object]],
    page_size: int,
    auto_vacuum: str,
    left: int,
    each: int,
) -> None:
    with tempfile.TemporaryDirectory(prefix="litestreamd-law-") as folder:
        path = Path(folder) / "app.db"
        with App(path, library) as app:
            for pragma in (f"page_size={page_size}", f"auto_vacuum={auto_vacuum}", "journal_mode=WAL"):
                app.run(f"PRAGMA {pragma}")
            app.fill(40)
            with (
                Engine(path) as engine,
                mock.patch.object(moving_image, "PORTION", PAGES_TOGETHER * page_size),
            ):
                follower = engine.follower(app)
                debts = Debts(engine.folder / "replicas", "nas")
                for number, (deed, what) in enumerate([*before, ("commit", ["DELETE FROM t WHERE id % 5 = 1"])]):
                    do(app, engine, deed, what)
                    engine.take()
                    if number % each == 0 and engine.capture.head.txid > follower.txid + left:
                        let_go(engine, debts, follower.txid, left)
                let_go(engine, debts, follower.txid, 0)

                header = engine.header
                engine.capture.take(header, engine.tick())
                debt = debts.due(follower.txid, follower.checksum, engine.state.spool)
                assert debt is not None
                head, wanted = engine.capture.head, app.image()
                image = prepare_catch_up(engine.capture, header, debt)
                assert image is not None
                assert (image.name.level, image.name.min_txid, image.name.max_txid) == (1, follower.txid + 1, head.txid)

                deeds, pieces = iter(meanwhile), []
                for piece in image.body():
                    pieces.append(piece)
                    for deed, what in (one for one, _ in zip(deeds, range(each), strict=False)):
                        do(app, engine, deed, what)
                follower.apply(b"".join(pieces), head.txid)
                difference = images.first_difference(bytes(follower.image), wanted, page_size)
                assert not difference, difference
                assert follower.checksum == head.checksum
                engine.assert_followed(follower, app)
