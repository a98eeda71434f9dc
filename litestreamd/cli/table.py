"""Rows as text in columns, the way Litestream prints them: lower-case headers, two spaces between."""

import json
from collections.abc import Mapping, Sequence


def table_lines(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A header and the rows; a column is as wide as its widest cell."""
    lines = [columns, *rows]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print them."""
    for line in table_lines(columns, rows):
        print(line)


def print_json(entries: Sequence[Mapping[str, object]]) -> None:
    """Print the entries as Litestream's JSON: a list, indented by two."""
    print(json.dumps(entries, indent=2))
