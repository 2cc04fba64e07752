"""A gateway that is stopped under readers who lag: each sees the end, or is to come back for it."""

from __future__ import annotations

import asyncio
import re
import signal

import aiohttp
import orjson
import pytest

from tests.faults.checkers import TransportName
from tests.faults.conftest import StartGateway, begin
from tests.faults.gateway import send
from tests.faults.rawstream import RawStream, websocket_frames
from tests.faults.test_connections import LONG, heads

READERS = 100
"""Of each transport."""

FAR = 800
"""Events that the run has when it is stopped: 240 KB, and a socket holds half of that."""

GOODBYE_SECONDS = 2.0
"""What a reader has to take what is its own (P31); until then nobody is cut off."""


class Lagging:
    """One that reads up to a place of its own, stands still until the stop, and reads on."""

    def __init__(self, number: int, transport: TransportName) -> None:
        self.transport = transport
        self.place = FAR * number // READERS
        self.data = b""
        self.last = 0.0
        """When the last of that came, on the loop's clock."""
        self.stream: RawStream

    async def begin(self, url: str, run: str) -> None:
        self.stream = await RawStream.open(url, run, self.transport, small=True)
        if self.place:
            self.data = await self.stream.read_until(b'"seq":%d,' % self.place, 120)

    async def read_on(self) -> None:
        async with asyncio.timeout(60):
            while data := await self.stream.read():
                self.data += data
                self.last = asyncio.get_running_loop().time()
        self.stream.reset()

    @property
    def saw_the_end(self) -> bool:
        return b'"type":"run.interrupted"' in self.data and b'"type":"stream.end"' in self.data

    @property
    def close_code(self) -> int | None:
        closes = [payload for opcode, payload in websocket_frames(self.data) if opcode == 8]
        return int.from_bytes(closes[-1][:2], "big") if closes else None

    @property
    def cursor(self) -> str:
        """Of the last whole event; of a cut one the id may be whole too, but not its end."""
        lines = re.findall(rb'\{"type":"[a-z.]+","run":[^\n]*?"data":\{[^\n]*?\}\}', self.data)
        cursor: str = orjson.loads(lines[-1])["id"]
        return cursor


@pytest.mark.timeout(240)
async def test_each_of_two_hundred_readers_sees_the_end_or_is_told_to_come_back(
    start_gateway: StartGateway, session: aiohttp.ClientSession
) -> None:
    gateway = await start_gateway()
    run = await begin(session, gateway, rate=400, **LONG)
    async for seq in heads(session, gateway, run):
        if seq > FAR:
            break
    pause = {"id": "p-1", "cmd": "pause", "run": run}
    async with session.post(f"{gateway.url}/control", json=pause) as response:
        assert (await response.json())["ok"]
    readers = [Lagging(n, "ws" if half else "sse") for n in range(READERS) for half in (0, 1)]
    await asyncio.gather(*(reader.begin(gateway.url, run) for reader in readers))
    stopped = asyncio.get_running_loop().time()
    send(gateway.pid, signal.SIGTERM)
    # Half of them go on at once, and see the end if this machine lets them within 2 s; the others
    # when it is too late.
    prompt = [reader for number, reader in enumerate(readers) if number // 2 % 2]
    await asyncio.gather(*(reader.read_on() for reader in prompt))
    assert await gateway.wait() == 0
    await asyncio.gather(*(reader.read_on() for reader in readers if reader not in prompt))
    ended = [reader for reader in readers if reader.saw_the_end]
    codes = {reader.close_code for reader in readers if reader.transport == "ws"}
    print(
        f"{len(ended)} of {len(readers)} saw the end, {sum(r in ended for r in prompt)} of "
        f"{len(prompt)} who read on; close codes {codes}"
    )
    assert codes <= {4000, None}  # None where it took nothing, and had to be reset
    assert {reader.close_code for reader in prompt if reader.transport == "ws"} == {4000}
    assert {reader.transport for reader in ended if reader in prompt} == {"ws", "sse"}
    early = [reader for reader in prompt if reader.last < stopped + GOODBYE_SECONDS]
    assert [reader.place for reader in early if reader not in ended] == []
    again = await start_gateway()
    for reader in readers:
        if reader not in ended:
            reader.stream = await RawStream.open(again.url, run, "sse", after=reader.cursor)
            await reader.read_on()
            assert reader.saw_the_end
    for reader in readers:
        told = [int(seq) for seq in re.findall(rb'"seq":(\d+),"id"', reader.data)]
        assert sorted(set(told)) == list(range(1, max(told) + 1))
