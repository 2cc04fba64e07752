"""Plain aiohttp on uvloop, as its documentation has it: `send_str` and `write` for each client.

`GET /ws` and `GET /sse`.
"""

from __future__ import annotations

import asyncio

import uvloop
from aiohttp import web

from tests.bench.peers.pace import Peer


async def main() -> None:
    peer = Peer()
    sockets: list[web.WebSocketResponse] = []
    streams: list[web.StreamResponse] = []

    async def websocket(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        sockets.append(socket)
        peer.joined()
        async for _ in socket:
            pass
        return socket

    async def sse(request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        await stream.write(b": hello\n\n")
        streams.append(stream)
        peer.joined()
        await asyncio.Event().wait()
        return stream

    async def say(number: int, json: bytes) -> None:
        if sockets:
            text = json.decode()
            for socket in sockets:
                await socket.send_str(text)
        if streams:
            block = b"id: epoch6-%d\ndata: %b\n\n" % (number, json)
            for stream in streams:
                await stream.write(block)

    app = web.Application()
    app.router.add_get("/ws", websocket)
    app.router.add_get("/sse", sse)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    try:
        await peer.run(runner.addresses[0][1], say)
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(main())
