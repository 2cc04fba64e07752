"""One WebSocket: its pings, its close handshakes, and peers that do not play by the rules."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest
from aiohttp.http_websocket import WSMessageTextBytes

from sidecar.web.stall import STALL_SECONDS
from sidecar.web.ws import Session
from tests.support.clock import Clock, settle
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
    # At once, on a clock that stands still; and so is its own end.
    assert await reader.read() == b""
    writer.close()
    while served.connections._open:
        await settle()


async def test_who_does_not_hang_up_in_turn_is_hung_up_on(served: Served, clock: Clock) -> None:
    reader, writer = await handshake(served)
    writer.write(b"\x81\x02hi")
    await goodbye(reader)
    assert len(served.connections._open) == 1
    await clock.turn(2)
    assert served.connections._open == set()
    writer.close()


async def test_what_came_whole_before_a_bad_frame_is_answered(served: Served) -> None:
    reader, writer = await handshake(served)
    writer.write(command("c-1") + frame(9, b"?") + b"\x81\x02hi")
    answers = [await next_frame(reader) for _ in range(4)]
    # Behind its own first ping.
    assert [opcode for opcode, _ in answers] == [9, 10, 1, 8]
    assert b'"id":"c-1","ok":true' in answers[2][1]
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


async def test_a_gateway_that_stops_is_not_full_but_to_be_come_back_to(tmp_path: Path) -> None:
    async with serve(tmp_path, max_connections=1) as served:
        await served.connections.close()
        reader, writer = await handshake(served)
        assert await goodbye(reader) == (4000, "shutting down")
        writer.close()


async def lagging(
    served: Served,
) -> tuple[Session, asyncio.StreamReader, asyncio.StreamWriter]:
    """A reader with 24 MB before it, which it does not take, of a run that is going on."""
    run, worker = await served.running()
    reader, writer = await handshake(served, f"/ws?run={run}", limit=1)
    connection = the_session(served)
    for _ in range(400):
        worker.say("llm.delta", {"text": "x" * 60_000})
    await until_stuck(connection)
    return connection, reader, writer


async def test_who_lags_when_the_gateway_stops_is_told_the_end_and_then_to_come_back(
    served: Served, clock: Clock
) -> None:
    _, reader, writer = await lagging(served)
    await served.supervisor.end_runs()
    closing = asyncio.create_task(served.connections.close())
    told = []
    while (got := await next_frame(reader))[0] != 8:
        told.append(got[1])
    assert b'"type":"run.interrupted"' in told[-2]
    assert b'"type":"stream.end"' in told[-1]
    assert got[1][:2] == (4000).to_bytes(2, "big")
    writer.transport.abort()
    await closing


async def test_who_takes_nothing_when_the_gateway_stops_is_told_so_in_time(
    served: Served, clock: Clock
) -> None:
    connection, reader, writer = await lagging(served)
    await served.supervisor.end_runs()
    closing = asyncio.create_task(served.connections.close())
    await clock.turn(2)
    assert not closing.done()
    assert (await goodbye(reader))[0] == 4000
    await clock.turn(1)
    await closing
    assert connection.closing
    writer.transport.abort()


async def test_only_the_newest_ping_is_answered_and_only_when_it_is_taken(
    served: Served, clock: Clock
) -> None:
    connection, reader, writer = await lagging(served)
    waiting = connection._socket.get_write_buffer_size()
    for number in range(1_000):
        writer.write(frame(9, b"%d" % number))
    await writer.drain()
    while connection._owed[2:] != b"999":
        await settle()
    assert connection._socket.get_write_buffer_size() == waiting
    opcode, payload = 0, b""
    while opcode != 10:
        opcode, payload = await next_frame(reader)
    assert payload == b"999"
    writer.transport.abort()


async def test_the_pings_of_one_turn_are_answered_in_one_row(served: Served) -> None:
    reader, writer = await handshake(served)
    writer.write(frame(9, b"1") + frame(9, b"2") + frame(8))
    answers = [await next_frame(reader) for _ in range(4)]
    # Behind its own first ping.
    assert answers[1:] == [(10, b"1"), (10, b"2"), (8, b"")]
    writer.close()


async def test_who_pings_and_takes_nothing_is_let_go_all_the_same(
    served: Served, clock: Clock
) -> None:
    _, writer = await handshake(served, limit=1)
    connection = the_session(served)
    taken = -1
    while connection.writable or taken != connection.taken:
        taken = connection.taken
        connection.data_received(frame(9, bytes(125)))
        await (asyncio.sleep(0) if connection.writable else until_stuck(connection))
    for _ in range(int(STALL_SECONDS) - 1):
        await clock.turn(1)
        connection.data_received(frame(9, b"I am here"))
    before = connection._dismissed
    # Until the next look, if the first found that the kernel had moved a little more.
    await clock.turn(1)
    await clock.turn(3)
    assert (before, connection._dismissed) == (False, True)
    await clock.turn(8)
    assert served.connections._open == set()
    writer.transport.abort()


async def test_a_message_that_drips_in_has_ten_seconds(served: Served, clock: Clock) -> None:
    reader, writer = await handshake(served)
    whole = command("c-1")
    writer.write(whole + whole[:9])
    for place in range(9, 18):
        await clock.turn(1)
        writer.write(whole[place : place + 1])
    assert not the_session(served)._dismissed
    await clock.turn(1.1)
    assert await goodbye(reader) == (4001, "a message is whole within 10 s")
    writer.close()


async def test_each_message_has_its_own_ten_seconds(served: Served, clock: Clock) -> None:
    reader, writer = await handshake(served)
    ping = frame(9, b"are you there")
    writer.write(ping[:5])
    for _ in range(5):
        await clock.turn(6)
        writer.write(ping[5:] + ping[:5])
    await clock.turn(1)
    assert len(served.connections._open) == 1
    writer.close()
    await reader.read()


async def test_of_a_command_that_is_too_long_nothing_is_kept_and_that_is_said(
    served: Served,
) -> None:
    reader, writer = await handshake(served)
    connection = the_session(served)
    writer.write(frame(1, b"x" * 300_000))
    while (got := await next_frame(reader))[0] != 1 or b"ack" not in got[1]:
        pass
    assert b'"code":"too_large"' in got[1]
    assert not connection._dismissed
    writer.write(frame(1, b"x" * 300_000)[:-1])
    await writer.drain()
    await settle()
    assert connection._frames is not None
    assert connection._frames._parts is None
    writer.close()


async def test_of_a_flood_of_frames_a_turns_worth_is_read_at_once(served: Served) -> None:
    reader, writer = await handshake(served)
    connection = the_session(served)
    frames = connection._frames
    assert frames is not None
    connection.data_received(frame(9) * 1_000 + command("c-1"))
    read = [frames._count]
    while frames.more:
        assert not connection._socket.is_reading()
        await asyncio.sleep(0)
        read.append(frames._count)
    assert read == [*range(16, 1_001, 16), 1_001]
    assert connection._socket.is_reading()
    while (got := await next_frame(reader))[0] != 1 or b"c-1" not in got[1]:
        pass
    writer.close()


async def test_a_large_message_takes_its_turns_too(served: Served) -> None:
    reader, writer = await handshake(served)
    connection = the_session(served)
    frames = connection._frames
    assert frames is not None
    connection.data_received(frame(1, b"x" * 200_000))
    turns = 0
    while frames.more:
        assert frames._parts is not None
        turns += 1
        assert len(frames._parts) == 16_384 * turns
        await asyncio.sleep(0)
    assert turns == 200_000 // 16_384
    while (got := await next_frame(reader))[0] != 1 or b"ack" not in got[1]:
        pass
    writer.close()


FLOOD = 4_000
"""Hundreds of commands each, whose acks no socket buffer holds."""


async def flood(writer: asyncio.StreamWriter) -> None:
    """Ask without end, and never read an answer."""
    command = b'{"id": "%b", "cmd": "ping"}' % (b"i" * 60)
    frame = bytes([0x81, 0x80 | len(command)]) + bytes(4) + command
    for _ in range(FLOOD):
        writer.write(frame * 100)
        await writer.drain()


async def test_who_asks_and_never_listens_is_read_no_further_and_let_go(
    served: Served, clock: Clock
) -> None:
    _, writer = await handshake(served, limit=1)
    connection = the_session(served)
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
    connection = the_session(served)
    asking = asyncio.create_task(flood(writer))
    await until_stuck(connection)
    await clock.turn(STALL_SECONDS)
    assert await goodbye(reader) == (4001, "too slow; come back with your cursor")
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    writer.transport.abort()
    await clock.turn(8)
    assert served.connections._open == set()


async def test_for_one_that_is_let_go_no_more_is_read_of_the_log(
    served: Served, clock: Clock
) -> None:
    connection, reader, writer = await lagging(served)
    [(subscription, _)] = connection._subscriptions.values()
    await clock.turn(STALL_SECONDS)
    seq = subscription.seq
    assert await goodbye(reader) == (4001, "too slow; come back with your cursor")
    # It has taken all that it was given, and could be given more.
    assert connection.writable
    await settle()
    assert (subscription.seq, connection._subscriptions) == (seq, {})
    writer.transport.abort()


async def test_a_slow_reader_gets_a_big_event(served: Served, clock: Clock) -> None:
    run, worker = await served.running()
    reader, writer = await handshake(served, f"/ws?run={run}", limit=1)
    # Else the kernel takes all of it for the reader.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    connection = the_session(served)
    worker.say("llm.delta", {"text": "x" * (2 << 20)})
    worker.say("run.completed", {})
    worker.leave()
    await until_stuck(connection)
    opcode, payload, before = 0, b"", b""
    while opcode != 8 and b"stream.end" not in payload:
        before = payload
        opcode, payload = await slow_frame(reader, clock)
        writer.write(frame(10))  # to one of our pings
    assert b"run.completed" in before
    assert not connection._dismissed
    writer.close()


def the_session(served: Served) -> Session:
    [session] = served.connections._open
    assert isinstance(session, Session)
    return session


def frame(opcode: int, payload: bytes = b"") -> bytes:
    """A client's, masked with zeros."""
    size = len(payload)
    if size < 126:
        return bytes([0x80 | opcode, 0x80 | size]) + bytes(4) + payload
    if size < 65_536:
        return bytes([0x80 | opcode, 0xFE]) + size.to_bytes(2, "big") + bytes(4) + payload
    return bytes([0x80 | opcode, 0xFF]) + size.to_bytes(8, "big") + bytes(4) + payload


def command(id: str) -> bytes:
    return frame(1, b'{"id": "%b", "cmd": "ping"}' % id.encode())


async def handshake(
    served: Served, path: str = "/ws", limit: int = 1 << 16
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await served.connect(limit)
    writer.write(
        b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        % path.encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += await reader.readexactly(1)
    # The example of RFC 6455 section 1.3.
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    return reader, writer


async def next_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Opcode and payload of what the server says next."""
    first, size = await reader.readexactly(2)
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    elif size == 127:
        size = int.from_bytes(await reader.readexactly(8), "big")
    return first & 15, await reader.readexactly(size)


async def slow_frame(reader: asyncio.StreamReader, clock: Clock) -> tuple[int, bytes]:
    """The same, for one that takes 256 KB in 14 s."""
    first, size = await reader.readexactly(2)
    if size >= 126:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
    payload = b""
    while left := size - len(payload):
        payload += await reader.readexactly(min(left, 1 << 18))
        if left > 1 << 18:
            await clock.turn(STALL_SECONDS - 1)
    return first & 15, payload


async def goodbye(reader: asyncio.StreamReader) -> tuple[int, str]:
    """Code and reason of the server's close frame, whatever comes before it."""
    while (got := await next_frame(reader))[0] != 8:
        pass
    return int.from_bytes(got[1][:2], "big"), got[1][2:].decode()
