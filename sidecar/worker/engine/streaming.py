"""Which of CrewAI's models stream without losing anything by it.

CrewAI streams only where it is told to, and some of its classes then give another answer than they
would whole. So each class is here with the reason, and one that isn't, as a user's own, does what
its user told it. What the user told to stream streams in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from crewai import BaseLLM

__all__ = ["streams"]

Rule = Callable[[Any, bool], bool]
"""Whether this model streams a call, with or without tools."""


def _always(_llm: Any, _tools: bool) -> bool:
    return True


def _without_tools(_llm: Any, tools: bool) -> bool:
    return not tools


def _openai(llm: Any, tools: bool) -> bool:
    # Asked anew for each request: a model that chat completions turn out not to have is asked by
    # the other API within the same call (completion.py: _remember_responses_only_model).
    # Releases before 1.15.10 ask the one that they were told to.
    asked = getattr(llm, "_effective_api", lambda: llm.api)
    return not tools or asked() != "responses"


def _azure(llm: Any, tools: bool) -> bool:
    return not tools or llm.api != "responses"


_PROVIDERS: Final = "crewai.llms.providers"
_RULES: Final[Mapping[str, Rule]] = {
    # Chat completions give tool calls and text whole. The Responses API's stream hands the calls to
    # `available_functions`, which agents leave empty, and returns the text, which is empty as well
    # (completion.py: _handle_streaming_responses).
    f"{_PROVIDERS}.openai.completion.OpenAICompletion": _openai,
    f"{_PROVIDERS}.azure.completion.AzureCompletion": _azure,
    f"{_PROVIDERS}.anthropic.completion.AnthropicCompletion": _always,
    f"{_PROVIDERS}.gemini.completion.GeminiCompletion": _always,
    # The same fault: a tool call without `available_functions` is dropped at contentBlockStop, and
    # an apology made up for the text (_handle_streaming_converse).
    f"{_PROVIDERS}.bedrock.completion.BedrockCompletion": _without_tools,
    # LiteLLM: what it streams of a tool call comes without its id (crewai/llm.py:
    # _handle_streaming_response makes ChatCompletionDeltaToolCall of index, name and arguments).
    "crewai.llm.LLM": _without_tools,
}


def streams(llm: BaseLLM, tools: bool) -> bool:
    """Whether a call of `llm` that wasn't told to stream may. By the nearest class in the list,
    so that providers made of another, as the OpenAI-compatible ones are, go by that one's rule."""
    for model in type(llm).__mro__:
        rule = _RULES.get(f"{model.__module__}.{model.__qualname__}")
        if rule is not None:
            return rule(llm, tools)
    return False
