"""How many tokens a model's call took: as its event says, else as the model itself counted.

CrewAI tells a call that ended in a function it ran itself, as a reasoning agent's plan does,
without its usage, though the model has counted it (crewai/llms/base_llm.py:
`_handle_tool_execution`, `_track_token_usage_internal`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, Final

__all__ = ["count", "counting", "tokens"]

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    # OpenAI's chat; Gemini's; OpenAI's responses and Anthropic's; Bedrock's.
    "prompt_tokens": ("prompt_tokens", "prompt_token_count", "input_tokens", "inputTokens"),
    "completion_tokens": (
        "completion_tokens",
        "candidates_token_count",
        "output_tokens",
        "outputTokens",
    ),
    # Of the prompt's, whichever provider; there only where there are any.
    "cached_tokens": ("cached_prompt_tokens",),
    "total_tokens": ("total_tokens", "total_token_count", "totalTokens"),
}

_counted: Final[ContextVar[dict[str, int] | None]] = ContextVar("crew_counted", default=None)
"""What the call of this context has taken since an event of it last said so."""


@contextlib.contextmanager
def counting() -> Iterator[None]:
    """For the length of one call: a model is shared by agents on several threads, so that its own
    sum is of no use."""
    token = _counted.set({})
    try:
        yield
    finally:
        _counted.reset(token)


def count(usage: Any) -> None:
    """The model has counted this, under its provider's names."""
    if (counted := _counted.get()) is not None:
        for name, number in _named(usage).items():
            counted[name] = counted.get(name, 0) + number


def tokens(usage: Any) -> dict[str, int]:
    """Prompt, completion, cached and total of an event whose own usage is this, as far as they are
    known. Call it in the event's context."""
    counted = _counted.get()
    taken = dict(counted or {})
    if counted:
        counted.clear()
    return _named(usage) or taken


def _named(usage: Any) -> dict[str, int]:
    given = usage if isinstance(usage, Mapping) else {}
    found = {
        name: next((given[alias] for alias in aliases if isinstance(given.get(alias), int)), None)
        for name, aliases in _NAMES.items()
    }
    return {
        name: value
        for name, value in found.items()
        if value is not None and (value or name != "cached_tokens")
    }
