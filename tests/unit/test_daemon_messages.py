"""Events as the journal gets them: every event has fields, an operator's has an id, and none has two meanings."""

import dataclasses
import re

import pytest

from litestreamd.daemon.messages import MESSAGE_IDS, journal_fields, message_id
from litestreamd.jobs import events

KINDS = [
    kind for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, events.Event) and kind is not events.Event
]  # fmt: skip
VALUES = {"int": 7, "float": 0.25, "str": "text", "bool": True, "str | None": "s3", "float | None": 2.0}


def made(kind: type[events.Event]) -> events.Event:
    given = {
        field.name: VALUES.get(str(getattr(field.type, "__name__", field.type)), VALUES.get(str(field.type), ()))
        for field in dataclasses.fields(kind)
    }
    return kind(**{**given, "database": "/app.db"})


@pytest.mark.parametrize("kind", KINDS)
def test_every_event_has_fields_that_the_journal_takes(kind: type[events.Event]) -> None:
    fields = journal_fields(made(kind))
    assert fields["LITESTREAMD_DB"] == "/app.db"
    assert fields["LITESTREAMD_EVENT"] == kind.__name__
    assert all(re.fullmatch("[A-Z][A-Z0-9_]{0,63}", name) for name in fields)
    assert all(isinstance(value, str) for value in fields.values())


def test_units_of_fields() -> None:
    fields = journal_fields(events.Pushed("/app.db", "s3", 0, 26, 27, 4096, 0.0125))
    assert fields["LITESTREAMD_REPLICA"] == "s3"
    assert fields["LITESTREAMD_TXID"] == "000000000000001b"
    assert fields["LITESTREAMD_MIN_TXID"] == "000000000000001a"
    assert fields["LITESTREAMD_BYTES"] == "4096"
    assert fields["LITESTREAMD_DURATION_MS"] == "12"


def test_ids_are_of_the_kind_that_systemd_takes_and_differ() -> None:
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in MESSAGE_IDS.values())
    assert len(set(MESSAGE_IDS.values())) == len(MESSAGE_IDS)


def test_what_an_operator_must_know_has_an_id() -> None:
    trouble = events.Problem("/app.db", "s3", "no", "StoreError", 1.0)
    assert message_id(trouble) == MESSAGE_IDS["failing"]
    assert message_id(dataclasses.replace(trouble, error_class="ConflictError")) == MESSAGE_IDS["second-writer"]
    assert message_id(events.Closed("/app.db", 3, (("s3", 1),))) == MESSAGE_IDS["left-behind"]
    assert message_id(events.Closed("/app.db", 3, ())) is None
    assert message_id(events.Captured("/app.db", 3, 1, 1, 1)) is None
