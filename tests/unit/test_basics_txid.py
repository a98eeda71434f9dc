"""TXIDs as text."""

import pytest

from litestreamd.basics.errors import UsageError
from litestreamd.basics.txid import MAX_TXID, format_txid, parse_txid


def test_sixteen_lower_case_digits() -> None:
    assert format_txid(1) == "0000000000000001"
    assert format_txid(MAX_TXID) == "ffffffffffffffff"


@pytest.mark.parametrize(
    ("text", "txid"), [("1", 1), ("a7", 167), ("00000000000000A7", 167), (" ff\n", 255), ("f" * 16, MAX_TXID)]
)
def test_what_people_type(text: str, txid: int) -> None:
    assert parse_txid(text) == txid


@pytest.mark.parametrize("text", ["", " ", "0", "0000", "g", "0x1", "-1", "+1", "1_0", "1.0", "0" * 17, "١"])
def test_what_is_not_a_txid_is_refused_with_what_was_typed(text: str) -> None:
    with pytest.raises(UsageError, match="TXID"):
        parse_txid(text)
