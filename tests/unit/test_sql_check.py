"""`verify.checks`: what counts as true, and what a query may not do."""

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from litestreamd.basics.errors import ConfigError, ExitCode
from litestreamd.cli.main import main
from litestreamd.config.check import check_config
from litestreamd.database.sql_check import run_check
from litestreamd.database.state_paths import state_directory
from litestreamd.database.verified import load_each, load_verified
from tests.support.programs import OURS, TREE, environment


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "app.db"
    with closing(sqlite3.connect(made, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("CREATE TABLE orders (total INTEGER)")
        db.execute("INSERT INTO orders VALUES (1), (2)")
    return made


@pytest.mark.parametrize(
    "sql", ["SELECT count(*) = 2 FROM orders", "SELECT 'yes'", "SELECT 0.5", "SELECT 1, 0", "SELECT 2; SELECT 0"]
)
def test_true(path: Path, sql: str) -> None:
    assert run_check(path, sql) is None


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        ("SELECT count(*) > 2 FROM orders", "the check gave 0: SELECT count"),
        ("SELECT max(total) FROM orders WHERE total > 9", "the check gave None: "),
        ("SELECT ''", "the check gave '': "),
        ("SELECT '0'", "the check gave '0': "),
        ("SELECT total FROM orders WHERE total > 9", "the check gave no row: "),
        ("SELECT nonsense FROM orders", "the check cannot be made ("),
        ("DELETE FROM orders", "the check cannot be made ("),
        ("ATTACH '/tmp/other.db' AS other", "the check cannot be made ("),
        ("PRAGMA journal_mode=DELETE", "the check cannot be made ("),
        ("VACUUM INTO '/tmp/stolen.db'", "the check cannot be made ("),
    ],
)
def test_not_true(path: Path, sql: str, complaint: str) -> None:
    before = path.read_bytes()
    found = run_check(path, sql)
    assert found is not None and found.startswith(complaint), found
    assert sql in found
    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir()) == ["app.db"]


def test_one_that_does_not_end_is_broken_off(path: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    assert run_check(path, endless, longest_s=0.05) == f"the check did not come to an end within 0.05 s: {endless}"


def config(text: str) -> tuple[str, ...]:
    (database,) = check_config(text.encode(), Path("/etc/x.yml"), {}).databases
    return database.checks


def test_where_checks_stand() -> None:
    entry = "dbs: [{path: /a.db, replica: {path: /r}"
    assert config(entry + "}]") == ()
    assert config(entry + "}]\nverify: {checks: [SELECT 1, ' SELECT 2 ']}") == ("SELECT 1", "SELECT 2")
    assert config(entry + ", verify: {checks: SELECT 3}}]\nverify: {checks: [SELECT 1]}") == ("SELECT 3",)
    with pytest.raises(ConfigError, match=r"verify\.checks: this query is empty"):
        config(entry + "}]\nverify: {checks: ['']}")
    with pytest.raises(ConfigError, match=r"verify\.checks takes a list of queries"):
        config(entry + "}]\nverify: {checks: {a: b}}")


def test_a_drill_asks_them_and_keeps_what_it_found(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    replicas = ", ".join(f"{{name: {name}, path: {tmp_path}/{name}}}" for name in ("one", "two"))
    file = tmp_path / "c.yml"

    def configured(sql: str) -> list[str]:
        file.write_text(f"dbs: [{{path: {path}, replicas: [{replicas}], verify: {{checks: ['{sql}']}}}}]")
        return ["-config", str(file)]

    once = [*OURS.start, "replicate", "-once", *configured("SELECT count(*) = 2 FROM orders")]
    subprocess.run(once, check=True, cwd=TREE, env=environment(), capture_output=True, timeout=60)
    assert main(["verify", *configured("SELECT count(*) = 2 FROM orders"), str(path)]) == ExitCode.OK
    state = state_directory(path, None, file)
    assert {name: record.ok for name, record in load_each(state).items()} == {"one": True, "two": True}
    capsys.readouterr()

    words = configured("SELECT count(*) > 2 FROM orders")
    assert main(["verify", *words, "-replica", "two", str(path)]) == ExitCode.DAMAGED
    assert "replica two: damaged: the check gave 0: SELECT count(*) > 2 FROM orders" in capsys.readouterr().out
    each = load_each(state)
    assert {name: record.ok for name, record in each.items()} == {"one": True, "two": False}
    assert each["two"].last_ok_ms is not None and each["two"].txid == each["one"].txid
    summary = load_verified(state)
    assert summary is not None and not summary.ok and summary.replica == "two"
