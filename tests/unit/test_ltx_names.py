"""File names: read only in the exact form Litestream writes."""

import pytest

from litestreamd.ltx.names import SNAPSHOT_LEVEL, ObjectName, parse_file_name

NAME = ObjectName(0, 0xA7, 0x1_0000_0000_00B3)


def test_a_name_and_back() -> None:
    assert NAME.file_name == "00000000000000a7-00010000000000b3.ltx"
    assert parse_file_name(0, NAME.file_name) == NAME
    assert str(NAME) == "0/00000000000000a7-00010000000000b3.ltx"


@pytest.mark.parametrize(
    "text",
    [
        "00000000000000A7-00010000000000b3.ltx",
        "00000000000000a7-00010000000000b3.ltx.tmp",
        "00000000000000a7-00010000000000b3.LTX",
        "a7-b3.ltx",
        "00000000000000a7-00010000000000b3",
        "00000000000000a7_00010000000000b3.ltx",
        " 00000000000000a7-00010000000000b3.ltx",
        "00000000000000a7-00010000000000b3.ltx\n",
        "٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠١-0000000000000001.ltx",
        "",
    ],
)
def test_foreign_names_are_ignored(text: str) -> None:
    assert parse_file_name(0, text) is None


def test_names_sort_by_level_then_range() -> None:
    names = [ObjectName(SNAPSHOT_LEVEL, 1, 2), ObjectName(0, 2, 2), ObjectName(1, 1, 9), ObjectName(0, 1, 1)]
    assert sorted(names) == [names[3], names[1], names[2], names[0]]
