"""Code blocks and links of the documentation.

In: a file of Markdown. Out: its blocks, fenced or indented, with language and line; its links; its anchors.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(\s*)```(\S*)\s*$")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """`language`: what the fence says, "" without, "indented" for an indented block. `line`: of its first line."""

    path: Path
    line: int
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.path.name}:{self.line}"


def blocks(path: Path) -> Iterator[Block]:
    """In order."""
    lines = path.read_text().splitlines()
    number = 0
    while number < len(lines):
        if (opening := _FENCE.match(lines[number])) is not None:
            end = next(n for n in range(number + 1, len(lines)) if _FENCE.match(lines[n]))
            body = [line.removeprefix(opening[1]) for line in lines[number + 1 : end]]
            yield Block(path, number + 2, opening[2], "\n".join(body) + "\n")
            number = end + 1
        elif lines[number].startswith("    ") and (number == 0 or not lines[number - 1].strip()):
            end = number
            while end < len(lines) and (lines[end].startswith("    ") or not lines[end].strip()):
                end += 1
            body = [line[4:] for line in lines[number:end]]
            if not _is_of_a_list(lines, number):
                yield Block(path, number + 1, "indented", "\n".join(body).rstrip() + "\n")
            number = end
        else:
            number += 1


def _is_of_a_list(lines: list[str], number: int) -> bool:
    """Whether the paragraph above is an item, which this belongs to."""
    while number and not lines[number - 1].strip():
        number -= 1
    while number and lines[number - 1].strip() and not re.match(r"\s*([*-]|\d+\.|:)\s", lines[number - 1]):
        number -= 1
    return bool(number) and bool(lines[number - 1].strip())


def without_blocks(path: Path) -> str:
    """The text outside of fenced blocks."""
    kept, inside = [], False
    for line in path.read_text().splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def links(path: Path) -> list[str]:
    """Where they lead."""
    return _LINK.findall(without_blocks(path))


def anchors(path: Path) -> set[str]:
    """What can stand behind a # in a link to it, as code hosts make it of headings."""
    headings = re.findall(r"^#+ (.*)$", without_blocks(path), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
