"""GET /sse: the same events as server-sent events (WHATWG HTML section 9.2)."""

from __future__ import annotations

import logging
from typing import Final

from aiohttp import web

from sidecar.codec import parse_cursor
from sidecar.deadline import Every
from sidecar.errors import CommandError
from sidecar.fanout import Feed, Subscription, TooSlow
from sidecar.web.keys import CONNECTIONS, SETTINGS, SUPERVISOR
from sidecar.web.transport import SseTransport, tune

__all__ = ["cursor_of", "sse", "stream"]

logger = logging.getLogger("sidecar.sse")

HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    # `no-transform` keeps the compression of Next's rewrites away, which would hold everything
    # back to the end of the run; the second header does the same for nginx.
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",
}


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
    """Write the run into the response of `request` until it has ended or the reader leaves."""
    response = web.StreamResponse(status=status, headers={**HEADERS, **(headers or {})})
    connections = request.app[CONNECTIONS]
    if not connections.enter(response):
        # An EventSource gives up for good on 429 and 503; an empty stream it retries.
        return web.Response(body=b"retry: 10000\n\n", headers=HEADERS)
    try:
        tune(request)
        await response.prepare(request)
        transport = SseTransport(request, response)
        subscription = Subscription(feed, transport, after)
        pings = Every(request.app[SETTINGS].ping, subscription.ping)
        try:
            await subscription.run()
            await response.write_eof()
        except TooSlow:
            logger.info("a reader of %s was too slow and is let go", subscription.run_id)
            transport.abort()
        except ConnectionError:
            transport.abort()
        finally:
            pings.stop()
    finally:
        connections.leave(response)
    return response
