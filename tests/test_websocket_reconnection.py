"""Reconnection: whatever happens to a connection, its reader misses nothing, repeats nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator
from itertools import count

import aiohttp
import pytest

from sidecar.client import CrewClient
from tests.conftest import StartSidecar
from tests.support.sidecar import Raw, Sidecar, TransportName, assert_whole

_ids = count(1)


class CuttingProxy:
    """A TCP proxy that resets each connection after a given number of bytes to the client."""

    def __init__(self, url: str, cuts: list[int]) -> None:
        self._host, port = url.removeprefix("http://").split(":")
        self._port = int(port)
        self._cuts = cuts
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        cut = self._cuts.pop(0) if self._cuts else None
        up_reader, up_writer = await asyncio.open_connection(self._host, self._port)
        up = asyncio.create_task(_pump(reader, up_writer, None))
        down = asyncio.create_task(_pump(up_reader, writer, cut))
        self._tasks |= {up, down}
        await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        for side in (writer, up_writer):
            side.transport.abort()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: int | None
) -> None:
    passed = 0
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            if cut is not None and passed + len(data) >= cut:
                writer.write(data[: cut - passed])
                await writer.drain()
                return
            passed += len(data)
            writer.write(data)
            await writer.drain()


@pytest.fixture
async def run(sidecar: Sidecar, session: aiohttp.ClientSession) -> AsyncIterator[str]:
    body = {"id": f"rc-{next(_ids)}", "inputs": {"message": "tea"}}
    async with session.post(f"{sidecar.url}/runs", json=body) as response:
        yield (await response.json())["run"]


@pytest.mark.parametrize("seed", range(4))
async def test_a_client_whose_connection_is_cut_again_and_again_misses_nothing(
    sidecar: Sidecar,
    session: aiohttp.ClientSession,
    transport: TransportName,
    run: str,
    seed: int,
) -> None:
    dice = random.Random(seed)
    proxy = CuttingProxy(sidecar.url, [dice.randint(300, 6_000) for _ in range(12)])
    async with CrewClient(await proxy.start(), transport=transport) as crew:
        events = [event async for event in crew.follow(run)]
    connections = proxy.connections
    await proxy.stop()
    assert connections > 3, f"seed {seed}: the proxy never cut"
    assert_whole(events)
    truth = [event for _, event in await Raw(session, sidecar.url, "sse").events(run)]
    assert events == truth


async def test_a_reader_that_hops_between_transports_at_every_place_sees_one_log(
    sidecar: Sidecar, session: aiohttp.ClientSession, run: str
) -> None:
    truth = [text for text, _ in await Raw(session, sidecar.url, "sse").events(run)]
    told: list[bytes] = []
    cursor: str | None = None
    transports: list[TransportName] = ["ws", "sse"]
    for hop in count():
        raw = Raw(session, sidecar.url, transports[hop % 2])
        ended = False
        async with contextlib.aclosing(raw.frames(run, cursor)) as frames:
            async for text, frame in frames:
                if frame["type"] == "stream.end":
                    ended = True
                elif not frame["type"].startswith("stream."):
                    told.append(text)
                    cursor = frame["id"]
                    break
        if ended or frame.get("final"):
            break
    assert told == truth


async def test_a_client_that_comes_late_gets_the_whole_run(
    sidecar: Sidecar, run: str, transport: TransportName
) -> None:
    async with sidecar.client(transport) as early:
        live = [event async for event in early.follow(run)]
    async with sidecar.client(transport) as late:
        assert [event async for event in late.follow(run)] == live


async def test_a_graceful_stop_ends_every_stream_and_run_with_the_truth(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    sidecar = start_sidecar(OFFLINE_TOKEN_MS="20", OFFLINE_TOKENS="500")
    body = {"id": "s-1", "inputs": {"message": "tea"}}
    async with session.post(f"{sidecar.url}/runs", json=body) as response:
        run = (await response.json())["run"]
    frames = []
    async for _, frame in Raw(session, sidecar.url, transport).frames(run):
        frames.append(frame)
        if frame["type"] == "llm.started" and sidecar.process is not None:
            sidecar.process.send_signal(signal.SIGTERM)
    events = [f for f in frames if not f["type"].startswith("stream.")]
    assert_whole(events)
    assert events[-1]["type"] == "run.interrupted"
    assert frames[-1]["type"] == "stream.end"
    assert sidecar.wait() == 0


async def test_open_sockets_are_told_to_come_back_later_when_the_sidecar_stops(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    sidecar = start_sidecar(until_ready=False)
    async with session.ws_connect(f"{sidecar.url}/ws") as ws:
        assert sidecar.process is not None
        sidecar.process.send_signal(signal.SIGINT)
        closed = await ws.receive(timeout=30)
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 4000)
    assert sidecar.wait() == 0


async def test_after_a_restart_the_log_and_the_acks_are_still_there(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    first = start_sidecar()
    raw = Raw(session, first.url, transport)
    command = {"id": "rs-1", "cmd": "start", "inputs": {"message": "tea"}}
    ack = await raw.command(command)
    run = ack["run"]
    events = await raw.events(run)
    await raw.close()
    assert first.stop() == 0

    second = start_sidecar(until_ready=False)
    raw = Raw(session, second.url, transport)
    assert await raw.events(run) == events
    assert await raw.events(run, events[9][1]["id"]) == events[10:]
    again = await raw.command(command)
    assert (again["run"], again["duplicate"]) == (run, True)
    await raw.close()


async def test_a_run_whose_gateway_was_killed_is_interrupted_at_the_next_start(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    first = start_sidecar(OFFLINE_TOKEN_MS="20", OFFLINE_TOKENS="500")
    raw = Raw(session, first.url, transport)
    run = (await raw.command({"id": "k-1", "cmd": "start", "inputs": {"message": "t"}}))["run"]
    seen = []
    with contextlib.suppress(aiohttp.ClientError, ConnectionError):
        async for text, frame in raw.frames(run):
            if not frame["type"].startswith("stream."):
                seen.append(text)
            if frame["type"] == "llm.delta":
                os.kill(first.pid, signal.SIGKILL)
    await raw.close()
    assert first.wait() == -signal.SIGKILL

    second = start_sidecar(until_ready=False)
    log = await Raw(session, second.url, transport).events(run)
    assert [text for text, _ in log][: len(seen)] == seen
    assert_whole([event for _, event in log])
    assert log[-1][1]["type"] == "run.interrupted"
