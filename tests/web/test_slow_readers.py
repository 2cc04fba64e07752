"""A reader that takes little at a time, over either transport, has the time that it needs."""

from __future__ import annotations

import socket

import pytest

from sidecar.web.stall import STALL_SECONDS
from tests.support.clock import Clock
from tests.support.served import Served, until_stuck

UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.mark.parametrize(("path", "headers"), [("/sse", ""), ("/ws", UPGRADE)], ids=["sse", "ws"])
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
