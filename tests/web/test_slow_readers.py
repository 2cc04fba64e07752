"""A reader that takes little at a time, over either transport, has the time that it needs; one
that takes nothing, for whatever reason, has not."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sidecar.web.connections import Connection
from sidecar.web.peer import Peer
from sidecar.web.stall import STALL_SECONDS
from tests.support.clock import Clock, settle
from tests.support.served import Served, until_still, until_stuck
from tests.support.vanished import vanish

UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)

PONG = bytes((0x8A, 0x80, 0, 0, 0, 0))
"""Masked with zeros, as a client's has to be."""

both = pytest.mark.parametrize(
    ("path", "headers"), [("/sse", ""), ("/ws", UPGRADE)], ids=["sse", "ws"]
)


@both
async def test_a_reader_of_20_kb_a_second_gets_an_event_of_2_mib(
    served: Served, clock: Clock, path: str, headers: str
) -> None:
    run, worker = await served.running()
    reader, writer = await served.connect()
    # Else the kernel takes all of it for the reader.
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    writer.write(f"GET {path}?run={run} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode())
    await reader.readuntil(b"stream.live")
    [connection] = served.connections._open
    worker.say("llm.delta", {"text": "x" * (2 << 20)})
    worker.say("run.completed", {})
    worker.leave()
    await until_stuck(connection)
    got = b""
    while b"stream.end" not in got[-1_000:]:
        # In all seven times as long as a reader may take nothing, and no answer to any ping.
        for _ in range(4):
            got += await reader.read(1 << 16)
        await clock.turn(STALL_SECONDS - 1)
    assert got.count(b"x" * (2 << 20)) == 1
    writer.close()


@asynccontextmanager
async def small(
    served: Served, run: str, path: str, headers: str
) -> AsyncIterator[tuple[socket.socket, Connection]]:
    """A reader that has had the first frames, whose window is 16 KB (twice what it asks for)."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, (served.host, served.port))
        asked = f"GET {path}?run={run} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n"
        await loop.sock_sendall(sock, asked.encode())
        got = b""
        while b"stream.live" not in got:
            got += await loop.sock_recv(sock, 2_048)
        [connection] = served.connections._open
        yield sock, connection


async def take(sock: socket.socket, size: int) -> int:
    """Read so many bytes; how many those were until the end."""
    left = size
    while left and (got := await asyncio.get_running_loop().sock_recv(sock, min(left, 2_048))):
        left -= len(got)
    return size - left


@both
async def test_what_is_slow_is_told_by_what_a_reader_acknowledges(
    served: Served, clock: Clock, path: str, headers: str
) -> None:
    # The kernel makes room for more once a third of its 128 KB is acknowledged: after 42 s here.
    run, worker = await served.running()
    async with small(served, run, path, headers) as (sock, connection):
        worker.say("llm.delta", {"text": "x" * (1 << 20)})
        await until_stuck(connection)
        for _ in range(12):
            await clock.turn(STALL_SECONDS - 1)
            connection.data_received(PONG if headers else b"")
            assert await take(sock, 16_384) == 16_384
            await settle()
        assert not connection.closing
        assert connection._stall is not None


async def test_who_has_yet_to_read_up_to_our_pings_is_not_silent(
    served: Served, clock: Clock
) -> None:
    # Behind 100 KB in the kernel, at 2 KB/s.
    run, worker = await served.running()
    async with small(served, run, "/ws", UPGRADE) as (sock, connection):
        worker.say("llm.delta", {"text": "x" * 100_000})
        await settle()
        assert connection.writable
        for _ in range(6):
            await clock.turn(7)
            assert await take(sock, 14_336) == 14_336
            await settle()
        assert isinstance(connection, Peer)
        assert not connection._dismissed


@both
async def test_what_only_the_kernel_has_for_a_reader_that_takes_nothing_does_not_keep_it(
    served: Served, clock: Clock, path: str, headers: str
) -> None:
    run, worker = await served.running()
    async with small(served, run, path, headers) as (_, connection):
        worker.say("llm.delta", {"text": "x" * 60_000})
        await settle()
        await until_still(lambda: connection.taken)
        assert connection._socket.get_write_buffer_size() == 0
        for _ in range(3):
            await clock.turn(7)
            connection.data_received(PONG if headers else b"")
        assert connection in served.connections._open
        await clock.turn(7)
        # Of which a WebSocket has 8 s to hear.
        await clock.turn(8)
        assert served.connections._open == set()


@both
async def test_a_reader_that_has_vanished_is_let_go(
    served: Served, clock: Clock, path: str, headers: str
) -> None:
    run, worker = await served.running()
    async with small(served, run, path, headers) as (sock, _):
        vanish(sock)
        worker.say("llm.delta", {"text": "x"})
        for _ in range(3):
            await clock.turn(7)
        assert len(served.connections._open) == 1
        # A WebSocket was said to be silent after 21 s, and had 8 s to hear it.
        await clock.turn(7)
        await clock.turn(1)
        assert served.connections._open == set()


@pytest.mark.long
@both
async def test_the_kernel_does_not_end_a_reader_of_a_small_window(
    served: Served, path: str, headers: str
) -> None:
    """At 20 KB/s, in real time, as the kernel's clock can't be turned: TCP_USER_TIMEOUT of 25 s,
    which is not reset while the window is smaller than a segment (64 KB on loopback), ended it
    after 25.8 s."""
    run, worker = await served.running()
    async with small(served, run, path, headers) as (sock, _):
        worker.say("llm.delta", {"text": "x" * (2 << 20)})
        start, got = time.monotonic(), 0
        while got < 32 * 20_480:
            got += await take(sock, 2_048)
            await asyncio.sleep(max(0.0, start + got / 20_480 - time.monotonic()))
        assert time.monotonic() - start >= 32
