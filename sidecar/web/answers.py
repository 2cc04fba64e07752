"""Answers over plain HTTP as aiohttp sends them, where it would keep one for ever or say it its own
way.

aiohttp makes a handler for each connection in `Server.__call__`, which `AppRunner._make_server`
gets, and knows by `_waiter` who is idle; tests/web/test_answers.py holds what is relied on.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from sidecar.errors import CommandError
from sidecar.web.refusals import error_response
from sidecar.web.stall import Stall
from sidecar.web.untaken import untaken

__all__ = ["Runner"]

_LONGEST_REASON = 200
"""Characters of what the parser says, which quotes the request."""

_IDLE: Final = 64
"""Connections that may ask for nothing until aiohttp's `keepalive_timeout` is over: half of the
descriptors that streams leave (`_SPARE_DESCRIPTORS` of the gateway)."""

_HURRY_SECONDS: Final = 2.0
"""What is left to the others, the longest idle. Long enough for a crowd that comes back at once."""


class _Handler(web.RequestHandler):
    """One connection. An answer that is not taken for `STALL_SECONDS` ends it: a kernel takes 4 MB
    for a reader that has gone to sleep, and what is left would stay with us."""

    __slots__ = ("_stall",)

    _stall: Stall | None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._stall = None
        super().connection_made(transport)
        if self.transport is not None:
            # Any byte that waits counts: aiohttp closes an idle connection behind what waits.
            self.transport.set_write_buffer_limits(high=0)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._end_stall()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        transport = self.transport
        if transport is not None:
            self._stall = Stall(lambda: -untaken(transport), transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_stall()

    @property
    def idle_since(self) -> float | None:
        """Since when it waits for a whole head of a request; None when it doesn't."""
        if self._waiter is None or self._waiter.done() or self.transport is None:
            return None
        return self._next_keepalive_close_time - self._keepalive_timeout

    def _end_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What the parser refuses, in the words of every other refusal (PROTOCOL.md, P4)."""
        super().handle_error(request, status, exc, message)
        if status == web.HTTPBadRequest.status_code:
            why = " ".join((message or "").split())[:_LONGEST_REASON]
            response = error_response(CommandError("bad_request", f"not HTTP: {why}"))
        else:
            response = error_response(CommandError("internal", "internal error"))
        response.headers["Server"] = "crew-sidecar"  # or aiohttp would name its version
        response.force_close()
        return response


class _Server(web.Server):
    """Lets go of those that ask for nothing, where they are many: each has a descriptor."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._look: asyncio.TimerHandle | None = None

    def __call__(self) -> web.RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self._look_later()

    def _look_later(self) -> None:
        if self._look is None and len(self._connections) > _IDLE:
            self._look = self._loop.call_later(_HURRY_SECONDS, self._hurry)

    def _hurry(self) -> None:
        self._look = None
        idle = [
            (since, handler)
            for handler in self.connections
            if isinstance(handler, _Handler) and (since := handler.idle_since) is not None
        ]
        idle.sort(key=lambda one: one[0])
        latest = self._loop.time() - _HURRY_SECONDS
        for since, handler in idle[: max(0, len(idle) - _IDLE)]:
            if since <= latest:
                handler.force_close()
        self._look_later()


class Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            **made._kwargs,
        )
