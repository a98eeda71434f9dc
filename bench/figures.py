"""Figures of both programs and the table they end up in.

In: pairs of numbers with a unit and the target of the project. Out: lines of text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

HEAD = ("measured", "litestreamd", "Litestream 0.5.17", "ratio", "target", "met")
Judge = Callable[[float, float], bool]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line; `ours` and `theirs` in `unit`. Without a target it is told, not judged."""

    what: str
    unit: str
    ours: float
    theirs: float
    target: str = ""
    judge: Judge | None = None

    @property
    def met(self) -> bool:
        return self.judge is None or self.judge(self.ours, self.theirs)

    def cells(self) -> tuple[str, ...]:
        verdict = "" if self.judge is None else "yes" if self.met else "NO"
        ratio = f"{self.theirs / self.ours:.3g}" if self.ours else "-"
        return (self.what, self._show(self.ours), self._show(self.theirs), ratio, self.target, verdict)

    def _show(self, value: float) -> str:
        return f"{value:.4g} {self.unit}".rstrip() if value < 1000 else f"{value:.0f} {self.unit}".rstrip()


def table(figures: Sequence[Figure]) -> str:
    """Columns as wide as they need; `ratio` is theirs divided by ours."""
    lines = [HEAD, *(figure.cells() for figure in figures)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    lines.insert(1, tuple("-" * width for width in widths))
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def at_most(limit: float) -> Judge:
    return lambda ours, _: ours <= limit


def times_better(factor: float, limit: float = float("inf")) -> Judge:
    """At most `limit`, and at least `factor` times less than theirs."""
    return lambda ours, theirs: ours <= limit and ours * factor <= theirs


def at_least(factor: float) -> Judge:
    """For what is better the more there is of it: at least `factor` times theirs."""
    return lambda ours, theirs: ours >= factor * theirs


def no_worse(ours: float, theirs: float) -> bool:
    return ours <= theirs
