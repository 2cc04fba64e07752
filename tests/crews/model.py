"""A model for the crews of this folder: OpenAI's API on loopback, the same answer to the same
question. So two runs of a crew have equal outputs only if every prompt of theirs was equal.

It calls each tool that it is offered, once and in their order, fills in whatever structure it is
asked for, speaks ReAct where a prompt wants that, and else writes a sentence made of its prompt.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from tests.support.openai_server import OpenAIServer

__all__ = ["Model", "usage"]

_MAX_TOOL_CALLS: Final = 4
"""Of one conversation; an agent that is offered more tools does without the rest."""
_PACE: Final = 0.05
"""Seconds before each further piece of a reply that was held: a worker has the time to hear what it
was ordered meanwhile."""
_REACT: Final = re.compile(r"only one name of \[(.*?)\]")
_COWORKERS: Final = re.compile(r"coworkers?: (.+)")


class Model(OpenAIServer):
    """Its `requests` tell runs apart by their base path: `base_url` with a word in front of v1."""

    def __init__(self) -> None:
        super().__init__()
        self.held = threading.Event()
        """The call that was to be held has come, and its answer has begun."""
        self._number = 0
        """Of the call that is to be held, counted down; none at 0."""
        self._go = asyncio.Event()

    def of(self, word: str) -> str:
        """The base URL of one run."""
        return self.base_url.replace("/v1", f"/{word}/v1")

    def asked(self, word: str) -> list[dict[str, Any]]:
        """The bodies that run has sent so far, oldest first, without how they were to be sent."""
        left_out = ("stream", "stream_options")
        return [
            {key: value for key, value in one["body"].items() if key not in left_out}
            for one in list(self.requests)
            if f"/{word}/" in one["path"] and "messages" in one["body"]
        ]

    def hold(self, number: int) -> None:
        """Stop in the middle of the answer to that call from now, counted from 1."""
        self.held.clear()
        self._go.clear()
        self._number = number

    def release(self) -> None:
        """Go on with it."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._go.set)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/{base:.*}chat/completions", self._chat),
            web.post("/{base:.*}embeddings", self._embed),
        ]

    async def _embed(self, request: web.Request) -> web.Response:
        body = await self.noted(request)
        given = body["input"]
        texts = [given] if isinstance(given, str) else list(given)
        data = [
            {"object": "embedding", "index": index, "embedding": _vector(str(text))}
            for index, text in enumerate(texts)
        ]
        used = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        return web.json_response(
            {"object": "list", "model": body.get("model"), "data": data, "usage": used}
        )

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await self.noted(request)
        message = _answer(body)
        hold = self._number == 1
        self._number = max(0, self._number - 1)
        if not body.get("stream"):
            if hold:
                self.held.set()
                await self._go.wait()
            return web.json_response(_whole(body, message))
        return await self.told_when_left(self._streamed(request, body, message, hold))

    async def _streamed(
        self, request: web.Request, body: dict[str, Any], message: dict[str, Any], hold: bool
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def send(choices: list[dict[str, Any]], **more: Any) -> None:
            chunk = {**_head(body, "chat.completion.chunk"), "choices": choices, **more}
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())

        for number, delta in enumerate(_deltas(message)):
            if hold and number == 1:
                self.held.set()
                await self._go.wait()
            elif hold:
                await asyncio.sleep(_PACE)
            await send([{"index": 0, "delta": delta, "finish_reason": None}])
        finish = "tool_calls" if message.get("tool_calls") else "stop"
        await send([{"index": 0, "delta": {}, "finish_reason": finish}])
        if (body.get("stream_options") or {}).get("include_usage"):
            await send([], usage=usage(body))
        await response.write(b"data: [DONE]\n\n")
        return response


def usage(body: Mapping[str, Any]) -> dict[str, int]:
    """What a call with this body costs: words in, words out."""
    prompt = sum(len(str(message.get("content") or "").split()) for message in body["messages"])
    message = _answer(body)
    completion = len(str(message.get("content") or message.get("tool_calls")).split())
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _answer(body: Mapping[str, Any]) -> dict[str, Any]:
    messages = body["messages"]
    digest = hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()[:8]
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    called = [call["function"]["name"] for call in calls]
    if len(called) < _MAX_TOOL_CALLS:
        for tool in body.get("tools") or ():
            if tool["function"]["name"] not in called:
                arguments = _arguments(tool["function"], digest)
                function = {"name": tool["function"]["name"], "arguments": json.dumps(arguments)}
                call = {"id": f"call_{digest}", "type": "function", "function": function}
                return {"role": "assistant", "content": None, "tool_calls": [call]}
    return {"role": "assistant", "content": _text(body, messages, digest)}


def _text(body: Mapping[str, Any], messages: Sequence[Mapping[str, Any]], digest: str) -> str:
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        schema = wanted["json_schema"]["schema"]
        example = _example(schema, schema.get("$defs", {}), digest)
        return json.dumps(example, separators=(",", ":"))  # as pydantic writes it
    prompt = "\n".join(str(message.get("content") or "") for message in messages)
    react = _REACT.search(prompt)
    seen = any("Observation:" in str(message.get("content")) for message in messages[2:])
    if react and not seen:
        tool = react[1].split(",")[0].strip()
        return f'Thought: a tool helps\nAction: {tool}\nAction Input: {{"text": "{digest}"}}'
    words = f"I was asked {len(messages)} things and the sum of it is {digest}."
    return f"Thought: I now know\nFinal Answer: {words}" if react else words


def _arguments(function: Mapping[str, Any], digest: str) -> dict[str, Any]:
    schema = function.get("parameters") or {}
    filled = _example(schema, schema.get("$defs", {}), digest)
    coworkers = _COWORKERS.search(function.get("description", ""))
    if coworkers and "coworker" in filled:
        filled["coworker"] = coworkers[1].split("\n")[0].split(",")[0].strip(" .[]'\"")
    return dict(filled)


def _example(schema: Mapping[str, Any], defs: Mapping[str, Any], digest: str) -> Any:
    """The least that fits: each property, one item of each list, the first of each choice."""
    if "$ref" in schema:
        return _example(defs[schema["$ref"].rpartition("/")[2]], defs, digest)
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return _example(schema[choice][0], defs, digest)
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object" or "properties" in schema:
        properties = schema.get("properties") or {}
        return {name: _example(one, defs, digest) for name, one in properties.items()}
    if kind == "array":
        return [_example(schema.get("items") or {}, defs, digest)]
    simple: dict[Any, Any] = {"integer": 1, "number": 1.0, "boolean": True, "null": None}
    return simple.get(kind, digest)


def _deltas(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    if message.get("tool_calls"):
        (call,) = message["tool_calls"]
        arguments = call["function"]["arguments"]
        first = {**call, "index": 0, "function": {**call["function"], "arguments": ""}}
        pieces = re.findall(r".{1,8}", arguments, re.DOTALL)
        return [
            {"role": "assistant", "tool_calls": [first]},
            *({"tool_calls": [{"index": 0, "function": {"arguments": one}}]} for one in pieces),
        ]
    pieces = re.findall(r"\S{1,4}\s*", message["content"])
    return [{"role": "assistant", "content": piece} for piece in pieces]


def _whole(body: Mapping[str, Any], message: Mapping[str, Any]) -> dict[str, Any]:
    finish = "tool_calls" if message.get("tool_calls") else "stop"
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    return {**_head(body, "chat.completion"), "choices": choices, "usage": usage(body)}


def _head(body: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body.get("model")}


def _vector(text: str) -> list[float]:
    """1,536 numbers, as OpenAI's small embedding has, most of them 0."""
    digest = hashlib.sha256(text.encode()).digest()
    return [(byte + 1) / 256 for byte in digest] + [0.0] * (1536 - len(digest))
