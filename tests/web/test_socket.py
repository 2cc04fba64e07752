"""A socket taken over from aiohttp: its flow control, and that nothing of aiohttp's is left.

`take_over` stands on `RequestHandler` as aiohttp 3.14 has it: `transport`, `_message_tail`,
`connection_lost`, and `_payload_writer.send_headers`. If an upgrade breaks these tests, read
`RequestHandler.start` and `finish_response` for what replaced them.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from sidecar.protocol.framing import http_chunk
from sidecar.web.socket import PeerSocket, take_over

BLOCK = http_chunk(b"x" * 8_000)
END = b"0\r\n\r\n"
REQUEST = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"
PATIENCE = 30.0


class Echo(PeerSocket):
    """Hears what it is sent; tells when it is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.made = asyncio.Event()
        self.heard = b""
        self.hears = asyncio.Event()
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.made.set()

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.hears.set()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost.set()

    def write(self, piece: object) -> None:
        raise NotImplementedError

    def write_control(self, message: object) -> None:
        raise NotImplementedError

    def fill(self) -> None:
        """Write until the socket takes no more."""
        assert self.writable
        for _ in range(2_000):
            self.send(BLOCK)
        assert not self.writable


class Server:
    def __init__(self) -> None:
        self.wire = Echo()
        self.runner: web.AppRunner
        self.port = 0

    async def stream(self, request: web.Request) -> web.StreamResponse:
        return await take_over(request, self.wire, status=200, headers={"X-Kind": "stream"})

    async def upgrade(self, request: web.Request) -> web.StreamResponse:
        headers = {"Connection": "Upgrade", "Upgrade": "echo"}
        return await take_over(request, self.wire, status=101, headers=headers)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_get("/stream", made.stream)
    app.router.add_get("/upgrade", made.upgrade)
    made.runner = web.AppRunner(app, handler_cancellation=True)
    await made.runner.setup()
    await web.TCPSite(made.runner, "127.0.0.1", 0).start()
    made.port = made.runner.addresses[0][1]
    yield made
    await made.runner.cleanup()
    if made.wire.made.is_set():
        made.wire.abort()
        await soon(made.wire.lost)


async def soon(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), PATIENCE)


async def settled(holds: Callable[[], bool]) -> None:
    """What is true once the loop has nothing left to do about it."""
    for _ in range(100):
        if holds():
            return
        await asyncio.sleep(0)
    pytest.fail("the loop never got there")


async def test_the_head_leaves_at_once_and_what_is_sent_follows_it(server: Server) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/stream") as response:
        assert (response.status, response.headers["X-Kind"]) == (200, "stream")
        assert response.headers["Transfer-Encoding"] == "chunked"
        server.wire.send(BLOCK + END)
        assert await response.read() == b"x" * 8_000


async def test_a_client_of_http_1_0_gets_no_chunks(server: Server) -> None:
    reader, writer = await server.connect()
    writer.write(b"GET /stream HTTP/1.0\r\nHost: x\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    server.wire.send(b"all of it")
    server.wire.close()
    assert await reader.read() == b"all of it"
    writer.close()


async def test_what_came_behind_the_handshake_is_heard(server: Server) -> None:
    reader, writer = await server.connect()
    writer.write(
        b"GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nearly "
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    await soon(server.wire.hears)
    server.wire.hears.clear()
    writer.write(b"late")
    await soon(server.wire.hears)
    assert server.wire.heard == b"early late"
    writer.close()
    await soon(server.wire.lost)


def of_aiohttp() -> list[object]:
    gc.collect()
    return [one for one in gc.get_objects() if isinstance(one, (RequestHandler, web.Request))]


async def test_nothing_of_aiohttp_is_kept_for_a_socket_that_was_taken_over(server: Server) -> None:
    before = of_aiohttp()
    reader, writer = await server.connect()
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n\r\n")
    assert server.runner.server is not None
    await settled(lambda: server.runner.server.connections == [])  # type: ignore[union-attr]
    assert [one for one in of_aiohttp() if not any(one is other for other in before)] == []
    server.wire.send(b"goes on")
    assert await reader.readexactly(7) == b"goes on"
    writer.close()


async def test_drain_waits_for_the_reader(server: Server) -> None:
    reader, writer = await server.connect()
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n\r\n")
    server.wire.fill()
    waiting = [asyncio.create_task(server.wire.drain()) for _ in range(2)]
    await asyncio.sleep(0)
    # Who gives up does not take the others along.
    waiting[0].cancel()
    await asyncio.wait({waiting[0]})
    assert waiting[0].cancelled()
    assert not waiting[1].done()
    await reader.readexactly(2_000 * len(BLOCK))
    await asyncio.wait_for(waiting[1], PATIENCE)
    writer.close()


async def test_a_reader_that_leaves_ends_the_wait(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(REQUEST)
        await soon(server.wire.made)
        server.wire.fill()
        waiting = asyncio.create_task(server.wire.drain())
        await asyncio.sleep(0)
        assert not waiting.done()
        # RST instead of FIN: the peer is gone, whatever was still to be read.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(waiting, PATIENCE)
    with pytest.raises(ConnectionResetError):
        await server.wire.drain()
    server.wire.send(b"nobody hears it")


class Narrow(asyncio.Transport):
    """A transport whose peer takes all that waits, when it is told to, and nothing before."""

    def __init__(self, protocol: PeerSocket) -> None:
        super().__init__()
        self._protocol = protocol
        self._socket = socket.socket()
        self._waits = self._high = 0

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._socket

    def close(self) -> None:
        self._socket.close()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high is not None
        self._high = high

    def get_write_buffer_size(self) -> int:
        return self._waits

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        before, self._waits = self._waits, self._waits + len(data)
        if before <= self._high < self._waits:
            self._protocol.pause_writing()

    def take(self) -> None:
        self._waits = 0
        self._protocol.resume_writing()


async def test_of_many_who_wait_for_a_socket_each_has_its_turn() -> None:
    peer = Echo()
    transport = Narrow(peer)
    peer.connection_made(transport)
    turns: list[int] = []

    async def write(who: int) -> None:
        while True:
            await peer.drain()
            turns.append(who)
            peer.send(b"x" * 32_768)

    peer.send(b"x" * 32_768)
    writers = [asyncio.create_task(write(who)) for who in range(3)]
    for _ in range(6):
        await asyncio.sleep(0.01)
        transport.take()
    await asyncio.sleep(0.01)
    for writer in writers:
        writer.cancel()
    await asyncio.wait(writers)
    transport.take()
    transport.close()
    assert turns == [0, 1, 2, 0, 1, 2]


class GoneAlready(asyncio.Transport):
    """A transport whose peer has left: macOS then answers setsockopt with EINVAL."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self

    def setsockopt(self, *_: object) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high


def test_a_peer_that_is_gone_already_is_no_error() -> None:
    transport = GoneAlready()
    peer = Echo()
    peer.connection_made(transport)
    assert peer.made.is_set()
    assert transport.high


async def test_looks_that_find_something_untaken_and_nothing_acknowledged_are_counted(
    server: Server,
) -> None:
    reader, writer = await server.connect()
    writer.write(REQUEST)
    await reader.readuntil(b"\r\n\r\n")
    await soon(server.wire.made)
    server.wire.send(BLOCK)
    await reader.readexactly(len(BLOCK))
    assert [server.wire.look() for _ in range(3)] == [0, 0, 0]
    server.wire.fill()
    assert [server.wire.look() for _ in range(3)] == [1, 2, 3]
    before = server.wire.taken
    while server.wire.taken == before:
        await reader.readexactly(len(BLOCK))
    assert [server.wire.look() for _ in range(2)] == [1, 2]
    writer.close()
