"""Names of a crew's inputs that mean the same, for the gateway and its workers alike. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

__all__ = [
    "BRIEF",
    "HISTORY",
    "SAME",
    "fill_in",
    "lacking",
    "placeholders",
    "refusal",
    "standing_in",
]

BRIEF: Final = ("user_input", "message", "campaign_context")
"""What a person asked for, under the names that pages and Next routes have for it."""
HISTORY: Final = "history"
"""What was said in the run's thread before it. The sidecar's to give: "" where nothing was."""
_LANGUAGE: Final = ("output_language", "language", "locale")
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_\-]*)}")
SAME: Final[Collection[str]] = (*BRIEF, *_LANGUAGE)


def standing_in(inputs: Mapping[str, Any], wanted: Collection[str]) -> dict[str, Any]:
    """`inputs`, and under each of `wanted` that is absent or blank what another name of it says.

    The first that isn't blank, in the order of `BRIEF` or `output_language`, `language`, `locale`.
    A wanted name without a value under any of its names stays as it was.
    """
    given = dict(inputs)
    for names in (BRIEF, _LANGUAGE):
        says = next((inputs[name] for name in names if _says_something(inputs.get(name))), None)
        if says is not None:
            for name in names:
                if name in wanted and not _says_something(inputs.get(name)):
                    given[name] = says
    return given


def fill_in(
    inputs: Mapping[str, Any], wanted: Collection[str], today: datetime.date
) -> dict[str, Any]:
    """`inputs`, and what a crew whose templates want `wanted` can be given without being told.

    What other names say (`standing_in`); the date, under the names that CrewAI's own scaffold has
    for it; that nothing was said before; and where one name is left and the crew has no other for
    what a person asked for, that.
    """
    given = standing_in(inputs, wanted)
    year, date = str(today.year), today.isoformat()
    for name, value in (("current_year", year), ("current_date", date), (HISTORY, "")):
        if name in wanted:
            given.setdefault(name, value)
    left = lacking(given, wanted)
    if len(left) == 1 and not any(name in wanted for name in BRIEF):
        brief = next((inputs[name] for name in BRIEF if _says_something(inputs.get(name))), None)
        if brief is not None:
            given[left[0]] = brief
    # Without any inputs CrewAI leaves every template as it is, and with some it wants them all.
    return given if inputs.keys() - {HISTORY} or not lacking(given, wanted) else {}


def lacking(inputs: Mapping[str, Any], wanted: Collection[str]) -> list[str]:
    """Those of `wanted` that `inputs` doesn't have."""
    return [name for name in wanted if name not in inputs]


def refusal(inputs: Collection[str], left: Collection[str], wanted: Collection[str]) -> str:
    """That `left` of what a crew wants was not in `inputs`, for whoever sent them."""
    wanted = [name for name in wanted if name != HISTORY]
    sent = ", ".join(map(_braced, inputs)) or "none"
    missing = "" if len(left) == len(wanted) else f"; missing: {', '.join(map(_braced, left))}"
    return f"this crew wants {', '.join(map(_braced, wanted))}; you sent {sent}{missing}"


def placeholders(texts: Iterable[str | None]) -> list[str]:
    """The names in braces, each once, as CrewAI fills them in (crewai/utilities/string_utils.py,
    `_VARIABLE_PATTERN`); JSON in a text has none."""
    found = (name for text in texts for name in _PLACEHOLDER.findall(text or ""))
    return list(dict.fromkeys(found))


def _braced(name: str) -> str:
    return f"{{{name}}}"


def _says_something(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None
