"""Rows as text in columns, the way Litestream prints them: lower-case headers, two spaces between."""

import json
from collections.abc import Mapping, Sequence


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a header and the rows; a column is as wide as its widest cell."""
    lines = [columns, *rows]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_json(entries: Sequence[Mapping[str, object]]) -> None:
    """Print the entries as Litestream's JSON: a list, indented by two."""
    print(json.dumps(entries, indent=2))
