"""Columns of text in a terminal, and what is said in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size

__all__ = ["ago", "columns", "printable"]

_LEAST_TEXT: Final = 20
"""Cells of a row's last text that are shown however narrow the terminal is."""
_UNITS: Final = (("day", 86_400), ("h", 3_600), ("min", 60))


def columns(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    width: int | None,
    *,
    numbers: Sequence[str] = (),
) -> list[str]:
    """A head and a line for each row, no wider than `width` cells where the last column can help
    it; those called `numbers` stand to the right."""
    texts = [head, *rows]
    widths = [max(map(cell_len, column)) for column in zip(*texts, strict=True)][:-1]
    room = None if width is None else max(_LEAST_TEXT, width - sum(widths) - 2 * len(widths))
    lines = []
    for *cells, text in texts:
        padded = [
            cell.rjust(most) if name in numbers else cell.ljust(most)
            for name, cell, most in zip(head, cells, widths, strict=False)
        ]
        lines.append("  ".join((*padded, text if room is None else _cut(text, room))))
    return lines


def _cut(text: str, cells: int) -> str:
    return text if cell_len(text) <= cells else set_cell_size(text, cells - 1).rstrip() + "…"


def ago(then: float, now: float) -> str:
    """How long before `now` that was, both in Unix ms, in the largest unit that fits."""
    seconds = max(0.0, now - then) / 1000
    for unit, size in _UNITS:
        if seconds >= size:
            number = int(seconds // size)
            return f"{number} {unit}{'s' if unit == 'day' and number > 1 else ''} ago"
    return "just now"


def printable(text: str) -> str:
    """Without what drives a terminal (ECMA-48 section 5.3)."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text)
