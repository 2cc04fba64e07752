"""`crew-sidecar threads`: the conversations that a sidecar keeps, in a terminal.

On stdout the list, in columns; where that is a pipe, notes go to stderr.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.console import Console

from sidecar.client import CrewClient, Disconnected, ThreadInfo
from sidecar.clock import now_ms
from sidecar.errors import CommandError
from sidecar.settings import Settings

__all__ = ["ago", "threads_in_terminal"]

_PAGE: Final = 100
_LEAST_TITLE: Final = 20
"""Cells of a title that are shown however narrow the terminal is."""
_HEAD: Final = ("thread", "runs", "state", "updated", "title")
_NUMBERS: Final = ("runs", "updated")
_UNITS: Final = (("day", 86_400), ("h", 3_600), ("min", 60))


async def threads_in_terminal(
    settings: Settings,
    *,
    url: str | None,
    limit: int,
    delete: str | None,
    rename: tuple[str, str] | None,
) -> int:
    """Exit code 0. Raises CommandError, or Disconnected where no sidecar runs."""
    piped = not sys.stdout.isatty()
    notes = Console(stderr=piped, highlight=False, soft_wrap=True, markup=False, emoji=False)
    async with CrewClient(url or settings.url) as crew:
        try:
            if delete is not None:
                await crew.delete(thread=delete)
                notes.print(f"deleted {delete}")
            elif rename is not None:
                renamed = await crew.rename(*rename)
                notes.print(f"{renamed['thread']} is now “{_printable(renamed['title'])}”")
            else:
                await _list(crew, limit, notes)
        except Disconnected as error:
            raise Disconnected(
                f"no sidecar is running at {crew.url}, and a thread is kept by one: start it "
                "(`crew-sidecar`), or name another with --url"
            ) from error
        except CommandError as error:
            if error.code != "unknown_thread":
                raise
            hint = "; `crew-sidecar threads` lists what there is"
            raise CommandError(error.code, f"{error.message}{hint}") from error
    return 0


async def _list(crew: CrewClient, limit: int, notes: Console) -> None:
    found: dict[str, ThreadInfo] = {}  # one that gets a run meanwhile is on two pages
    before: str | None = None
    while len(found) < limit:
        page = await crew.threads(limit=min(_PAGE, limit - len(found)), before=before)
        found |= {one["thread"]: one for one in page["threads"]}
        if (before := page["next"]) is None:
            break
    if not found:
        notes.print('no threads yet: crew-sidecar run --thread NAME "a brief" begins one')
        return
    # A terminal's width, and none in a pipe: nothing that reads it wants half a title.
    out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    lines = _columns(found.values(), now_ms(), out.width if out.is_terminal else None)
    for number, line in enumerate(lines):
        if number or out.is_terminal:
            out.print(line, style="" if number else "dim")
    if before is not None:
        notes.print("there are older ones, which a larger --limit lists", style="dim")


def _columns(threads: Iterable[ThreadInfo], now: float, width: int | None) -> list[str]:
    """A head and a line for each, no wider than `width` cells where the title can help it."""
    rows: list[Sequence[str]] = [_HEAD]
    for one in threads:
        when, title = ago(one["updated"], now), _printable(one["title"])
        rows.append((one["thread"], str(one["runs"]), one["state"], when, title))
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)][:-1]
    room = None if width is None else max(_LEAST_TITLE, width - sum(widths) - 2 * len(widths))
    lines = []
    for *cells, title in rows:
        padded = [
            cell.rjust(most) if name in _NUMBERS else cell.ljust(most)
            for name, cell, most in zip(_HEAD, cells, widths, strict=False)
        ]
        lines.append("  ".join((*padded, title if room is None else _cut(title, room))))
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


def _printable(text: str) -> str:
    """Without what drives a terminal (ECMA-48 section 5.3)."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]+", " ", text)
