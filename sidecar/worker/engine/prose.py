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
_TURN: Final = re.compile(r"^User: ((?:(?!^User: ).)+?)\n\nCrew:", re.DOTALL | re.MULTILINE)
"""What a person said in an earlier run of the thread, as the input `history` has it."""
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
    before = [said for _, text in turns for said in _TURN.findall(text)]
    for remark in _remarks(before, turns):
        if len(pieces) + len(tokens_of(remark)) <= tokens:
            pieces += tokens_of(remark)
    subject = " ".join((*before, brief))
    words = [*dict.fromkeys(_WORD.findall(subject.lower()))] or ["the subject"]
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


def _remarks(before: Sequence[str], turns: Sequence[tuple[str, str]]) -> Iterator[str]:
    """On what a person asked for last `before` this run, and after the task itself, and on what a
    tool gave last."""
    wishes = [text.removeprefix("User feedback: ") for role, text in turns if role == "user"][1:]
    results = [text for role, text in turns if role == "tool"]
    said = (("You asked before", before), ("You asked for", wishes), ("The tool says", results))
    for who, texts in said:
        if texts and texts[-1].strip():
            last = _short(texts[-1].strip().splitlines()[0])
            yield f"{who}: {last}{'' if last.endswith(('…', '?', '!')) else '.'}\n\n"


def _short(text: str) -> str:
    """Its first eleven words at most, without a full stop; "…" is what is left out, or nothing."""
    words = text.split()
    short = " ".join(words[:11])[:80].rstrip(" ,.;:")
    return short if short and len(short) >= len(" ".join(words)) - 1 else short + "…"
