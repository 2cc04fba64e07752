"""Names of a crew's inputs that mean the same, for the gateway and its workers alike. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

__all__ = ["BRIEF", "SAME", "standing_in"]

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


def _says_something(value: Any) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None
