"""The gateway's routes in this process: a real supervisor on a log in memory, scripted workers."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from sidecar.client.sse_parser import SseParser
from sidecar.datafolder import DataFolder
from sidecar.log.memory import MemoryStore
from sidecar.protocol import Start
from sidecar.runs import Supervisor
from sidecar.settings import Settings
from sidecar.web import CONNECTIONS, make_app, make_runner
from sidecar.web.connections import Connection, Connections
from sidecar.web.site import FOLDER
from tests.support.clock import settle
from tests.support.commands import command
from tests.support.scripted import STARTED, ScriptedPool, ScriptedWorker

__all__ = ["Served", "blocks", "serve", "until_still", "until_stuck"]


class Served:
    """`http` asks it by path; `pool` has its workers, `connections` who follows a stream."""

    def __init__(
        self,
        folder: Path,
        store: MemoryStore | None = None,
        page: Path = FOLDER,
        **chosen: Any,
    ) -> None:
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._sock.getsockname()
        self.url = f"http://{self.host}:{self.port}"
        settings = Settings(config=folder, **chosen)
        self.store = store or MemoryStore(retain=settings.retain, keep_runs=10)
        self.pool = ScriptedPool()
        self.supervisor = Supervisor(settings, self.store, self.pool, DataFolder(folder))
        self.app = make_app(settings, self.supervisor, self.port, page)
        self.runner = make_runner(self.app)
        self._peers: list[asyncio.StreamWriter] = []
        self.http: aiohttp.ClientSession

    async def open(self) -> None:
        await self.supervisor.open()
        await self.runner.setup()
        await web.SockSite(self.runner, self._sock).start()
        self.http = aiohttp.ClientSession(self.url)

    async def close(self) -> None:
        """As the gateway does it, once every peer has left."""
        await self.http.close()
        for peer in self._peers:
            peer.transport.abort()
        await self.supervisor.end_runs()
        await self.connections.close()
        await self.runner.cleanup()
        await self.supervisor.close()

    @property
    def connections(self) -> Connections:
        return self.app[CONNECTIONS]

    async def connect(
        self, limit: int = 1 << 16
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A peer that says what it likes; its reader stops taking at twice `limit` bytes."""
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=limit)
        self._peers.append(writer)
        return reader, writer

    async def running(self, **fields: object) -> tuple[str, ScriptedWorker]:
        """A run whose crew has started, and its worker; the head of its log is 2."""
        ack = await self.supervisor.handle(command(Start, None, **fields))
        await settle()
        worker = self.pool.taken[-1]
        worker.say("run.started", STARTED)
        await settle()
        return ack["run"], worker

    async def completed(self) -> str:
        """A run that is over; the head of its log is 4."""
        run, worker = await self.running()
        worker.say("llm.delta", {"call": "c", "text": "süß", "kind": "text"})
        worker.say("run.completed", {"output": "o"})
        worker.leave()
        await self.supervisor.settled()
        return run

    async def log(self, run: str) -> list[bytes]:
        """The JSON of each event."""
        return [event.json for event in await (await self.supervisor.feed(run)).log.read(0, 1_000)]


@asynccontextmanager
async def serve(folder: Path, **chosen: Any) -> AsyncIterator[Served]:
    served = Served(folder, **chosen)
    await served.open()
    try:
        yield served
    finally:
        await served.close()


async def until_still(taken: Callable[[], int]) -> None:
    """Until what a peer has acknowledged stands still for twice as long as the kernel waits before
    it sends the part of a segment that fits a small window (TCP_RTO_MIN in net/tcp.h, 0.2 s); that
    goes by the kernel's clock, and nothing tells of it."""
    last, since = taken(), time.monotonic()
    while time.monotonic() < since + 0.4:
        await settle()
        if (now := taken()) != last:
            last, since = now, time.monotonic()
        await asyncio.to_thread(time.sleep, 0.02)


async def until_stuck(connection: Connection) -> None:
    """Until its peer takes no more, from when on its stall is timed."""
    while connection.writable:
        await settle()
    await until_still(lambda: connection.taken)
    connection.pause_writing()


async def blocks(response: aiohttp.ClientResponse) -> AsyncIterator[tuple[str | None, Any]]:
    """Each block of an SSE stream as it comes: its id, and its data as JSON."""
    parser = SseParser()
    async for chunk in response.content.iter_any():
        for block in parser.feed(chunk):
            frame = json.loads(block.data)
            assert block.event == (frame["type"] if block.id is None else None)
            yield block.id, frame
