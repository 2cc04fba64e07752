"""`crew-sidecar runs`: the runs that a sidecar keeps, in a terminal.

On stdout the list, in columns; where that is a pipe, notes go to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Console

from sidecar.client import CrewClient, Disconnected, Frame
from sidecar.clock import now_ms
from sidecar.columns import ago, columns, printable
from sidecar.inputs import BRIEF, HISTORY
from sidecar.settings import Settings

__all__ = ["runs_in_terminal"]

_PAGE: Final = 100
_HEAD: Final = ("run", "crew", "state", "took", "tokens", "started", "brief")
_NUMBERS: Final = ("took", "tokens", "started")


async def runs_in_terminal(
    settings: Settings,
    *,
    url: str | None,
    words: Sequence[str],
    state: str | None,
    crew: str | None,
    limit: int,
    delete: str | None,
) -> int:
    """Exit code 0. Raises CommandError, or Disconnected where no sidecar runs."""
    notes = Console(
        stderr=not sys.stdout.isatty(), highlight=False, soft_wrap=True, markup=False, emoji=False
    )
    async with CrewClient(url or settings.url) as client:
        try:
            if delete is not None:
                await client.delete(run=delete)
                notes.print(f"deleted {delete}")
                return 0
            found, before = list[Frame](), None
            while len(found) < limit:
                page = await client.runs(
                    state=state,
                    crew=crew,
                    q=" ".join(words),
                    before=before,
                    limit=min(_PAGE, limit - len(found)),
                    brief=True,
                )
                found += page["runs"]
                if (before := page["next"]) is None:
                    break
        except Disconnected as error:
            raise Disconnected(
                f"no sidecar is running at {client.url}, and runs are kept by one: start it "
                "(`crew-sidecar`), or name another with --url"
            ) from error
    if not found:
        chosen = words or state is not None or crew is not None
        start = 'crew-sidecar run "a brief" starts one'
        notes.print("no run is like that" if chosen else f"no runs yet: {start}")
        return 0
    # A terminal's width, and none in a pipe: nothing that reads it wants half a brief.
    out = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    width = out.width if out.is_terminal else None
    for number, line in enumerate(columns(_HEAD, _rows(found, now_ms()), width, numbers=_NUMBERS)):
        if number or out.is_terminal:
            out.print(line, style="" if number else "dim")
    if before is not None:
        notes.print("there are older ones, which a larger --limit lists", style="dim")
    return 0


def _rows(runs: Iterable[Frame], now: float) -> list[tuple[str, ...]]:
    return [
        (
            run["run"],
            run["crew"],
            f"queued, {place}." if (place := run.get("position")) else run["state"],
            _took(run, now),
            f"{run['usage']['prompt_tokens'] + run['usage']['completion_tokens']:,}",
            ago(run["created"], now),
            _brief(run["inputs"]),
        )
        for run in runs
    ]


def _took(run: Frame, now: float) -> str:
    if run["started"] is None:
        return "–"
    seconds = max(0.0, (run["finished"] or now) - run["started"]) / 1000
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"


def _brief(inputs: Frame) -> str:
    others = (value for name, value in inputs.items() if name != HISTORY)
    asked = (*(inputs.get(name) for name in BRIEF), *others)
    texts = (" ".join(printable(text).split()) for text in asked if isinstance(text, str))
    return next(filter(None, texts), "without a brief")
