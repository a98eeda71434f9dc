"""The status document: the documentation shows the very fields that a daemon gives, and one line tells the truth."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from litestreamd.daemon.status import one_line
from tests.support.statuses import database, document, replica

ROOT = Path(__file__).parents[2]


def shape(value: Any) -> Any:
    """Names of fields all the way down; counters are named by what they count."""
    if isinstance(value, dict):
        counted = {"errors", "uploads", "upload_bytes", "upload_s", "requests", "verified"}
        return {key: "*" if key in counted else shape(each) for key, each in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else "*"


def test_the_documentation_shows_every_field() -> None:
    text = re.search(r"```json\n(.*?)```", (ROOT / "docs" / "status.md").read_text(), re.DOTALL)
    assert text is not None
    ours = document()
    del ours["age_s"]  # the exporter's
    assert shape(json.loads(text[1])) == shape(ours)


ILL = {"class": "StoreMissing", "text": "is the disk mounted?", "since_ms": 1}


@pytest.mark.parametrize(("databases", "line"), [
    ([database()], "1 database, TXID d, 1 replica in sync"),
    ([database(), database(path="/b")], "2 databases, 2 replicas in sync"),
    ([database(state="absent", txid=0)], "1 database, 1 absent, 1 replica in sync"),
    ([], "0 databases, 0 replicas in sync"),
    (
        [database(replicas=[replica(), replica(name="r", state="failing", lag_s=7.2, error=ILL)])],
        "1 database, TXID d, 1 of 2 replicas behind, lag 7 s: is the disk mounted?",
    ),
    (
        [database(state="failing", error={**ILL, "text": "no room"})],
        "1 database, 1 failing, TXID d, 1 replica in sync: no room",
    ),
])  # fmt: skip
def test_one_line(databases: list[dict[str, Any]], line: str) -> None:
    assert one_line(document(databases=databases)) == line
