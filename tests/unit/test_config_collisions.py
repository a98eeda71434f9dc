"""Places that must not meet: each collision is told at the later of the two, whatever the spelling."""

from pathlib import Path

import pytest

from litestreamd.basics.errors import ConfigError
from litestreamd.config.check import check_config
from litestreamd.database.state_paths import state_directory


def lines(text: str, source: Path = Path("/etc/litestream.yml")) -> list[str]:
    """The fault lines of a configuration, without the file's name; empty when it is good."""
    try:
        check_config(text.encode(), source, {})
    except ConfigError as error:
        return [line.removeprefix(f"{source}:") for line in str(error).split("\n")]
    return []


def two(first: str, second: str, first_db: str = "/data/a.db", second_db: str = "/data/b.db") -> str:
    """Two databases with a replica folder each; the second one's path is on line 3."""
    return (
        "dbs:\n"
        f"  - {{path: {first_db}, replica: {{path: {first}}}}}\n"
        f"  - {{path: {second_db}, replica: {{path: {second}}}}}\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to("data")
    (tmp_path / "circle").symlink_to("circle")
    return tmp_path


def test_neighbors_are_fine() -> None:
    assert lines(two("/backup/a", "/backup/ab")) == []
    assert lines(two("/data", "/data-b")) == []


def test_a_database_given_twice(folder: Path) -> None:
    text = two("/backup/a", "/backup/b", f"{folder}/data/x.db", f"{folder}/link/x.db")
    assert lines(text) == [f"3:12: the database {folder}/link/x.db was given before (line 2)"]


def test_two_databases_in_one_folder(folder: Path) -> None:
    assert lines(two(f"{folder}/data/r", f"{folder}/link/./r")) == [
        f"3:40: the folder {folder}/data/r is already the replica of /data/a.db (line 2):"
        " two databases in one place would ruin each other's history"
    ]


def test_two_replicas_of_one_database_in_one_folder() -> None:
    text = "dbs: [{path: /a, replicas: [{path: /b, name: x}, {path: /b/, name: y}]}]"
    assert lines(text) == ["1:57: another replica of this database has the folder /b too (line 1)"]


@pytest.mark.parametrize(("first", "second"), [("/backup/a", "/backup/a/x/y"), ("/backup/a/x/y", "/backup/a")])
def test_a_replica_inside_another(first: str, second: str) -> None:
    assert lines(two(first, second)) == [
        "3:40: the replica folder /backup/a/x/y lies inside the replica folder /backup/a (see line 2)"
    ]


@pytest.mark.parametrize("root", ["/data/a.db", "/data/a.db/x"])
def test_a_replica_in_a_database_file(root: str) -> None:
    assert lines(two("/backup/a", root)) == [
        f"3:40: the replica folder {root} is, or lies in, the database file /data/a.db"
    ]


@pytest.mark.parametrize("source", [Path("/etc/litestream.yml"), Path("/etc/litestreamd/app.yml")])
def test_a_replica_in_local_state(source: Path) -> None:
    state = state_directory(Path("/data/a.db"), None, source)
    assert lines(two("/backup/a", f"{state}/spool"), source) == [
        f"3:40: the replica folder {state}/spool lies in the local state of /data/a.db ({state})"
    ]


def test_a_circle_of_links_is_a_fault(folder: Path) -> None:
    text = two("/backup/a", "/backup/b", second_db=f"{folder}/circle")
    assert lines(text) == [f"3:12: symbolic links lead in a circle at {folder}/circle"]
