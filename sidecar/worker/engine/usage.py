"""How many tokens a model's call took, under whatever names its provider counts them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["tokens"]

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    # OpenAI's chat; Gemini's; OpenAI's responses and Anthropic's; Bedrock's.
    "prompt_tokens": ("prompt_tokens", "prompt_token_count", "input_tokens", "inputTokens"),
    "completion_tokens": (
        "completion_tokens",
        "candidates_token_count",
        "output_tokens",
        "outputTokens",
    ),
    "total_tokens": ("total_tokens", "total_token_count", "totalTokens"),
}


def tokens(usage: Any) -> dict[str, int]:
    """Prompt, completion and total, as far as `usage` has them; an event's or a model's own count
    (crewai/llms/base_llm.py: `_token_usage`)."""
    given = usage if isinstance(usage, Mapping) else {}
    found = {
        name: next((given[alias] for alias in aliases if isinstance(given.get(alias), int)), None)
        for name, aliases in _NAMES.items()
    }
    return {name: value for name, value in found.items() if value is not None}
