"""What the offline model writes: pure, and the same for the same prompt.

Readable demonstration copy built from the brief's own words, in whole sentences, exactly as many
tokens long as asked.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["MARK", "brief_of", "compose", "tokens_of"]

MARK: Final = "[offline model] "
"""Begins every reply, as one token, so that nobody takes the text for a model's."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TOKEN: Final = re.compile(r"\S{1,16}\s*")
_WORD: Final = re.compile(r"[^\W\d_][\w'’-]{3,}")
_COMMON: Final = _words(
    "about after again also and been before being between both brief could does done down "
    "each for from have having here into just know like make made many more most much must "
    "need only other over please same should some such than that their them then there these "
    "they this those through very want what when where which while will with within would "
    "write your"
)

_OPENINGS: Final = {
    "plan": "Content plan for “{title}”.",
    "sentiment": "Sentiment reading of the plan for “{title}”.",
    "trend": "Trends that touch “{title}”.",
    "other": "Notes on “{title}”.",
}
_LINES: Final = {
    "plan": (
        "Audience: people who already care about {a} and doubt {b}.",
        "Open with one concrete scene about {a}, not a claim.",
        "Explain {b} in plain words and show one example.",
        "Answer the obvious objection to {c} early.",
        "Close on a single next step around {a}.",
        "Keywords to use: {a}, {b}, {c}.",
        "One picture of {c} says more than a paragraph.",
        "Measure replies about {b} after a week.",
    ),
    "sentiment": (
        "Overall tone: hopeful, with a practical edge.",
        "The passage on {a} reads warm and direct.",
        "Readers may hear doubt where {b} is mentioned.",
        "Say what {c} costs before praising it.",
        "Risk: {a} could sound like a slogan.",
        "Shorter sentences around {b} would calm the reader.",
        "Confidence is moderate; the text is still a plan.",
        "Keep the honest remark about {c}, people trust it.",
    ),
    "trend": (
        "Interest in {a} tends to follow the season.",
        "Short formats about {b} travel further than essays.",
        "Searches for {c} often start with a problem.",
        "Communities around {a} answer questions at night.",
        "Publish on {b} before the weekly peak.",
        "Nobody owns the phrase {c} yet.",
        "Watch how the wording of {a} changes.",
        "These are offline placeholders, not live figures.",
    ),
    "other": (
        "The first thing to settle is {a}.",
        "A short note on {b} follows from it.",
        "What remains open is {c}.",
        "Start small with {a} and look at the result.",
        "Ask someone who uses {b} every day.",
        "Leave {c} for a second pass.",
        "Write down why {a} matters.",
        "Nothing here was checked against a live source.",
    ),
}
_CLOSINGS: Final = (
    "",
    "Done.",
    "Draft complete.",
    "Ready for review.",
    "That is the draft.",
    "That covers the main points.",
    "Adjust the tone before it ships.",
    "Check each claim against a real source.",
    "A real model would go further than this.",
    "Set an API key to hear a real model.",
    "Set an API key in the environment for real answers.",
)
"""By their length in tokens, to end a reply exactly where it was asked to end."""


def tokens_of(text: str) -> list[str]:
    """`text` cut into pieces of at most 16 characters that join to it (less leading space)."""
    return _TOKEN.findall(text)


def compose(role: str, turns: Sequence[tuple[str, str]], tokens: int) -> Iterator[str]:
    """The reply of an agent with this role to (role, text) `turns`: exactly `tokens` pieces."""
    prompt = "\n".join(text for _, text in turns)
    brief = brief_of(turns)
    kind = _kind(role)
    seed = hashlib.sha256(f"{role}\n{prompt}".encode("utf-8", "replace")).digest()
    pieces = [MARK]
    remarks = (_wished(turns), _observed(turns))
    for line in _lines(kind, brief, remarks, seed, tokens - 1):
        pieces += tokens_of(line)
    pieces[-1] = pieces[-1].rstrip() if len(pieces) > 1 else MARK.rstrip()
    yield from pieces[:tokens]


def _lines(kind: str, brief: str, remarks: Sequence[str], seed: bytes, room: int) -> Iterator[str]:
    opening = _OPENINGS[kind].format(title=_title(brief)) + "\n\n"
    words = _keywords(brief)
    start = seed[0]
    spare = room - len(tokens_of(opening))
    if spare < 0:
        yield "".join(tokens_of(opening)[:room])
        return
    yield opening
    for remark in remarks:
        if remark and (used := len(tokens_of(remark))) <= spare:
            spare -= used
            yield remark
    templates = _LINES[kind]
    for turn in itertools.count():
        for offset in range(len(templates)):
            at = turn + offset
            a, b, c = (words[(start + at + shift) % len(words)] for shift in range(3))
            line = f"- {templates[at % len(templates)].format(a=a, b=b, c=c)}\n"
            used = len(tokens_of(line))
            if used <= spare:
                break
        else:
            break
        spare -= used
        yield line
    # Nothing longer fits; lines are short enough that a closing of the rest's length exists,
    # unless the brief's words are long ones: then whole closings repeat.
    while spare > 0:
        size = min(spare, len(_CLOSINGS) - 1)
        spare -= size
        yield _CLOSINGS[size] + "\n"


def _kind(role: str) -> str:
    name = role.lower()
    for kind, stem in (("plan", "plan"), ("sentiment", "sentiment"), ("trend", "trend")):
        if stem in name:
            return kind
    return "other"


def brief_of(turns: Sequence[tuple[str, str]]) -> str:
    """What the user asked for: between <brief> tags, else the first user turn's first line."""
    for _, text in turns:
        found = re.search(r"<brief>\s*(.+?)\s*</brief>", text, re.DOTALL)
        if found:
            return found.group(1)
    first = next((text for role, text in turns if role == "user"), "")
    return next((line for line in first.removeprefix("\nCurrent Task:").splitlines() if line), "")


def _wished(turns: Sequence[tuple[str, str]]) -> str:
    """A line on what a person asked for in between: the last user turn, unless it is the first."""
    wishes = [text for role, text in turns if role == "user"][1:]
    words = wishes[-1].removeprefix("User feedback: ").splitlines() if wishes else []
    first = next((line.strip() for line in words if line.strip()), "")
    return f"You asked for: {' '.join(first.split()[:12])[:90]}.\n" if first else ""


def _observed(turns: Sequence[tuple[str, str]]) -> str:
    """A line on the last tool result, when there is one."""
    result = next((text for role, text in reversed(turns) if role == "tool"), "")
    first = next((line.strip() for line in result.splitlines() if line.strip()), "")
    return f"The tool says: {' '.join(first.split()[:10])[:90]}.\n" if first else ""


def _title(brief: str) -> str:
    words = brief.split()
    title = " ".join(words[:7])[:60].rstrip(" ,.;:")
    return (title + "…" if len(" ".join(words)) > len(title) + 1 else title) or "an empty brief"


def _keywords(brief: str) -> list[str]:
    """At least three words of the brief, in its order, without the common ones."""
    found = dict.fromkeys(word[:15] for word in _WORD.findall(brief.lower()) if word not in _COMMON)
    return [*found, "the subject", "the reader", "the evidence"][: max(3, len(found))]
