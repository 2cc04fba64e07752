"""What is wrong with a crew's files, each with its place. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["ConfigError", "Problem", "suggest"]

_MAX_SHOWN: Final = 20


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong: `path:line:column: key: message`, then the line with a caret.

    In order of their places; line 0 is the whole file.
    """

    path: str
    line: int
    column: int
    key: str
    message: str
    hint: str = ""
    source: str = ""

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        key = f"{self.key}: " if self.key else ""
        hint = f"; {self.hint}" if self.hint else ""
        text = f"{place}: {key}{self.message}{hint}"
        if self.source:
            text += f"\n  {self.line:>4} | {self.source}\n       | {' ' * (self.column - 1)}^"
        return text


class ConfigError(Exception):
    """A crew's files can't be used; the text lists every problem with its place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        shown = "\n".join(str(problem) for problem in self.problems[:_MAX_SHOWN])
        more = len(self.problems) - _MAX_SHOWN
        super().__init__(shown + (f"\nand {more} more" if more > 0 else ""))


def suggest(word: str, known: Collection[str], there_are: str = "") -> str:
    """'did you mean …?' when `known` has something like `word`; else all, after `there_are`."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return there_are and f"{there_are} {', '.join(sorted(known)) or 'none'}"
