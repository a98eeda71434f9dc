"""The law of the capture: whatever an application does, what the spool says is what the application sees.

Random deeds of an application (stock SQLite and a new one, in another process), mixed with looks, guard moves and
checkpoints of ours; after each look the followed database equals SQLite's own image, byte for byte.
"""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.live import NEW, STOCK, App, Engine, SqlError, insert

INSERT = st.builds(insert, st.sampled_from((1, 7, 60)), st.sampled_from((10, 400, 6000)))
STATEMENTS = st.one_of(
    INSERT,
    INSERT,
    st.sampled_from(
        (
            "DELETE FROM t WHERE id % 3 = 0",
            "DELETE FROM t",
            "UPDATE t SET b = randomblob(200) WHERE id % 2",
            "CREATE TABLE IF NOT EXISTS u AS SELECT * FROM t",
            "DROP TABLE IF EXISTS u",
            "PRAGMA incremental_vacuum(5)",
        )
    ),
)
TRANSACTION = st.lists(STATEMENTS, min_size=1, max_size=3)
DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("commit"), TRANSACTION),
        st.tuples(st.just("commit"), TRANSACTION),
        st.tuples(st.just("undo"), st.tuples(TRANSACTION, TRANSACTION)),
        st.tuples(st.just("roll back"), TRANSACTION),
        st.tuples(st.just("vacuum"), st.none()),
        st.tuples(st.just("app checkpoint"), st.sampled_from(("PASSIVE", "FULL", "RESTART", "TRUNCATE"))),
        st.tuples(st.sampled_from(("look", "refresh", "checkpoint", "truncate")), st.none()),
    ),
    min_size=3,
    max_size=14,
)


def act(app: App, engine: Engine, deed: str, what: object) -> None:
    """One deed; contention with our guard is a refusal that changes nothing."""
    match deed, what:
        case "commit", list(statements):
            app.write(*statements)
        case "roll back", list(statements):
            for statement in ("BEGIN IMMEDIATE", *statements, "ROLLBACK"):
                app.run(statement)
        case "undo", (before, undone):
            app.write(*before, "SAVEPOINT s", *undone, "ROLLBACK TO s", *before)
        case "vacuum", _:
            app.run("VACUUM")
        case "app checkpoint", str(mode):
            app.checkpoint(mode)
        case "refresh", _:
            engine.refresh()
        case "checkpoint", _:
            engine.keeper.checkpoint(engine.tick())
        case "truncate", _:
            engine.keeper.truncate(engine.tick())


@pytest.mark.parametrize("library", [STOCK, NEW])
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    deeds=DEEDS,
    page_size=st.sampled_from((512, 1024, 4096, 65536)),
    auto_vacuum=st.sampled_from(("NONE", "FULL", "INCREMENTAL")),
    cache=st.sampled_from((5, 2000)),
    limit=st.sampled_from((0, 1, 20_000)),
)
def test_the_spool_follows_the_application(
    library: str, deeds: list[tuple[str, object]], page_size: int, auto_vacuum: str, cache: int, limit: int
) -> None:
    with tempfile.TemporaryDirectory(prefix="litestreamd-law-") as folder:
        path = Path(folder) / "app.db"
        with App(path, library) as app:
            for pragma in (f"page_size={page_size}", f"auto_vacuum={auto_vacuum}", "journal_mode=WAL"):
                app.run(f"PRAGMA {pragma}")
            app.run(f"PRAGMA cache_size={cache}")
            app.fill(10)
            with Engine(path, max_wal_bytes=limit) as engine:
                follower = engine.follower(app)
                for deed, what in deeds:
                    try:
                        act(app, engine, deed, what)
                    except SqlError as error:
                        assert "locked" in str(error), error
                        app.run("ROLLBACK") if app.run("SELECT 1") else None
                    if deed == "look":
                        engine.assert_followed(follower, app)
                engine.assert_followed(follower, app)
            with Engine(path) as again:
                assert again.take() == []
                assert bytes(follower.image) == app.image()
                assert again.state.head is not None
                assert again.state.head.checksum == follower.checksum
