"""A small real server that speaks OpenAI's chat API, for the real OpenAI client to talk to.

In a test: `with OpenAIServer(Script(tokens=("Hi",))) as server: … server.base_url`. By hand:
`python -m tests.support.openai_server --port 8790`, then `OPENAI_BASE_URL=http://127.0.0.1:8790/v1`.

`POST {base}/chat/completions` streams or answers whole, as asked; `GET {base}/requests` lists what
it was sent.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import re
import threading
import time
from collections.abc import Awaitable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Literal, Self

from aiohttp import web

__all__ = ["OpenAIServer", "Script"]

_START_SECONDS: Final = 10.0
_MAX_REQUESTS: Final = 1_000
_NO_CHAT: Final = "This model is only supported in v1/responses and not in v1/chat/completions."
_MESSAGES: Final = {401: "Incorrect API key provided.", 429: "Rate limit reached.", 500: "Oops."}


@dataclasses.dataclass(frozen=True)
class Script:
    """How the server answers, from now on and to everybody."""

    tokens: tuple[str, ...] = ("A ", "real ", "client ", "heard ", "this.")
    delay: float = 0.0
    """Seconds before each token."""
    slow_call: int | None = None
    """The one call, counted from 1, whose tokens wait so long; None = all."""
    tool_first: bool = False
    """Call the first tool offered, unless the conversation already has its result."""
    tool_arguments: dict[str, Any] = dataclasses.field(default_factory=lambda: {"text": "a b c"})
    status: int = 200
    """Another one answers with an error of OpenAI's shape (401, 429, 500), or with `body`."""
    body: Mapping[str, Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """Of that answer, beside its type."""
    failures: int | None = None
    """How many calls get that error before they succeed; None = all."""
    retry_after: int | None = None
    """Seconds that an error asks to be waited for."""
    ending: Literal["done", "drop", "stall"] = "done"
    """After the tokens: finish, cut the connection, or fall silent."""


class OpenAIServer:
    """The server in a thread of its own; a context manager."""

    def __init__(self, script: Script | None = None, port: int = 0) -> None:
        self.script = script or Script()
        self.stalls = False
        """Whether it answers nobody."""
        self.lacks_chat = False
        """Whether its model is for OpenAI's Responses API alone."""
        self.requests: list[dict[str, Any]] = []
        """`{"path", "authorization", "body"}` of each call, oldest first."""
        self.finished = threading.Event()
        """Set when a streamed answer has been written to its end."""
        self.left = threading.Event()
        """Set when a client has left before that."""
        self.base_url = ""
        self._port = port
        self._failed = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="openai-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._ready.wait(_START_SECONDS):
            raise TimeoutError("the OpenAI server did not start")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_START_SECONDS)

    def reset(self) -> None:
        """Count the failures of a script from the start; no answer has been finished."""
        self._failed = 0
        self.finished.clear()
        self.left.clear()

    def wait(self) -> None:
        """Until interrupted."""
        self._thread.join()

    def _serve(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        app = web.Application()
        app.add_routes(self.routes())
        runner = web.AppRunner(app, shutdown_timeout=0.2, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port)
        await site.start()
        port = runner.addresses[0][1]
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self._ready.set()
        try:
            await self._stop.wait()
        finally:
            await runner.cleanup()

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/{base:.*}chat/completions", self._completions),
            web.get("/{base:.*}/requests", self._listing),
        ]

    async def _listing(self, _request: web.Request) -> web.Response:
        return web.json_response(self.requests)

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        body = await self.noted(request)
        if self.lacks_chat:
            error = {"message": _NO_CHAT, "type": "invalid_request_error", "param": "model"}
            return web.json_response({"error": error}, status=404)
        if self.stalls:
            await self.stalled()
        if (refusal := self.refused()) is not None:
            return refusal
        script = self.script
        tools = body.get("tools") or []
        called = any(message.get("role") == "tool" for message in body["messages"])
        name = tools[0]["function"]["name"] if tools and script.tool_first and not called else None
        if body.get("stream"):
            return await self.told_when_left(self._stream(request, body, name))
        return web.json_response(_whole(body, script, name))

    async def noted(self, request: web.Request) -> dict[str, Any]:
        """The body of a request, which from now on is listed."""
        body: dict[str, Any] = await request.json()
        self.requests.append(
            {
                "path": request.path,
                "authorization": request.headers.get("Authorization"),
                "body": body,
            }
        )
        del self.requests[:-_MAX_REQUESTS]
        return body

    def refused(self) -> web.Response | None:
        """The error that the script has for this call; None if it is to succeed."""
        script = self.script
        if script.status == 200 or self._failed == script.failures:
            return None
        self._failed += 1
        message = _MESSAGES.get(script.status, "Error.")
        error = {"message": message, "type": "error", "code": str(script.status)}
        body = {"error": error} if script.body is None else script.body
        return web.json_response(body, status=script.status, headers=dict(script.headers))

    async def told_when_left(self, answer: Awaitable[web.StreamResponse]) -> web.StreamResponse:
        try:
            return await answer
        except (asyncio.CancelledError, ConnectionResetError):
            self.left.set()
            raise

    def is_slow(self) -> bool:
        """Whether the tokens of the latest call wait."""
        return self.script.delay > 0 and self.script.slow_call in (None, len(self.requests))

    async def stalled(self) -> None:
        await self._stop.wait()

    async def _stream(
        self, request: web.Request, body: dict[str, Any], tool: str | None
    ) -> web.StreamResponse:
        script = self.script
        slow = self.is_slow()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)

        async def send(chunk: dict[str, Any] | str) -> None:
            text = chunk if isinstance(chunk, str) else json.dumps(chunk)
            await response.write(f"data: {text}\n\n".encode())

        for delta in _deltas(script, tool):
            if slow:
                await asyncio.sleep(script.delay)
            await send(_chunk(body, delta))
        if script.ending == "drop":
            assert request.transport is not None
            request.transport.abort()
            return response
        if script.ending == "stall":
            await self.stalled()
            return response
        await send(_chunk(body, {}, "tool_calls" if tool else "stop"))
        if (body.get("stream_options") or {}).get("include_usage"):
            await send({**_chunk(body, {}), "choices": [], "usage": _usage(body, script)})
        await send("[DONE]")
        self.finished.set()
        return response


def _deltas(script: Script, tool: str | None) -> Iterator[dict[str, Any]]:
    if tool is None:
        for token in script.tokens:
            yield {"role": "assistant", "content": token}
        return
    arguments = json.dumps(script.tool_arguments)
    first = {"index": 0, "id": "call_1", "type": "function"}
    yield {"tool_calls": [{**first, "function": {"name": tool, "arguments": ""}}]}
    for piece in re.findall(r".{1,5}", arguments, re.DOTALL):
        yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}


def _chunk(
    body: dict[str, Any], delta: dict[str, Any], finish: str | None = None
) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": body.get("model"),
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def _whole(body: dict[str, Any], script: Script, tool: str | None) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(script.tokens)}
    if tool is not None:
        function = {"name": tool, "arguments": json.dumps(script.tool_arguments)}
        call = {"id": "call_1", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    finish = "tool_calls" if tool else "stop"
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": _usage(body, script),
    }


def _usage(body: dict[str, Any], script: Script) -> dict[str, int]:
    prompt = sum(len(str(message.get("content") or "").split()) for message in body["messages"])
    completion = len(script.tokens)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--port", type=int, default=8790)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds per token")
    parser.add_argument("--tool-first", action="store_true")
    options = parser.parse_args()
    script = Script(delay=options.delay, tool_first=options.tool_first)
    with OpenAIServer(script, options.port) as server:
        print(server.base_url, flush=True)
        try:
            server.wait()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
