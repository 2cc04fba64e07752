"""One WebSocket: its pings, its close handshakes, and peers that do not play by the rules."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from aiohttp.http_websocket import WSMessageTextBytes

from sidecar.log import STALL_SECONDS
from tests.support.clock import Clock
from tests.support.served import Served, serve, until_stuck

WSMsgType = aiohttp.WSMsgType
Message = aiohttp.WSMessage | WSMessageTextBytes


async def unlike_stream_ping(ws: aiohttp.ClientWebSocketResponse[bool]) -> Message:
    """The next message that is not one of the stream's own pings, which are text."""
    while (message := await ws.receive()).type is WSMsgType.TEXT:
        assert message.json()["type"] == "stream.ping"
    return message


async def test_a_client_that_answers_no_ping_is_let_go(served: Served, clock: Clock) -> None:
    async with served.http.ws_connect("/ws", autoping=False) as ws:
        for _ in range(3):
            assert (await unlike_stream_ping(ws)).type is WSMsgType.PING
            await clock.turn(7)
        # 21 s: past the 20 that PROTOCOL.md gives (P13).
        message = await unlike_stream_ping(ws)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 4002)


async def test_a_client_that_answers_pings_stays(served: Served, clock: Clock) -> None:
    async with served.http.ws_connect("/ws", autoping=False) as ws:
        for _ in range(8):
            message = await unlike_stream_ping(ws)
            assert message.type is WSMsgType.PING
            await ws.pong(message.data)
            await clock.turn(7)
        assert len(served.connections._open) == 1


async def test_a_client_that_takes_has_our_pings_still_before_it_and_stays(
    served: Served, clock: Clock
) -> None:
    run, worker = await served.running()
    reader, writer = await served.connect()
    writer.write(
        f"GET /ws?run={run} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
    )
    await reader.readuntil(b"stream.live")
    [connection] = served.connections._open
    worker.say("llm.delta", {"text": "x" * (12 << 20)})
    await until_stuck(connection)
    for _ in range(8):
        await reader.readexactly(1 << 20)
        await clock.turn(7)
    assert served.connections._open == {connection}
    assert not connection.closing
    writer.close()


async def test_a_client_that_asks_is_answered(served: Served) -> None:
    async with served.http.ws_connect("/ws", autoping=False) as ws:
        assert (await ws.receive()).type is WSMsgType.PING
        await ws.ping(b"are you there")
        message = await ws.receive()
        assert (message.type, message.data) == (WSMsgType.PONG, b"are you there")


async def test_a_close_is_answered_with_its_code(served: Served) -> None:
    async with served.http.ws_connect("/ws") as ws:
        assert await ws.close(code=3001)
        assert ws.close_code == 3001


async def test_who_breaks_the_rules_is_told_which_and_hung_up_on(
    served: Served, clock: Clock
) -> None:
    reader, writer = await handshake(served)
    writer.write(b"\x81\x02hi")  # a client's frames are masked
    assert await goodbye(reader) == (1002, "frames of a client are masked")
    await clock.turn(2)
    assert await reader.read() == b""
    writer.close()


async def test_a_message_that_is_far_too_large_is_refused_before_it_has_come(
    served: Served, clock: Clock
) -> None:
    reader, writer = await handshake(served)
    writer.write(b"\x81\xff" + (1 << 40).to_bytes(8, "big") + b"mask" + b"x" * 100_000)
    code, _ = await goodbye(reader)
    assert code == 1009
    # Everything else it says is dropped, and its own goodbye is not waited on for long.
    writer.write(b"x" * 100_000)
    await clock.turn(2)
    assert await reader.read() == b""
    writer.close()


async def test_with_too_many_connections_one_more_is_told_to_stay_away(tmp_path: Path) -> None:
    async with serve(tmp_path, max_connections=1) as served, served.http.ws_connect("/ws"):
        reader, writer = await handshake(served)
        assert await goodbye(reader) == (4503, "too many connections")
        writer.close()


FLOOD = 4_000
"""Hundreds of commands each, whose acks no socket buffer holds."""


async def flood(writer: asyncio.StreamWriter) -> None:
    """Ask without end, and never read an answer."""
    command = b'{"id": "%b", "cmd": "ping"}' % (b"i" * 60)
    frame = b"\x81" + bytes([0x80 | 126]) + len(command).to_bytes(2, "big") + bytes(4) + command
    for _ in range(FLOOD):
        writer.write(frame * 100)
        await writer.drain()


async def test_who_asks_and_never_listens_is_read_no_further_and_let_go(
    served: Served, clock: Clock
) -> None:
    _, writer = await handshake(served, limit=1)
    [connection] = served.connections._open
    asking = asyncio.create_task(flood(writer))
    await until_stuck(connection)
    await clock.turn(STALL_SECONDS)
    assert not asking.done()
    await clock.turn(8)
    with pytest.raises(ConnectionError):
        await asking
    writer.close()


async def test_who_listens_in_the_end_hears_why_it_was_let_go(served: Served, clock: Clock) -> None:
    reader, writer = await handshake(served, limit=1)
    [connection] = served.connections._open
    asking = asyncio.create_task(flood(writer))
    await until_stuck(connection)
    await clock.turn(STALL_SECONDS)
    assert await goodbye(reader) == (4001, "too slow; come back with your cursor")
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    writer.transport.abort()
    await clock.turn(8)
    assert served.connections._open == set()


async def handshake(
    served: Served, limit: int = 1 << 16
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await served.connect(limit)
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
        first, size = await reader.readexactly(2)
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        payload = await reader.readexactly(size)
        if first == 0x88:
            return int.from_bytes(payload[:2], "big"), payload[2:].decode()
