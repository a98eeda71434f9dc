"""A weak fence is told of once for each replica, with the id that the catalog explains."""

import logging
from pathlib import Path

import pytest

import litestreamd
from litestreamd.daemon.messages import MESSAGE_IDS
from litestreamd.daemon.weak_fences import WeakFences
from tests.support.statuses import database, document, replica


def test_each_is_told_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("litestreamd"), "propagate", True)
    weak, strong = replica(name="weak", fence="weak"), replica(name="strong")
    young = replica(name="young", fence=None)
    told = document(databases=[database(replicas=[weak, strong, young]), database(path="/b", replicas=[weak])])
    fences = WeakFences()
    fences.look(told)
    fences.look(told)
    assert [record.getMessage().partition(": weak fence")[0] for record in caplog.records] == [
        "/var/lib/app/app.db: weak",
        "/b: weak",
    ]
    assert all(vars(record)["fields"]["MESSAGE_ID"] == MESSAGE_IDS["weak-fence"] for record in caplog.records)


def test_every_id_is_said_somewhere() -> None:
    """A catalog entry that nothing leads to is no help."""

    source = "".join(path.read_text() for path in Path(litestreamd.__file__).parent.rglob("*.py"))
    assert [name for name in MESSAGE_IDS if source.count(f'"{name}"') < 2] == []
