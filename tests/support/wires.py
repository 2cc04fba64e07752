"""A small real server that speaks what other providers speak, for their own clients to talk to.

OpenAI's Responses API, Anthropic's messages, Gemini's generateContent and Bedrock's converse; and
OpenAI's chat (openai_server.py), which Azure's and Ollama's clients speak too. What it says is the
same on each wire: a call of the first tool while there is no result, then the script's tokens. A
tool that CrewAI makes of a structure is called with those tokens as its arguments.
"""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from tests.support.openai_server import OpenAIServer, Script

__all__ = ["USAGE", "WireServer"]

USAGE: Final = (7, 5)
"""Prompt and completion tokens of each answer."""
_THOUGHT: Final = ("Let me ", "think.")
_STRUCTURED: Final = "structured_output"
"""The tool that CrewAI makes of a response model for Anthropic and Bedrock."""

Frames = Iterator[bytes]


@dataclass(frozen=True)
class Answer:
    tool: str | None
    arguments: dict[str, Any]
    tokens: tuple[str, ...]
    thinks: bool = False
    """Whether it was asked to think first."""

    @property
    def pieces(self) -> list[str]:
        text = json.dumps(self.arguments)
        return [text[at : at + 5] for at in range(0, len(text), 5)]

    @property
    def text(self) -> str:
        return "".join(self.tokens)


class WireServer(OpenAIServer):
    def routes(self) -> list[web.RouteDef]:
        return [
            *super().routes(),
            web.post("/v1/responses", self._responses),
            web.post("/v1/messages", self._messages),
            web.post("/{base:.*}:generateContent", self._generate),
            web.post("/{base:.*}:streamGenerateContent", self._generate),
            web.post("/model/{model}/{kind:converse|converse-stream}", self._converse),
        ]

    @property
    def url(self) -> str:
        """Without a path."""
        return self.base_url.removesuffix("/v1")

    async def _responses(self, request: web.Request) -> web.StreamResponse:
        body = await self.noted(request)
        if (refusal := self.refused()) is not None:
            return refusal
        names = [tool["name"] for tool in body.get("tools", [])]
        called = '"function_call_output"' in json.dumps(body["input"])
        answer = _answer(self.script, names, called)
        if body.get("stream"):
            return await self._streamed(request, _responses_frames(answer), "text/event-stream")
        return web.json_response(_response(answer, "completed"))

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await self.noted(request)
        if (refusal := self.refused()) is not None:
            return refusal
        names = [tool["name"] for tool in body.get("tools", [])]
        called = '"tool_result"' in json.dumps(body["messages"])
        answer = _answer(self.script, names, called, thinks="thinking" in body)
        if body.get("stream"):
            return await self._streamed(request, _messages_frames(answer), "text/event-stream")
        return web.json_response(_message(answer))

    async def _generate(self, request: web.Request) -> web.StreamResponse:
        body = await self.noted(request)
        if (refusal := self.refused()) is not None:
            return refusal
        declared = [tool.get("functionDeclarations", []) for tool in body.get("tools", [])]
        names = [function["name"] for functions in declared for function in functions]
        called = '"functionResponse"' in json.dumps(body["contents"])
        answer = _answer(self.script, names, called)
        if request.path.endswith(":streamGenerateContent"):
            return await self._streamed(request, _generate_frames(answer), "text/event-stream")
        return web.json_response(_candidate(answer, answer.text, "STOP"))

    async def _converse(self, request: web.Request) -> web.StreamResponse:
        body = await self.noted(request)
        if (refusal := self.refused()) is not None:
            return refusal
        tools = body.get("toolConfig", {}).get("tools", [])
        called = '"toolResult"' in json.dumps(body["messages"])
        answer = _answer(self.script, [tool["toolSpec"]["name"] for tool in tools], called)
        if request.match_info["kind"] == "converse-stream":
            kind = "application/vnd.amazon.eventstream"
            return await self._streamed(request, _converse_frames(answer), kind)
        return web.json_response(_converse(answer))

    async def _streamed(
        self, request: web.Request, frames: Frames, kind: str
    ) -> web.StreamResponse:
        async def write() -> web.StreamResponse:
            script, slow = self.script, self.is_slow()
            response = web.StreamResponse(headers={"Content-Type": kind})
            await response.prepare(request)
            for frame in frames:
                if slow:
                    await asyncio.sleep(script.delay)
                await response.write(frame)
            self.finished.set()
            return response

        return await self.told_when_left(write())


def _answer(script: Script, tools: list[str], called: bool, thinks: bool = False) -> Answer:
    wanted = [name for name in tools if name != _STRUCTURED]
    if wanted and script.tool_first and not called:
        return Answer(wanted[0], script.tool_arguments, script.tokens, thinks)
    if _STRUCTURED in tools:
        return Answer(_STRUCTURED, json.loads("".join(script.tokens)), script.tokens, thinks)
    return Answer(None, {}, script.tokens, thinks)


def _sse(data: dict[str, Any]) -> bytes:
    event = f"event: {data['type']}\n" if "type" in data else ""
    return f"{event}data: {json.dumps(data)}\n\n".encode()


# OpenAI's Responses API.


def _response(answer: Answer, status: str) -> dict[str, Any]:
    prompt, completion = USAGE
    item: dict[str, Any] = {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": answer.text, "annotations": []}],
    }
    if answer.tool is not None:
        item = _function_call(answer, json.dumps(answer.arguments))
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "any-model",
        "status": status,
        "output": [item] if status == "completed" else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": prompt,
            "output_tokens": completion,
            "total_tokens": prompt + completion,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def _function_call(answer: Answer, arguments: str) -> dict[str, Any]:
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed"}
    return {**call, "name": answer.tool, "arguments": arguments}


def _responses_frames(answer: Answer) -> Frames:
    at = {"output_index": 0, "item_id": "fc_1" if answer.tool else "msg_1"}
    yield _sse({"type": "response.created", "response": _response(answer, "in_progress")})
    if answer.tool is None:
        for token in answer.tokens:
            delta = {"type": "response.output_text.delta", "content_index": 0, "delta": token}
            yield _sse({**at, **delta})
    else:
        item = _function_call(answer, "")
        yield _sse({"type": "response.output_item.added", "output_index": 0, "item": item})
        for piece in answer.pieces:
            yield _sse({**at, "type": "response.function_call_arguments.delta", "delta": piece})
    done = _response(answer, "completed")
    item = done["output"][0]
    yield _sse({"type": "response.output_item.done", "output_index": 0, "item": item})
    yield _sse({"type": "response.completed", "response": done})


# Anthropic's messages.


def _message(answer: Answer) -> dict[str, Any]:
    prompt, completion = USAGE
    content: list[dict[str, Any]] = []
    if answer.thinks:
        content.append({"type": "thinking", "thinking": "".join(_THOUGHT), "signature": "sig"})
    if answer.tool is None:
        content.append({"type": "text", "text": answer.text})
    else:
        content.append(_tool_use(answer, answer.arguments))
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "any-model",
        "content": content,
        "stop_reason": "tool_use" if answer.tool else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": prompt, "output_tokens": completion},
    }


def _tool_use(answer: Answer, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": "toolu_1", "name": answer.tool, "input": arguments}


def _messages_frames(answer: Answer) -> Frames:
    whole = _message(answer)
    begun = {**whole, "content": [], "stop_reason": None}
    yield _sse({"type": "message_start", "message": begun})
    for index, block in enumerate(whole["content"]):
        empty, deltas = {
            "thinking": (
                {"type": "thinking", "thinking": "", "signature": ""},
                [
                    *({"type": "thinking_delta", "thinking": piece} for piece in _THOUGHT),
                    {"type": "signature_delta", "signature": "sig"},
                ],
            ),
            "text": (
                {"type": "text", "text": ""},
                [{"type": "text_delta", "text": token} for token in answer.tokens],
            ),
            "tool_use": (
                _tool_use(answer, {}),
                [{"type": "input_json_delta", "partial_json": piece} for piece in answer.pieces],
            ),
        }[block["type"]]
        yield _sse({"type": "content_block_start", "index": index, "content_block": empty})
        for delta in deltas:
            yield _sse({"type": "content_block_delta", "index": index, "delta": delta})
        yield _sse({"type": "content_block_stop", "index": index})
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    usage = {"output_tokens": USAGE[1]}
    yield _sse({"type": "message_delta", "delta": stop, "usage": usage})
    yield _sse({"type": "message_stop"})


# Gemini's generateContent.


def _candidate(answer: Answer, text: str, finish: str | None) -> dict[str, Any]:
    prompt, completion = USAGE
    part: dict[str, Any] = {"text": text}
    if answer.tool is not None:
        part = {"functionCall": {"name": answer.tool, "args": answer.arguments}}
    candidate = {"index": 0, "content": {"role": "model", "parts": [part]}}
    return {
        "candidates": [{**candidate, **({"finishReason": finish} if finish else {})}],
        "usageMetadata": {
            "promptTokenCount": prompt,
            "candidatesTokenCount": completion,
            "totalTokenCount": prompt + completion,
        },
        "modelVersion": "any-model",
        "responseId": "r1",
    }


def _generate_frames(answer: Answer) -> Frames:
    texts = answer.tokens if answer.tool is None else ("",)
    for number, text in enumerate(texts, 1):
        yield _sse(_candidate(answer, text, "STOP" if number == len(texts) else None))


# Bedrock's converse.


def _converse(answer: Answer) -> dict[str, Any]:
    block: dict[str, Any] = {"text": answer.text}
    if answer.tool is not None:
        use = {"toolUseId": "tooluse_1", "name": answer.tool, "input": answer.arguments}
        block = {"toolUse": use}
    return {
        "output": {"message": {"role": "assistant", "content": [block]}},
        "stopReason": "tool_use" if answer.tool else "end_turn",
        **_converse_metadata(),
    }


def _converse_metadata() -> dict[str, Any]:
    prompt, completion = USAGE
    usage = {"inputTokens": prompt, "outputTokens": completion, "totalTokens": prompt + completion}
    return {"usage": usage, "metrics": {"latencyMs": 1}}


def _converse_frames(answer: Answer) -> Frames:
    at = {"contentBlockIndex": 0}
    yield _event_frame("messageStart", {"role": "assistant"})
    deltas: list[dict[str, Any]] = [{"text": token} for token in answer.tokens]
    if answer.tool is not None:
        use = {"toolUse": {"toolUseId": "tooluse_1", "name": answer.tool}}
        yield _event_frame("contentBlockStart", {**at, "start": use})
        deltas = [{"toolUse": {"input": piece}} for piece in answer.pieces]
    for delta in deltas:
        yield _event_frame("contentBlockDelta", {**at, "delta": delta})
    yield _event_frame("contentBlockStop", at)
    yield _event_frame("messageStop", {"stopReason": "tool_use" if answer.tool else "end_turn"})
    yield _event_frame("metadata", _converse_metadata())


def _event_frame(type: str, payload: dict[str, Any]) -> bytes:
    """One message of `application/vnd.amazon.eventstream`: lengths, their CRC, headers as
    (name, 7 for a string, value), payload, CRC of all."""
    pairs = ((":event-type", type), (":content-type", "application/json"))
    headers = b"".join(_header(*pair) for pair in (*pairs, (":message-type", "event")))
    data = json.dumps(payload).encode()
    lengths = struct.pack(">II", 16 + len(headers) + len(data), len(headers))
    message = lengths + struct.pack(">I", zlib.crc32(lengths)) + headers + data
    return message + struct.pack(">I", zlib.crc32(message))


def _header(name: str, value: str) -> bytes:
    packed: Callable[[str], bytes] = str.encode
    return (
        struct.pack(">B", len(name))
        + packed(name)
        + struct.pack(">BH", 7, len(value))
        + packed(value)
    )
