"""The offline model: no key, no network, the same words for the same prompt.

It exercises all that a hosted model does (streamed tokens, a native tool call, usage), so that a
newcomer sees a crew at work and a test needs no server. What it writes says that it is offline.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from crewai import BaseLLM
from crewai.events.types.llm_events import LLMCallType
from crewai.llms.base_llm import llm_call_context
from pydantic import BaseModel

from sidecar.worker.engine.prose import brief_of, compose, tokens_of

if TYPE_CHECKING:
    from crewai.agents.agent_builder.base_agent import BaseAgent
    from crewai.task import Task
    from crewai.utilities.types import LLMMessage

__all__ = ["OfflineLLM"]

_CONTEXT_WINDOW: Final = 128_000
_MAX_ARGUMENT: Final = 600
_CATCH_UP: Final = 0.1
"""Seconds behind schedule after which the pace starts afresh instead of catching up in a burst."""


class OfflineLLM(BaseLLM):
    """A deterministic `crewai.BaseLLM`.

    With tools it first calls one of them, natively and once per task, then writes. Pace:
    `OFFLINE_TOKEN_MS` milliseconds per token (20; 0 = flat out), `OFFLINE_TOKENS` tokens per
    reply (60).
    """

    llm_type: str = "offline"

    def supports_function_calling(self) -> bool:
        return True

    def supports_stop_words(self) -> bool:
        return False

    def get_context_window_size(self) -> int:
        return _CONTEXT_WINDOW

    def get_input_tokens_count(
        self,
        messages: str | list[LLMMessage],
        tools: list[dict[str, Any]] | None = None,
        response_model: type[BaseModel] | None = None,
    ) -> int:
        return sum(len(tokens_of(text)) for _, text in _turns(messages))

    def call(
        self,
        messages: str | list[LLMMessage],
        tools: list[dict[str, Any]] | None = None,
        callbacks: list[Any] | None = None,
        available_functions: dict[str, Any] | None = None,
        from_task: Task | None = None,
        from_agent: BaseAgent | None = None,
        response_model: type[BaseModel] | None = None,
    ) -> str | list[dict[str, Any]]:
        """One reply: its text, or native tool calls (OpenAI's shape) for the executor to make.

        Raises whatever a hook or a stream sink raises, after the failed event.
        """
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        role = str(getattr(from_agent, "role", "") or "Agent")
        with llm_call_context():
            self._emit_call_started_event(
                messages=messages,
                tools=tools,
                callbacks=callbacks,
                available_functions=available_functions,
                from_task=from_task,
                from_agent=from_agent,
            )
            try:
                self._invoke_before_llm_call_hooks(messages, from_agent)
                turns = _turns(messages)  # after the hooks, which may have added to them
                call = _tool_call(turns, tools or [])
                if call is not None:
                    sent = self._stream_tool_call(call, from_task, from_agent)
                    answer: str | list[dict[str, Any]] = [call]
                elif response_model is not None:
                    answer = json.dumps(_example(response_model, turns))
                    sent = self._stream_text([answer], from_task, from_agent)
                else:
                    words = compose(role, turns, _whole("OFFLINE_TOKENS", 60, 1))
                    sent = self._stream_text(words, from_task, from_agent)
                    answer = "".join(words)
            except BaseException as error:
                self._emit_call_failed_event(
                    f"{type(error).__name__}: {error}", from_task=from_task, from_agent=from_agent
                )
                raise
            prompt = self.get_input_tokens_count(messages)
            usage = {
                "prompt_tokens": prompt,
                "completion_tokens": sent,
                "total_tokens": prompt + sent,
            }
            self._track_token_usage_internal(usage)
            self._emit_call_completed_event(
                response=answer,
                call_type=LLMCallType.TOOL_CALL if call else LLMCallType.LLM_CALL,
                from_task=from_task,
                from_agent=from_agent,
                usage=usage,
                finish_reason="tool_calls" if call else "stop",
            )
            return answer

    async def acall(
        self,
        messages: str | list[LLMMessage],
        tools: list[dict[str, Any]] | None = None,
        callbacks: list[Any] | None = None,
        available_functions: dict[str, Any] | None = None,
        from_task: Task | None = None,
        from_agent: BaseAgent | None = None,
        response_model: type[BaseModel] | None = None,
    ) -> str | list[dict[str, Any]]:
        """`call` in a thread, so that an event loop is not held up by the pace."""
        return await asyncio.to_thread(
            self.call,
            messages,
            tools,
            callbacks,
            available_functions,
            from_task,
            from_agent,
            response_model,
        )

    def _stream_text(self, words: Sequence[str], task: Task | None, agent: BaseAgent | None) -> int:
        return _paced(
            words,
            lambda word: self._emit_stream_chunk_event(word, from_task=task, from_agent=agent),
        )

    def _stream_tool_call(
        self, call: Mapping[str, Any], task: Task | None, agent: BaseAgent | None
    ) -> int:
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        sent = ""

        def emit(piece: str) -> None:
            nonlocal sent
            sent += piece
            self._emit_stream_chunk_event(
                piece,
                from_task=task,
                from_agent=agent,
                tool_call={
                    "id": call["id"],
                    "type": "function",
                    "index": 0,
                    "function": {"name": name, "arguments": sent},
                },
                call_type=LLMCallType.TOOL_CALL,
            )

        return _paced(re.findall(r"\W*\w+\W*", arguments) or [arguments], emit)


def _paced(pieces: Sequence[str], emit: Callable[[str], None]) -> int:
    """Emit `pieces` at the configured pace, by the clock so that sleeping late adds no drift."""
    interval = _whole("OFFLINE_TOKEN_MS", 20, 0) / 1000
    due = time.monotonic()
    for piece in pieces:
        due += interval
        late = time.monotonic() - due
        if late < 0:
            time.sleep(-late)
        elif late > _CATCH_UP:
            due += late
        emit(piece)
    return len(pieces)


def _whole(name: str, default: int, least: int) -> int:
    try:
        return max(least, int(os.environ.get(name, "") or default))
    except ValueError:
        return default


def _turns(messages: str | Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(role, text) of each message; what is not text is left out."""
    if isinstance(messages, str):
        return [("user", messages)]
    return [(str(message.get("role", "")), _text(message.get("content"))) for message in messages]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def _tool_call(
    turns: Sequence[tuple[str, str]], tools: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    """A call of the first tool, unless one was made since the task was set."""
    if not tools or any(role == "tool" for role, _ in turns):
        return None
    function = tools[0].get("function", tools[0])
    prompt = " ".join(text for _, text in turns)
    brief = " ".join(brief_of(turns).split())[:_MAX_ARGUMENT]
    schema = function.get("parameters", {})
    arguments = {
        name: _argument(schema.get("properties", {}).get(name, {}), brief)
        for name in schema.get("required", [])
    }
    # Derived from the prompt, so that the same prompt gives the same call, id included.
    digest = hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest()
    return {
        "id": f"call_{digest[:24]}",
        "type": "function",
        "function": {
            "name": function["name"],
            "arguments": json.dumps(arguments, ensure_ascii=False),
        },
    }


def _argument(schema: Mapping[str, Any], text: str, prompt: str = "") -> Any:
    if choices := schema.get("enum"):
        # Where a person's answer is one of them it is there twice (human_feedback_collapse in
        # crewai/translations/en.json).
        return max(choices, key=lambda choice: prompt.count(str(choice)))
    kind = schema.get("type")
    simple: dict[Any, Any] = {
        "integer": 1,
        "number": 1.0,
        "boolean": True,
        "array": [],
        "object": {},
        "null": None,
    }
    return simple.get(kind, text)


def _example(model: type[BaseModel], turns: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The least that `model` may accept: a value for each required field."""
    prompt = " ".join(text for _, text in turns)
    return {
        name: _argument(schema, "[offline model]", prompt)
        for name, schema in _fields(model.model_json_schema())
    }


def _fields(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name in schema.get("required", []):
        yield name, schema.get("properties", {}).get(name, {})
