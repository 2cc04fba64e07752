"""Names of a crew's inputs that mean the same, for the gateway and its workers alike. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from typing import Any, Final

__all__ = ["BRIEF", "SAME", "fill_in", "lacking", "standing_in"]

BRIEF: Final = ("user_input", "message", "campaign_context")
"""What a person asked for, under the names that pages and Next routes have for it."""
_LANGUAGE: Final = ("output_language", "language", "locale")
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
    for it; and where one name is left and the crew has no other for what a person asked for, that.
    """
    given = standing_in(inputs, wanted)
    for name, value in (("current_year", str(today.year)), ("current_date", today.isoformat())):
        if name in wanted:
            given.setdefault(name, value)
    left = lacking(given, wanted)
    if len(left) == 1 and not any(name in wanted for name in BRIEF):
        brief = next((inputs[name] for name in BRIEF if _says_something(inputs.get(name))), None)
        if brief is not None:
            given[left[0]] = brief
    return given


def lacking(inputs: Mapping[str, Any], wanted: Collection[str]) -> list[str]:
    """Those of `wanted` that `inputs` doesn't have."""
    return [name for name in wanted if name not in inputs]


def _says_something(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None
