"""`websockets`: its own broadcast(), which builds a frame once, on uvloop, uncompressed."""

from __future__ import annotations

import asyncio

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

from tests.bench.peers.pace import Peer


async def main() -> None:
    peer = Peer()
    connections: set[ServerConnection] = set()

    async def subscriber(connection: ServerConnection) -> None:
        connections.add(connection)
        peer.joined()
        await connection.wait_closed()

    def say(number: int, json: bytes) -> None:
        broadcast(connections, json.decode())

    async with serve(
        subscriber, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=1024
    ) as server:
        await peer.run(next(iter(server.sockets)).getsockname()[1], say)


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(main())
