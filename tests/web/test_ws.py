"""One WebSocket: its pings, its close handshakes, and peers that do not play by the rules."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from sidecar.gateway import Gateway
from sidecar.settings import Settings
from sidecar.web import connections
from sidecar.web import ws as ws_module

WSMsgType = aiohttp.WSMsgType


@pytest.fixture
async def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    monkeypatch.setattr(connections, "_HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(ws_module, "_SILENCE_SECONDS", 0.5)
    async with Gateway(Settings(port=0, data=tmp_path, log="memory", warm=0)) as gateway:
        yield gateway


async def test_a_client_that_answers_no_ping_is_let_go(gateway: Gateway) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{gateway.url}/ws", autoping=False) as ws,
    ):
        message = await ws.receive(timeout=30)
        while message.type is WSMsgType.PING:
            message = await ws.receive(timeout=30)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 4002)


async def test_a_client_that_answers_pings_stays(gateway: Gateway) -> None:
    loop = asyncio.get_running_loop()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{gateway.url}/ws", autoping=False) as ws,
    ):
        began = loop.time()
        while loop.time() < began + 2 * ws_module._SILENCE_SECONDS:
            message = await ws.receive(timeout=30)
            assert message.type is WSMsgType.PING
            await ws.pong(message.data)
        await ws.send_str('{"id": "p-1", "cmd": "ping"}')
        while (message := await ws.receive(timeout=30)).type is WSMsgType.PING:
            await ws.pong(message.data)
        assert message.json()["ok"]


async def test_a_client_that_asks_is_answered(gateway: Gateway) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{gateway.url}/ws", autoping=False) as ws,
    ):
        await ws.ping(b"are you there")
        while (message := await ws.receive(timeout=30)).type is WSMsgType.PING:
            await ws.pong(message.data)
        assert (message.type, message.data) == (WSMsgType.PONG, b"are you there")


async def test_a_close_is_answered_with_its_code(gateway: Gateway) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{gateway.url}/ws") as ws:
        assert await ws.close(code=3001)
        assert ws.close_code == 3001


async def test_who_breaks_the_rules_is_told_which_and_hung_up_on(gateway: Gateway) -> None:
    reader, writer = await handshake(gateway)
    writer.write(b"\x81\x02hi")  # a client's frames are masked
    code, reason = await goodbye(reader)
    assert (code, reason) == (1002, "frames of a client are masked")
    writer.close()


async def test_a_message_that_is_far_too_large_is_refused_before_it_has_come(
    gateway: Gateway,
) -> None:
    reader, writer = await handshake(gateway)
    writer.write(b"\x81\xff" + (1 << 40).to_bytes(8, "big") + b"mask" + b"x" * 100_000)
    code, _ = await goodbye(reader)
    assert code == 1009
    # Everything else it says is dropped, and its own goodbye is not waited on for long.
    writer.write(b"x" * 100_000)
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()


async def test_with_too_many_connections_one_more_is_told_to_come_back(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections.Connections, "full", True)
    reader, writer = await handshake(gateway)
    assert await goodbye(reader) == (4503, "too many connections")
    writer.close()


FLOOD = 4_000
"""Hundreds of commands, whose acks no socket buffer holds."""


async def flood(writer: asyncio.StreamWriter) -> None:
    """Ask without end, and never read an answer."""
    command = b'{"id": "%b", "cmd": "ping"}' % (b"i" * 60)
    frame = b"\x81" + bytes([0x80 | 126]) + len(command).to_bytes(2, "big") + bytes(4) + command
    for _ in range(FLOOD):
        writer.write(frame * 100)
        await writer.drain()


STALL = 0.2
"""Seconds that the gateway waits for its acks to be taken."""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ws_module, "STALL_SECONDS", STALL)
    monkeypatch.setattr(ws_module, "_SLOW_SECONDS", 1.0)
    monkeypatch.setattr(ws_module, "_SILENCE_SECONDS", 600.0)


@pytest.mark.usefixtures("impatient")
async def test_who_asks_and_never_listens_is_read_no_further_and_let_go(gateway: Gateway) -> None:
    _, writer = await handshake(gateway, limit=1)
    asking = asyncio.create_task(flood(writer))
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(asking, 60)
    writer.close()


@pytest.mark.usefixtures("impatient")
async def test_who_listens_in_the_end_hears_why_it_was_let_go(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ws_module, "_SLOW_SECONDS", 60.0)
    reader, writer = await handshake(gateway, limit=1)
    asking = asyncio.create_task(flood(writer))
    await until_stuck(asking, writer)
    assert await goodbye(reader) == (4001, "too slow; come back with your cursor")
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    writer.close()


async def until_stuck(asking: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
    """Until nothing of ours has been taken for longer than the gateway waits for its acks."""
    left = -1
    while (now := writer.transport.get_write_buffer_size()) != left or now == 0:
        left = now
        await asyncio.sleep(3 * STALL)
    assert not asking.done()


async def handshake(
    gateway: Gateway, limit: int = 1 << 16
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that does as it likes; its reader stops taking at twice `limit` bytes."""
    host, port = gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=limit)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await reader.readexactly(1)
    # The example of RFC 6455 section 1.3.
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    return reader, writer


async def goodbye(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Code and reason of the server's close frame, whatever comes before it."""
    while True:
        first, size = await asyncio.wait_for(reader.readexactly(2), 30)
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        payload = await reader.readexactly(size)
        if first == 0x88:
            return int.from_bytes(payload[:2], "big"), payload[2:].decode()
