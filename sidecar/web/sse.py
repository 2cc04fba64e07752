"""GET /sse: the same events as server-sent events (WHATWG HTML section 9.2)."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from sidecar.errors import CommandError
from sidecar.log import Feed, Subscription
from sidecar.protocol import Piece, http_chunk, parse_cursor, sse_control, unchunked
from sidecar.web.connections import Connection, Connections
from sidecar.web.keys import CONNECTIONS, SUPERVISOR
from sidecar.web.socket import take_over

__all__ = ["cursor_of", "sse", "stream"]

HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    # `no-transform` keeps the compression of Next's rewrites away, which would hold everything
    # back to the end of the run; the second header does the same for nginx.
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}

_LAST_CHUNK: Final = b"0\r\n\r\n"
"""RFC 9112 section 7.1."""


def cursor_of(request: web.Request) -> str | None:
    """The reader's place; a reconnecting EventSource's header knows better than the URL."""
    return request.headers.get("Last-Event-ID") or request.query.get("after") or None


async def sse(request: web.Request) -> web.StreamResponse:
    run = request.query.get("run")
    if not run:
        raise CommandError("bad_request", "which run? GET /sse?run=ID")
    feed = await request.app[SUPERVISOR].feed(run)
    after = cursor_of(request)
    if feed.log.sealed and after is not None:
        cursor = parse_cursor(after)
        if cursor == (feed.log.epoch, feed.log.head):
            # Nothing will ever follow: 204 is what stops an EventSource from coming back.
            return web.Response(status=204)
    return await stream(request, feed, after)


async def stream(
    request: web.Request,
    feed: Feed,
    after: str | None,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> web.StreamResponse:
    """Answer `request` with the run, until that has ended or the reader leaves."""
    connections = request.app[CONNECTIONS]
    if connections.full or connections.closing:
        # An EventSource gives up for good on 429 and 503; an empty stream it retries.
        refusal = web.Response(body=b"retry: 10000\n\n", headers=HEADERS)
        refusal.force_close()  # kept alive, it would hold a descriptor as a stream does
        return refusal
    # A proxy that speaks HTTP/1.0, as nginx does unless told otherwise, knows no chunks.
    stream = _Stream(connections, feed, after, chunked=request.version >= (1, 1))
    return await take_over(request, stream, status=status, headers={**HEADERS, **(headers or {})})


class _Stream(Connection):
    """One reader of one run."""

    __slots__ = ("_chunked", "_subscription", "_task")

    def __init__(
        self, connections: Connections, feed: Feed, after: str | None, *, chunked: bool
    ) -> None:
        super().__init__(connections)
        self._chunked = chunked
        self._subscription = Subscription(feed, self, after)
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connections.enter(self)
        self._task = self._connections.tasks.spawn(self._tell())

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._task is not None:
            self._task.cancel()

    async def _tell(self) -> None:
        if await self.pump(self._subscription):
            if self._chunked:
                self.send(_LAST_CHUNK)
            self.close()

    def too_slow(self) -> None:
        self.abort()

    def write(self, piece: Piece) -> None:
        self._say(piece.sse)

    def write_control(self, message: dict[str, Any]) -> None:
        self._say(http_chunk(sse_control(message)))

    def _say(self, chunk: bytes) -> None:
        self.send(chunk if self._chunked else unchunked(chunk))

    def ping(self) -> None:
        if self.writable:
            self._subscription.ping()

    def heartbeat(self) -> None:
        """Its pings are written to it; whether it takes them is looked at for all."""

    def goodbye(self) -> None:
        """Every run has ended by then, and its stream with it."""
