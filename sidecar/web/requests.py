"""Commands and questions over plain HTTP: POST /control, /runs and what hangs below it."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from aiohttp import web

from sidecar import protocol
from sidecar.errors import CommandError
from sidecar.log import Log, resolve_cursor
from sidecar.protocol import Event, Reply, Start
from sidecar.runs import Query
from sidecar.web.keys import CONNECTIONS, PRICES, SUPERVISOR
from sidecar.web.refusals import refusal_response
from sidecar.web.sse import cursor_of, stream

__all__ = [
    "as_json",
    "body_of",
    "control",
    "get_crews",
    "get_prices",
    "get_run",
    "get_runs",
    "limit_of",
    "page",
    "post_run",
]

_BODY_SECONDS: Final = 10.0
"""A body that drips in for longer is dropped; aiohttp itself would wait for ever."""

_MAX_PAGE: Final = 10_000
_PAGE_BYTES: Final = 1_048_576
"""Of events (one may be more). Ten thousand of 20 KB were 200 MB at once; `next` has the rest."""

_DEFAULT_PAGE: Final = 1_000

_LIMIT_DIGITS: Final = 9
"""More than any limit has; `int` refuses 4,300 with an error of its own."""


async def control(request: web.Request) -> web.Response:
    """One command, answered by its ack, with the HTTP status of its code."""
    _, reply = await _command(request)
    return _answer(reply)


async def post_run(request: web.Request) -> web.StreamResponse:
    """A start; with `Accept: text/event-stream` the response is the run itself."""
    streams = "text/event-stream" in request.headers.get("Accept", "")
    connections = request.app[CONNECTIONS]
    command, reply = await _command(request, cmd="start", full=streams and connections.full)
    if not reply["ok"]:
        return _answer(reply)
    assert isinstance(command, Start)
    run = reply["run"]
    headers = {"Location": f"/runs/{run}"}
    if streams and not connections.full:  # as it may have become meanwhile
        feed = await request.app[SUPERVISOR].feed(run)
        return await stream(request, feed, None, status=201, headers=headers)
    response = _answer(reply, status=201)
    response.headers.update(headers)
    return response


async def get_runs(request: web.Request) -> web.Response:
    query = Query.parse(request.query, limit_of(request, 50, 1_000))
    return as_json(await request.app[SUPERVISOR].lists.page(query))


async def get_run(request: web.Request) -> web.Response:
    return as_json(await request.app[SUPERVISOR].snapshot(request.match_info["run"]))


async def get_crews(request: web.Request) -> web.Response:
    return as_json({"crews": await request.app[SUPERVISOR].crews.all()})


async def get_prices(request: web.Request) -> web.Response:
    table = request.app[PRICES]
    prices = dict(table.current())
    return as_json(prices if table.problem is None else prices | {"error": table.problem})


async def page(request: web.Request) -> web.Response:
    """A slice of the log: the same bytes per event as on a stream, in one JSON body.

    It has at most `limit` events and a little more than 1 MiB, and `next` wherever it stops. A
    cursor that can't be honoured is answered as on a stream, with everything still kept and a
    `reset` that says why.
    """
    log = (await request.app[SUPERVISOR].feed(request.match_info["run"])).log
    limit = limit_of(request, _DEFAULT_PAGE, _MAX_PAGE)
    after, reason = resolve_cursor(log, cursor_of(request))
    events = await _slice(log, after, limit)
    seq = events[-1].seq if events else after
    rest: dict[str, Any] = {
        "next": f"{log.epoch}-{seq}",
        "end": log.sealed and seq == log.head,
    }
    if reason is not None:
        rest["reset"] = {"reason": reason, "from": log.first}
    head = protocol.encode({"run": log.run, "epoch": log.epoch})[:-1]
    body = b'%b,"events":[%b],%b' % (
        head,
        b",".join([event.json for event in events]),
        protocol.encode(rest)[1:],
    )
    return web.Response(body=body, content_type="application/json")


async def _slice(log: Log, after: int, limit: int) -> list[Event]:
    events: list[Event] = []
    size = 0
    while more := await log.read(after):
        for event in more:
            if len(events) == limit or (events and size + len(event.json) > _PAGE_BYTES):
                return events
            events.append(event)
            size += len(event.json)
        after = more[-1].seq
    return events


async def _command(
    request: web.Request, *, cmd: str | None = None, full: bool = False
) -> tuple[protocol.Command | None, Reply]:
    """Parse and apply the request's body. A refusal is a reply too; when it is `full`, a command
    is refused before it has any effect."""
    command = None
    try:
        command = protocol.parse_command(await body_of(request), cmd=cmd)
        if full:
            raise CommandError("at_capacity", "too many connections; try again in a while")
        return command, await request.app[SUPERVISOR].handle(command)
    except CommandError as error:
        if command is not None:
            error.id = command.id
        return command, protocol.ack_error(error)


async def body_of(request: web.Request) -> bytes:
    """The JSON that was sent. Raises CommandError."""
    if request.content_type != "application/json":
        raise CommandError(
            "unsupported_media_type", "send Content-Type: application/json and a JSON body"
        )
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise protocol.too_large() from None
    except TimeoutError:
        raise CommandError(
            "bad_request", f"the body did not arrive within {_BODY_SECONDS:g} s"
        ) from None


def _answer(reply: Reply, *, status: int = 200) -> web.Response:
    if not reply["ok"]:
        return refusal_response(reply["error"], reply)
    return web.Response(status=status, body=protocol.encode(reply), content_type="application/json")


def as_json(body: dict[str, Any]) -> web.Response:
    return web.Response(body=protocol.encode(body), content_type="application/json")


def limit_of(request: web.Request, default: int, most: int) -> int:
    text = request.query.get("limit")
    if not text:
        return default
    plain = text.isascii() and text.isdigit() and len(text) <= _LIMIT_DIGITS
    if not plain or not 1 <= int(text) <= most:
        raise CommandError("bad_request", f"'limit' must be a whole number from 1 to {most}")
    return int(text)
