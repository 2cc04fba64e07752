"""`crew-sidecar threads`: the conversations that a sidecar keeps, in a terminal.

On stdout the list, in columns; where that is a pipe, notes go to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Final

from rich.console import Console

from sidecar.client import CrewClient, Disconnected, ThreadInfo
from sidecar.clock import now_ms
from sidecar.columns import ago, columns, printable
from sidecar.errors import CommandError
from sidecar.settings import Settings

__all__ = ["threads_in_terminal"]

_PAGE: Final = 100
_HEAD: Final = ("thread", "runs", "state", "updated", "title")
_NUMBERS: Final = ("runs", "updated")


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
                notes.print(f"{renamed['thread']} is now “{printable(renamed['title'])}”")
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
    rows = [
        (
            one["thread"],
            str(one["runs"]),
            one["state"],
            ago(one["updated"], now),
            printable(one["title"]),
        )
        for one in threads
    ]
    return columns(_HEAD, rows, width, numbers=_NUMBERS)
