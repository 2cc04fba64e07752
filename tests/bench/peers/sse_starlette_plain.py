"""sse-starlette under uvicorn (uvloop, httptools), as its examples have it: a queue per client and
a generator that yields what comes out of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import uvicorn
import uvloop
from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from tests.bench.peers.pace import Peer


async def main() -> None:
    peer = Peer()
    queues: list[asyncio.Queue[dict[str, str]]] = []

    async def sse(request: Request) -> EventSourceResponse:
        queue: asyncio.Queue[dict[str, str]] = asyncio.Queue()

        async def told() -> AsyncIterator[dict[str, str]]:
            queues.append(queue)
            peer.joined()
            while True:
                yield await queue.get()

        return EventSourceResponse(told(), ping=3600)

    def say(number: int, json: bytes) -> None:
        event = {"id": f"epoch6-{number}", "data": json.decode()}
        for queue in queues:
            queue.put_nowait(event)

    config = uvicorn.Config(
        Starlette(routes=[Route("/sse", sse)]), port=0, log_level="error", access_log=False
    )
    server = uvicorn.Server(config)
    sock = config.bind_socket()
    sock.listen(1024)
    serving = asyncio.create_task(server.serve([sock]))
    try:
        await peer.run(sock.getsockname()[1], say)
    finally:
        server.should_exit = server.force_exit = True
        await asyncio.wait({serving}, timeout=1)


if __name__ == "__main__":
    uvloop.run(main())
