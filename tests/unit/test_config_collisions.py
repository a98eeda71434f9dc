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


def buckets(first: str, second: str, top: str = "") -> list[str]:
    """What is said of two databases with a replica in a bucket each; the second one is on line 3."""
    return lines(
        f"dbs:\n  - {{path: /data/a.db, replica: {{{first}}}}}\n  - {{path: /data/b.db, replica: {{{second}}}}}\n{top}"
    )


APART = [
    ("bucket: b, path: app", "bucket: c, path: app"),
    ("bucket: b, path: app", "bucket: b, path: app2"),
    ("bucket: b, path: app/x", "bucket: b, path: app/y"),
    ("bucket: b, path: app", "bucket: B, path: app"),
    ("bucket: b, path: app", "bucket: b, path: app, endpoint: 'https://e'"),
    ("bucket: b, path: app, endpoint: 'https://d'", "bucket: b, path: app, endpoint: 'https://e'"),
    ("bucket: b, path: app, endpoint: 'https://e:1'", "bucket: b, path: app, endpoint: 'https://e:2'"),
]


@pytest.mark.parametrize(("first", "second"), APART)
def test_buckets_apart(first: str, second: str) -> None:
    assert buckets(f"type: s3, {first}", f"type: s3, {second}") == []


AWS = "s3://b at s3.amazonaws.com"
TOGETHER = [
    ("bucket: b, path: app", "bucket: b, path: app", "61", f"/app in {AWS}"),
    ("bucket: b, path: app", "bucket: b, path: /app//", "61", f"/app in {AWS}"),
    ("bucket: b", "bucket: b", "52", f"/ in {AWS}"),
    ("bucket: b", "bucket: b, path: .", "61", f"/ in {AWS}"),
    ("bucket: b, path: .", "bucket: b, path: /", "61", f"/ in {AWS}"),
    ("url: s3://b", "bucket: b", "52", f"/ in {AWS}"),
    ("bucket: b", "url: s3://b/", "49", f"/ in {AWS}"),
    ("url: 's3://b.s3.eu-west-3.amazonaws.com/p'", "url: s3://b/p", "49", f"/p in {AWS}"),
    ("bucket: b, region: eu-west-3", "bucket: b, endpoint: 'https://s3.eu-west-1.amazonaws.com'", "52", f"/ in {AWS}"),
    (
        "url: 's3://b.s3.cn-north-1.amazonaws.com.cn/p'",
        "bucket: b, path: p, endpoint: 'https://s3.cn-north-1.amazonaws.com.cn'",
        "61",
        f"/p in {AWS}",
    ),
    ("bucket: b, endpoint: 'https://E.x:443/'", "bucket: b, endpoint: e.x", "52", "/ in s3://b at https://e.x"),
]


@pytest.mark.parametrize(("first", "second", "column", "place"), TOGETHER)
def test_two_databases_at_one_place_in_a_bucket(first: str, second: str, column: str, place: str) -> None:
    assert buckets(f"type: s3, {first}", f"type: s3, {second}") == [
        f"3:{column}: the path {place} is already the replica of /data/a.db (line 2):"
        " two databases in one place would ruin each other's history"
    ]


def test_the_bucket_of_the_top_without_paths() -> None:
    assert buckets("type: s3", "type: s3", "bucket: b") == [
        f"3:33: the path / in {AWS} is already the replica of /data/a.db (line 2):"
        " two databases in one place would ruin each other's history"
    ]
    assert buckets("type: s3, path: a", "type: s3, path: b", "bucket: b") == []


def test_two_replicas_of_one_database_at_one_place_in_a_bucket() -> None:
    text = "dbs: [{path: /a, replicas: [{url: s3://b/p}, {url: 's3://b/p?region=r', name: y}]}]"
    assert lines(text) == [f"1:52: another replica of this database has the path /p in {AWS} too (line 1)"]


@pytest.mark.parametrize(
    ("first", "second"), [("app", "app/x/y"), ("app/x/y", "app"), ("", "app/x/y"), (".", "/app/x/y")]
)
def test_a_replica_inside_another_in_a_bucket(first: str, second: str) -> None:
    outer = "/app" if "app" in (first, second) else "/"
    assert buckets(f"type: s3, bucket: b, path: '{first}'", f"type: s3, bucket: b, path: '{second}'") == [
        f"3:61: the replica path /app/x/y in {AWS} lies inside the replica path {outer} in {AWS} (see line 2)"
    ]


def test_a_replica_with_a_fault_is_compared_when_its_place_is_known() -> None:
    same = "type: s3, bucket: b, path: p"
    found = buckets(same, f"{same}, part-size: 1")
    assert [line.partition(" ")[0] for line in found] == ["3:61:", "3:75:"]
    for wrong in ("url: 's3://b/?x=y'", "type: s3, endpoint: 'x/y'", "type: s3, bucket: b/c", 'type: s3, path: "\\n"'):
        assert len(buckets("type: s3", wrong, "bucket: b")) == 1


def test_a_bucket_and_a_folder_never_meet() -> None:
    assert buckets("path: /data/r", "type: s3, bucket: b, path: /data/r") == []
    assert buckets("path: /data/r", "type: s3, bucket: b, path: /data/a.db") == []
