"""Pins the two things of aiohttp that the transports stand on: its own asyncio transport may be
written to beside it, and `_payload_writer.drain` waits for the socket. If an upgrade breaks this,
look at `StreamWriter.drain` and `BaseProtocol._drain_helper` in aiohttp for what replaced them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from sidecar.codec import Draft, Piece, encode_event, sse_event
from sidecar.web import transport
from sidecar.web.transport import SseTransport, WsTransport, tune

EVENT = encode_event(Draft("log", 1.0, {"text": "x" * 8_000}), run="r", epoch="e", seq=1, at=1.0)
PIECE = Piece([EVENT])


class Server:
    def __init__(self) -> None:
        self.drained = asyncio.Event()
        self.stuck = asyncio.Event()
        self.over = asyncio.Event()

    async def ws(self, request: web.Request) -> web.StreamResponse:
        response = web.WebSocketResponse()
        tune(request)
        await response.prepare(request)
        await self._fill(WsTransport(request, response))
        await response.close()
        return response

    async def dismissing(self, request: web.Request) -> web.StreamResponse:
        """Fills the socket and then lets the reader go."""
        response = web.WebSocketResponse()
        tune(request)
        await response.prepare(request)
        ws = WsTransport(request, response)
        for _ in range(2_000):
            ws.write(PIECE)
        self.stuck.set()
        await ws.dismiss(4001, "too slow")
        ws.write(PIECE)
        self.over.set()
        return response

    async def sse(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        tune(request)
        await response.prepare(request)
        await self._fill(SseTransport(request, response))
        await response.write_eof()
        return response

    async def _fill(self, transport: WsTransport | SseTransport) -> None:
        """Write until the socket takes no more, then wait for it."""
        at_first = transport.writable
        for _ in range(2_000):
            transport.write(PIECE)
        assert (at_first, transport.writable) == (True, False)
        self.stuck.set()
        try:
            await transport.drain()
            self.drained.set()
        finally:
            self.over.set()


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, str]]:
    made = Server()
    app = web.Application()
    app.router.add_get("/ws", made.ws)
    app.router.add_get("/dismissing", made.dismissing)
    app.router.add_get("/sse", made.sse)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    yield made, f"http://{host}:{port}"
    await runner.cleanup()


async def test_a_websocket_is_drained_by_its_reader(server: tuple[Server, str]) -> None:
    made, url = server
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/ws") as ws:
        await made.stuck.wait()
        assert not made.drained.is_set()
        for _ in range(2_000):
            message = await ws.receive()
            assert message.data.encode() == EVENT.json
    assert made.drained.is_set()


async def test_an_event_stream_is_drained_by_its_reader(server: tuple[Server, str]) -> None:
    made, url = server
    async with aiohttp.ClientSession() as session, session.get(f"{url}/sse") as response:
        await made.stuck.wait()
        assert not made.drained.is_set()
        assert await response.read() == sse_event(EVENT.id, EVENT.json) * 2_000
    assert made.drained.is_set()


async def test_a_reader_that_leaves_ends_the_wait(server: tuple[Server, str]) -> None:
    made, url = server
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(b"GET /sse HTTP/1.1\r\nHost: x\r\n\r\n")
        await made.stuck.wait()
        # RST instead of FIN: the peer is gone, whatever was still to be read.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    await asyncio.wait_for(made.over.wait(), 30)
    assert not made.drained.is_set()


async def test_a_reader_let_go_that_reads_on_hears_why(server: tuple[Server, str]) -> None:
    made, url = server
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/dismissing") as ws:
        await made.stuck.wait()
        for _ in range(2_000):
            assert (await ws.receive()).type is aiohttp.WSMsgType.TEXT
        goodbye = await ws.receive()
        assert (goodbye.type, goodbye.data, goodbye.extra) == (
            aiohttp.WSMsgType.CLOSE,
            4001,
            "too slow",
        )


async def test_a_reader_let_go_that_takes_nothing_is_gone_all_the_same(
    server: tuple[Server, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "_GOODBYE_SECONDS", 0.05)
    made, url = server
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/dismissing"):
        await asyncio.wait_for(made.over.wait(), 30)
