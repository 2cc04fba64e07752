"""Connections that end badly or stand still cost the gateway nothing for long, and nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest

from sidecar.client.sse_parser import SseParser
from tests.faults.checkers import Frame, TransportName, is_event
from tests.faults.conftest import StartGateway, begin
from tests.faults.counters import resident, sockets, threads, until
from tests.faults.gateway import Gateway
from tests.faults.rawstream import RawStream, events_of, websocket_frames

MEGABYTE = 1 << 20
LONG = {"events": 1_000_000, "delay": 0.0, "size": 300}
"""A run that outlasts every test."""


async def abort(gateway: Gateway, run: str, transport: TransportName, times: int) -> None:
    """Connect, see the stream flow, and reset it in the middle; ten at a time."""

    async def some() -> None:
        for _ in range(times // 10):
            stream = await RawStream.open(gateway.url, run, transport)
            seen = b""
            while b"llm.delta" not in seen:
                seen += await stream.read()
            stream.reset()

    await asyncio.wait_for(asyncio.gather(*(some() for _ in range(10))), 120)


@pytest.mark.parametrize("transport", ["ws", "sse"])
async def test_a_thousand_connections_that_are_reset_in_mid_stream_leave_nothing_behind(
    start_gateway: StartGateway, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    gateway = await start_gateway()
    calm = sockets(gateway.pid)
    run = await begin(session, gateway, rate=200, **LONG)
    await abort(gateway, run, transport, 10)  # by then the run has its worker
    await until(lambda: sockets(gateway.pid) <= calm + 1, "one more, for the worker")
    before = sockets(gateway.pid)
    await abort(gateway, run, transport, 200)
    await until(lambda: sockets(gateway.pid) <= before, "connections after the warm-up")
    warm, crowd = resident(gateway.pid), threads(gateway.pid)
    await abort(gateway, run, transport, 1_000)
    await until(lambda: sockets(gateway.pid) <= before, "connections after 1,000")
    # Two more may be at a checkpoint of the log just now.
    assert threads(gateway.pid) <= crowd + 2
    assert resident(gateway.pid) < warm + 8 * MEGABYTE


class Good:
    """A reader that keeps up, and what it has seen."""

    def __init__(self) -> None:
        self.seq = 0
        self.lags: list[float] = []
        """Seconds from an event's birth to its arrival here."""

    def take(self, frame: Frame) -> None:
        if not is_event(frame):
            assert frame["type"] != "stream.reset", frame
            return
        assert frame["seq"] == self.seq + 1, f"{frame['seq']} came after {self.seq}"
        self.seq = frame["seq"]
        if (born := frame["data"].get("t")) is not None:
            self.lags.append((time.monotonic_ns() - born) / 1e9)

    def p99(self) -> float:
        """Of what came since it was asked last."""
        lags, self.lags = sorted(self.lags), []
        return lags[len(lags) * 99 // 100]

    async def over_ws(self, session: aiohttp.ClientSession, url: str, run: str) -> None:
        async with session.ws_connect(f"{url}/ws", params={"run": run}) as ws:
            async for message in ws:
                self.take(orjson.loads(message.data))
        raise AssertionError("a good reader was let go")

    async def over_sse(self, session: aiohttp.ClientSession, url: str, run: str) -> None:
        async with session.get(f"{url}/sse", params={"run": run}) as response:
            parser = SseParser()
            async for chunk in response.content.iter_any():
                for block in parser.feed(chunk):
                    self.take(orjson.loads(block.data))
        raise AssertionError("a good reader was let go")


@contextlib.asynccontextmanager
async def good_readers(
    session: aiohttp.ClientSession, url: str, run: str, count: int
) -> AsyncIterator[list[Good]]:
    readers = [Good() for _ in range(count)]
    tasks = [
        asyncio.create_task((good.over_ws if n % 2 else good.over_sse)(session, url, run))
        for n, good in enumerate(readers)
    ]
    try:
        yield readers
        assert not any(task.done() for task in tasks), [t.exception() for t in tasks if t.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_two_hundred_stalled_readers_are_let_go_and_told_and_nobody_else_notices(
    start_gateway: StartGateway, session: aiohttp.ClientSession
) -> None:
    gateway = await start_gateway()
    run = await begin(session, gateway, rate=400, **LONG)
    async with good_readers(session, gateway.url, run, 20) as readers:
        await until(lambda: min(good.seq for good in readers) > 400, "everybody reads")
        for good in readers:
            good.p99()
        await until(lambda: min(len(good.lags) for good in readers) > 1_600, "a calm phase")
        calm = max(good.p99() for good in readers)
        before, held = resident(gateway.pid), sockets(gateway.pid)
        stalled = [
            await RawStream.open(gateway.url, run, "sse" if n % 2 else "ws", small=True)
            for n in range(200)
        ]
        most = 0

        def all_gone() -> bool:
            nonlocal most
            most = max(most, resident(gateway.pid))
            return sockets(gateway.pid) <= held

        try:
            await until(lambda: sockets(gateway.pid) >= held + 200, "200 are connected")
            # 15 s of taking nothing and 8 s for the goodbye; the rest is for a busy machine.
            await wake(stalled[0], gateway, run, of=200)
            await until(all_gone, "the stalled readers are let go", 60)
        finally:
            for stream in stalled:
                stream.reset()
        beside = max(good.p99() for good in readers)
    assert most < before + 20 * MEGABYTE, f"{(most - before) / MEGABYTE:.1f} MB more"
    # Below a tenth of a second other processes of the machine tell more than the gateway does.
    assert beside < max(1.5 * calm, 0.1), f"p99 {calm * 1e3:.1f} ms before, {beside * 1e3:.1f} ms"


async def test_leaving_one_run_of_a_socket_that_is_backed_up_leaves_the_other_alone(
    start_gateway: StartGateway, session: aiohttp.ClientSession
) -> None:
    gateway = await start_gateway()
    left = await begin(session, gateway, rate=2_000, **LONG)
    kept = await begin(session, gateway, rate=2_000, **LONG)
    stream = await RawStream.open(gateway.url, left, "ws")
    try:
        await stream.send({"id": "s-1", "cmd": "subscribe", "run": kept})
        # 4 MB are far more than the socket takes, so that both pumps wait for the reader.
        data = await stream.read_until(b'"s-1"')
        async for seq in heads(session, gateway, kept):
            if seq > 4_000:
                break
        await stream.send({"id": "u-1", "cmd": "unsubscribe", "run": left})
        data += await stream.read_until(b'"u-1"')
        told = told_of(kept, data)
        data += await stream.read_until(b'"seq":%d,' % (told[-1] + 5_000))
    finally:
        stream.reset()
    told = told_of(kept, data)
    assert told == list(range(1, len(told) + 1))


def told_of(run: str, data: bytes) -> list[int]:
    """The numbers of the run's events among the frames of a WebSocket."""
    return [event["seq"] for event in events_of(data) if event["run"] == run]


async def heads(session: aiohttp.ClientSession, gateway: Gateway, run: str) -> AsyncIterator[int]:
    """The run's newest seq, again and again."""
    async with session.ws_connect(f"{gateway.url}/ws", params={"run": run}) as ws:
        async for message in ws:
            yield orjson.loads(message.data).get("seq", 0)


async def wake(stream: RawStream, gateway: Gateway, run: str, of: int = 1) -> None:
    """Read again once it is too late: goodbye is said, and its cursor still holds good. It is one
    `of` so many, each of which is looked at in a turn of its own."""
    said = "was too slow"
    await until(lambda: gateway.stderr.count(said) >= of, "it is found to be too slow")
    data = await asyncio.wait_for(stream.read_on(), 60)
    closes = [payload for opcode, payload in websocket_frames(data) if opcode == 8]
    # None where the gateway had to reset it.
    assert [int.from_bytes(close[:2], "big") for close in closes] in ([4001], [])
    told = events_of(data)
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    again = await RawStream.open(gateway.url, run, "sse", after=told[-1]["id"])
    try:
        first = re.search(rb'"seq":(\d+),"id"', await again.read_until(b"\n\nid: "))
    finally:
        again.reset()
    assert first is not None
    assert int(first[1]) == told[-1]["seq"] + 1
