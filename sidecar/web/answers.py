"""Answers over plain HTTP as aiohttp sends them, where it would keep one for ever or say it its own
way.

aiohttp makes a handler for each connection in `Server.__call__`, which `AppRunner._make_server`
gets; tests/web/test_answers.py holds what is relied on.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from sidecar.errors import CommandError
from sidecar.web.refusals import error_response
from sidecar.web.stall import Stall

__all__ = ["Runner"]

_LONGEST_REASON = 200
"""Characters of what the parser says, which quotes the request."""


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
            self._stall = Stall(lambda: -transport.get_write_buffer_size(), transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._end_stall()

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
    def __call__(self) -> web.RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            handler_cancellation=made.handler_cancellation,
            **made._kwargs,
        )
