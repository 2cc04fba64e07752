"""Answers over plain HTTP as aiohttp sends them: in our words, and not for ever.

What is relied on in aiohttp 3.14: `Server.__call__` makes the handler of a connection,
`AppRunner._make_server` the server, `RequestHandler.handle_error` the answer to what is no HTTP,
and `_process_keepalive` knows by `_waiter` who is idle, and by `_next_keepalive_close_time` since
when. If an upgrade breaks these tests, read those four.
"""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web

from sidecar.web.stall import STALL_SECONDS
from sidecar.web.untaken import untaken
from tests.support.clock import Clock, settle
from tests.support.served import Served, until_still

LONG = b"GET /runs/%b/events?limit=10000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nno header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"x" * 5_000 + b"\r\n\r\n",
        b"\x16\x03\x01 is TLS\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused_as_everything_is(served: Served, request_: bytes) -> None:
    reader, writer = await served.connect()
    writer.write(request_)
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.read()
    assert head.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b"Content-Type: application/json\r\n" in head
    assert b"aiohttp" not in head
    error = json.loads(body)["error"]
    assert (error["code"], error["temporary"]) == ("bad_request", False)
    assert error["message"].startswith("not HTTP: ")
    writer.close()


async def unread(served: Served) -> tuple[asyncio.Transport, asyncio.StreamWriter]:
    """An answer of which so much is asked for that no socket takes it all, and nothing read."""
    run, worker = await served.running()
    for _ in range(20):
        worker.say("llm.delta", {"text": "x" * 60_000})
    await settle()
    _, writer = await served.connect(limit=1)
    server = served.runner.server
    assert server is not None
    while not server.connections:
        await settle()
    [handler] = server.connections
    transport = handler.transport
    assert transport is not None
    before, now = -1, 0
    while not now or now != before:
        writer.write(LONG % run.encode())
        for _ in range(20):
            await settle()
        before, now = now, transport.get_write_buffer_size()
    await until_still(lambda: -untaken(transport))
    return transport, writer


async def test_an_answer_that_is_not_taken_ends_its_connection(
    served: Served, clock: Clock
) -> None:
    transport, writer = await unread(served)
    # The first look takes in what was acknowledged since it was told to pause.
    await clock.turn(3)
    await clock.turn(STALL_SECONDS - 4)
    assert not transport.is_closing()
    await clock.turn(4)
    assert transport.is_closing()
    assert transport.get_write_buffer_size() == 0
    writer.transport.abort()


async def arrived(served: Served, count: int) -> list[web.RequestHandler]:
    """The handlers of all connections, once there are so many of them; the oldest first."""
    server = served.runner.server
    assert server is not None
    while len(server.connections) < count or not all(h._waiter for h in server.connections):
        await settle()
    return server.connections


async def test_of_many_that_ask_for_nothing_the_first_have_two_seconds(
    served: Served, clock: Clock
) -> None:
    for _ in range(70):
        await served.connect()
    silent = await arrived(served, 70)
    await clock.turn(1.9)
    assert await arrived(served, 70) == silent
    await clock.turn(0.1)
    assert await arrived(served, 64) == silent[6:]
    # And those who are left have aiohttp's own time.
    await clock.turn(17.9)
    assert await arrived(served, 64) == silent[6:]
    await clock.turn(0.2)
    assert await arrived(served, 0) == []


async def test_who_asks_for_something_is_none_of_them(served: Served, clock: Clock) -> None:
    reader, writer = await served.connect()
    [asking] = await arrived(served, 1)
    for _ in range(65):
        await served.connect()
    silent = (await arrived(served, 66))[1:]
    await clock.turn(1)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    await arrived(served, 66)
    await clock.turn(1)
    assert await arrived(served, 64) == [asking, *silent[2:]]


async def test_who_has_had_its_answer_has_its_two_seconds_anew(
    served: Served, clock: Clock
) -> None:
    peers = [await served.connect() for _ in range(66)]
    all_of_them = await arrived(served, 66)
    await clock.turn(1)
    for reader, writer in peers:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
    await clock.turn(1.9)
    assert await arrived(served, 66) == all_of_them
    await clock.turn(2)
    assert len(await arrived(served, 64)) == 64
