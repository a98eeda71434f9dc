#!/usr/bin/python3
"""The changelog of a package from the one of the project, in the user's words.

In: CHANGELOG.md, the version and release of the package, and the time of the build in seconds, for what has no date.
Out: on standard output, the %changelog section of a spec file, newest first.
"""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

WHO = "The litestreamd developers <developers@litestreamd.example>"
HEADING = re.compile(r"## \[(?P<version>[^]]+)\](?: - (?P<date>\d{4}-\d{2}-\d{2}))?")
UNRELEASED = "Unreleased"


def plain(text: str) -> str:
    """Markdown as plain text, in one line, safe from macros."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", " ".join(text.split()))
    return text.replace("`", "").replace("**", "").replace("%", "%%")


def releases(text: str) -> list[tuple[str, str | None, list[str]]]:
    """(version, date, entries), as they stand in the file. An entry says its kind, unless something was added."""
    found: list[tuple[str, str | None, list[str]]] = []
    kind = ""
    for line in text.splitlines():
        if heading := HEADING.match(line):
            found.append((heading["version"], heading["date"], []))
        elif line.startswith("### "):
            kind = "" if line[4:].strip() == "Added" else f"{line[4:].strip()}: "
        elif found and line.startswith("- "):
            found[-1][2].append(kind + line[2:])
        elif found and line.startswith("  ") and found[-1][2]:
            found[-1][2][-1] += " " + line.strip()
    return found


def main(path: str, version: str, release: str, built: str) -> int:
    """Write it."""
    found = releases(Path(path).read_text(encoding="utf-8"))
    pending = [entry for name, _, entries in found if name == UNRELEASED for entry in entries]
    listed = [each for each in found if each[0] != UNRELEASED]
    if not listed or listed[0][0] != version:
        listed.insert(0, (version, None, pending))
    elif pending:
        listed[0] = (version, None, pending + listed[0][2])
    for number, (name, date, entries) in enumerate(listed):
        if not entries:
            continue
        day = datetime.fromisoformat(date) if date else datetime.fromtimestamp(int(built), UTC)
        print(f"* {day:%a %b %d %Y} {WHO} - {name}-{release if number == 0 else 1}")
        print(*(f"- {plain(entry)}" for entry in entries), sep="\n", end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
