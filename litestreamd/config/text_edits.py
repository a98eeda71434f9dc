"""Changes to single places of a text of YAML, so that the rest stays as its author wrote it.

In: nodes of PyYAML with their marks. Out: the text. Edits may come in any order; they do not overlap.
"""

from dataclasses import dataclass, field

import yaml


@dataclass(slots=True)
class TextEdits:
    """Of one text."""

    original: str
    _exchanges: list[tuple[int, int, str]] = field(default_factory=list)
    _above: dict[int, list[str]] = field(default_factory=dict)
    _out: dict[int, int] = field(default_factory=dict)

    def text(self) -> str:
        """With all edits."""
        text = self.original
        for start, end, new in reversed(self._disjoint()):
            # Lines keep their numbers.
            text = text[:start] + new + "\n" * (text.count("\n", start, end) - new.count("\n")) + text[end:]
        lines = text.split("\n")
        result = []
        for number, line in enumerate(lines):
            there = lines[max(0, number - 8) : number]  # from the last time
            result += [comment for comment in self._above.get(number, ()) if comment not in there]
            column = self._out.get(number)
            result.append(line if column is None or not line.strip() else f"{line[:column]}# {line[column:]}")
        return "\n".join(result)

    def _disjoint(self) -> list[tuple[int, int, str]]:
        """Neighbours that are cut out may share a comma; what lies within another exchange went with it."""
        found: list[tuple[int, int, str]] = []
        for start, end, new in sorted(self._exchanges, key=lambda each: (each[0], -each[1])):
            if not found or start >= found[-1][1]:
                found.append((start, end, new))
            elif not new and not found[-1][2]:
                found[-1] = (found[-1][0], max(end, found[-1][1]), "")
        return [self._with_comma(*each) for each in found]

    def _with_comma(self, start: int, end: int, new: str) -> tuple[int, int, str]:
        """Nothing is left behind the comma before what is cut out: it goes too."""
        before = self.original[:start].rstrip()
        if not new and before.endswith(",") and self.original[end:].lstrip().startswith("}"):
            start = len(before) - 1
        return start, end, new

    def is_gone(self, line: int) -> bool:
        """Whether a line has become a comment."""
        return line in self._out

    def exchange(self, start: int, end: int, new: str) -> None:
        """Characters start..end, within lines, become `new`."""
        self._exchanges.append((start, end, new))

    def replace(self, key: yaml.Node, value: yaml.Node, new: str) -> None:
        """A key and its value, which is a single one."""
        self.exchange(key.start_mark.index, value.end_mark.index, new)

    def comment_above(self, key: yaml.Node, comment: str) -> None:
        """A line above the key's line."""
        line = self._line(key.start_mark.line)
        indent = line[: len(line) - len(line.lstrip())]
        self._above.setdefault(key.start_mark.line, []).append(f"{indent}# {comment}")

    def comment_out(self, key: yaml.Node, value: yaml.Node, comment: str) -> None:
        """A key with its value; in a mapping in braces it is cut out of them."""
        self.comment_above(key, comment)
        first, last = key.start_mark.line, self._last_line(value)
        before = self._line(first)[: key.start_mark.column].strip()
        after = self._line(value.end_mark.line)[value.end_mark.column :].strip()
        inline = not self._is_block(value) and after and not after.startswith("#")
        if before.strip("- ") or inline:
            self._cut(key.start_mark.index, value.end_mark.index)
            return
        for number in range(first, last + 1):
            self._out[number] = key.start_mark.column

    def _cut(self, start: int, end: int) -> None:
        """With the comma behind it, or the one before it."""
        rest = self.original[end:]
        if rest.lstrip().startswith(","):
            end += rest.index(",") + 1
            end += len(self.original[end:]) - len(self.original[end:].lstrip(" "))
        elif self.original[:start].rstrip().endswith(","):
            start = self.original[:start].rstrip().rindex(",")
        self.exchange(start, end, "")

    def _last_line(self, value: yaml.Node) -> int:
        """A block ends where the next thing begins: what is blank or a comment before that is not its own."""
        last = value.end_mark.line
        if self._is_block(value):
            last -= 1
            while last > value.start_mark.line and self._line(last).strip()[:1] in ("", "#"):
                last -= 1
        return max(last, value.start_mark.line)

    def _is_block(self, value: yaml.Node) -> bool:
        if isinstance(value, yaml.CollectionNode):
            return not value.flow_style
        return isinstance(value, yaml.ScalarNode) and value.style in ("|", ">")

    def _line(self, number: int) -> str:
        lines = self.original.split("\n")
        return lines[number] if number < len(lines) else ""
