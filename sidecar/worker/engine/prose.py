"""What the offline model writes: pure, and the same for the same prompt.

Markdown on the brief's own words, in whole sentences, exactly as many tokens long as asked.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["MARK", "brief_of", "compose", "tokens_of"]

MARK: Final = "[offline model] "
"""Begins every reply, as one token, so that nobody takes the text for a model's."""

_TOKEN: Final = re.compile(r"\S{1,16}\s*")
_WORD: Final = re.compile(
    r"\b(?!(?:about|also|from|have|into|just|like|make|mine|more|most|only|over|please|some|such|that|"
    r"them|then|there|these|they|this|what|when|where|which|will|with|would|write|your)\b)"
    r"[^\W\d_]{4,20}\b"
)
_LINES: Final = (
    "Say in one sentence what **{}** does.",
    "Show **{}** in a scene, then explain.",
    "Ask who doubts **{}** and answer them.",
    "Leave out what **{}** does not need.",
    "Name the first step towards **{}** today.",
    "Let a stranger read about **{}** before Monday.",
)
_SECTION: Final = 3
"""Lines under a heading."""
_CLOSINGS: Final = {
    8: "Set a key to hear a real model.",
    4: "Nothing here was checked.",
    2: "Offline draft.",
    1: "Done.",
}
"""By their length in tokens: together any length below 16, which is more than a line takes."""


def tokens_of(text: str) -> list[str]:
    """`text` cut into pieces of at most 16 characters that join to it (less leading space)."""
    return _TOKEN.findall(text)


def compose(role: str, turns: Sequence[tuple[str, str]], tokens: int) -> list[str]:
    """The reply of an agent with this role to (role, text) `turns`: exactly `tokens` pieces."""
    brief = brief_of(turns)
    pieces = [MARK, *tokens_of(f"{_short(role)} on “{_short(brief)}”.\n\n")]
    for remark in _remarks(turns):
        if len(pieces) + len(tokens_of(remark)) <= tokens:
            pieces += tokens_of(remark)
    words = [*dict.fromkeys(_WORD.findall(brief.lower()))] or ["the subject"]
    first = zlib.crc32(repr((role, turns)).encode())
    for n in itertools.count():
        section, at = divmod(n, _SECTION)
        word = words[section % len(words)]
        heading = f"## {word.capitalize()}\n\n" if at == 0 else ""
        line = _LINES[(first + n) % len(_LINES)].format(word)
        more = tokens_of(f"{heading}- {line}\n" + "\n" * (at == _SECTION - 1))
        if len(pieces) + len(more) > tokens:
            break
        pieces += more
    pieces[-1] = pieces[-1].rstrip() + "\n\n"
    for size, closing in _CLOSINGS.items():
        if len(pieces) + size <= tokens:
            pieces += tokens_of(closing + " ")
    return [*pieces[: tokens - 1], pieces[tokens - 1].rstrip()]


def brief_of(turns: Sequence[tuple[str, str]]) -> str:
    """What the user asked for: between <brief> tags, else the first user turn's first line."""
    for _, text in turns:
        found = re.search(r"<brief>\s*(.+?)\s*</brief>", text, re.DOTALL)
        if found:
            return found.group(1)
    first = next((text for role, text in turns if role == "user"), "")
    return next((line for line in first.removeprefix("\nCurrent Task:").splitlines() if line), "")


def _remarks(turns: Sequence[tuple[str, str]]) -> Iterator[str]:
    """On what a person asked for last, after the task itself, and on what a tool gave last."""
    wishes = [text.removeprefix("User feedback: ") for role, text in turns if role == "user"][1:]
    results = [text for role, text in turns if role == "tool"]
    for who, texts in (("You asked for", wishes), ("The tool says", results)):
        if texts and texts[-1].strip():
            said = _short(texts[-1].strip().splitlines()[0])
            yield f"{who}: {said}{'' if said.endswith(('…', '?', '!')) else '.'}\n\n"


def _short(text: str) -> str:
    """Its first eleven words at most, without a full stop; "…" is what is left out, or nothing."""
    words = text.split()
    short = " ".join(words[:11])[:80].rstrip(" ,.;:")
    return short if short and len(short) >= len(" ".join(words)) - 1 else short + "…"
