"""What was measured, what it had to be, and both as tables."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.table import Table

__all__ = ["Figure", "Goal", "Result", "as_markdown", "at_least", "at_most", "show"]


_WIDTH: Final = 160
"""Columns of the tables where the output is no terminal."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured of one contender, once per round.

    `ratios` are to the reference named in `to`, each taken within its own round.
    """

    work: str
    who: str
    what: str
    unit: str
    values: Sequence[float]
    ratios: Sequence[float] = ()
    to: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    def cells(self) -> list[str]:
        spread = f"{_number(min(self.values))} – {_number(max(self.values))}"
        ratio = f"{_number(self.ratio)} × {self.to}" if self.ratios else ""
        return [
            self.work,
            self.who,
            self.what,
            f"{_number(self.median)} {self.unit}".strip(),
            spread if len(self.values) > 1 else "",
            str(len(self.values)),
            ratio,
        ]


_FIGURE_HEADS = ("work", "who", "what", "median", "least – most", "n", "ratio")


@dataclass(frozen=True, slots=True)
class Goal:
    what: str
    goal: str
    figure: str
    met: bool

    def cells(self) -> list[str]:
        return [self.what, self.goal, self.figure, "met" if self.met else "**missed**"]


_GOAL_HEADS = ("what", "goal", "figure", "")


@dataclass(slots=True)
class Result:
    """What a section hands back; `notes` are sentences that belong beside the figures."""

    figures: list[Figure] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.figures += other.figures
        self.goals += other.goals
        self.notes += other.notes


def at_most(what: str, limit: float, actual: float, unit: str) -> Goal:
    return _goal(what, "≤", limit, actual, unit, actual <= limit)


def at_least(what: str, limit: float, actual: float, unit: str) -> Goal:
    return _goal(what, "≥", limit, actual, unit, actual >= limit)


def _goal(what: str, sign: str, limit: float, actual: float, unit: str, met: bool) -> Goal:
    return Goal(
        what,
        f"{sign} {_number(limit)} {unit}".strip(),
        f"{_number(actual)} {unit}".strip(),
        met,
    )


def _number(value: float) -> str:
    """Three digits that count, thousands apart."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def show(result: Result) -> None:
    """Both tables on the terminal."""
    console = Console(width=max(_WIDTH, Console().width))
    console.print(_table("Figures", _FIGURE_HEADS, (f.cells() for f in result.figures)))
    console.print(_table("Goals", _GOAL_HEADS, (g.cells() for g in result.goals)))
    for note in result.notes:
        console.print(note)


def _table(title: str, heads: Iterable[str], rows: Iterable[list[str]]) -> Table:
    table = Table(title=title)
    for head in heads:
        table.add_column(head)
    for row in rows:
        table.add_row(*row)
    return table


def as_markdown(result: Result) -> str:
    """Both tables for docs/BENCHMARKS.md."""
    parts = [
        "## Goals",
        _markdown(_GOAL_HEADS, (g.cells() for g in result.goals)),
        "## Figures",
        _markdown(_FIGURE_HEADS, (f.cells() for f in result.figures)),
        *(f"- {note}" for note in result.notes),
    ]
    return "\n\n".join(parts) + "\n"


def _markdown(heads: Sequence[str], rows: Iterable[list[str]]) -> str:
    lines = [list(heads), ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
