"""The least that a loop in Python can do: a raw protocol on uvloop that writes one prebuilt
WebSocket frame to each transport. No handshake, no worker, no log."""

from __future__ import annotations

import asyncio
from typing import cast

import uvloop

from sidecar.protocol.framing import ws_text
from tests.bench.peers.pace import Peer


class _Subscriber(asyncio.Protocol):
    def __init__(self, peer: Peer, transports: list[asyncio.Transport]) -> None:
        self._peer = peer
        self._transports = transports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"GET "):
            self._transport.write(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
            self._transports.append(self._transport)
            self._peer.joined()


async def main() -> None:
    peer = Peer()
    transports: list[asyncio.Transport] = []
    server = await asyncio.get_running_loop().create_server(
        lambda: _Subscriber(peer, transports), "127.0.0.1", 0, backlog=1024
    )

    def say(number: int, json: bytes) -> None:
        frame = ws_text(json)
        for transport in transports:
            transport.write(frame)

    await peer.run(server.sockets[0].getsockname()[1], say)


if __name__ == "__main__":
    uvloop.run(main())
