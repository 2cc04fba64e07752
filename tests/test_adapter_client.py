"""The browser's client at the real sidecar, which goes away and comes back. What it keeps and for
how long is in web-adapter/test/outbox.test.ts, what it asks for in reads.test.ts beside it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from tests.conftest import StartSidecar
from tests.faults.proxy import BLACKHOLE, FaultProxy
from tests.support.sidecar import BOUND, ROOT, Frame, Raw, TransportName, assert_whole

STEERING = ROOT / "web-adapter" / "test" / "steering.mjs"


class Page:
    """The client in a Node of its own: `ask` it, and wait for what it `says`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout

    def ask(self, method: str, *words: object) -> None:
        self._stdin.write(json.dumps([method, *words]).encode() + b"\n")

    async def says(self, *words: str) -> Frame:
        """The next thing it says that is one of these."""
        async with asyncio.timeout(BOUND):
            while True:
                line = await self._stdout.readline()
                assert line, f"it ended before it said {words}"
                said: Frame = json.loads(line)
                if said["what"] in words:
                    return said

    async def doubts(self, *commands: str) -> None:
        """Return once exactly these are pending and unconfirmed."""
        pending: list[Frame] = []
        while [each["command"]["cmd"] for each in pending if each["unconfirmed"]] != list(commands):
            pending = (await self.says("client"))["pending"]

    async def answer(self, method: str, *words: object) -> Frame:
        """What one method of the client gives."""
        self.ask(method, *words)
        return await self.says(method)


@asynccontextmanager
async def opened(url: str, transport: TransportName) -> AsyncIterator[Page]:
    node = shutil.which("node")
    if node is None:
        pytest.fail("The adapter needs Node 20 or newer: https://nodejs.org")
    process = await asyncio.create_subprocess_exec(
        node,
        "--experimental-websocket",
        str(STEERING),
        url,
        transport,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Page(process)
    finally:
        process.kill()
        await process.wait()


async def test_a_stop_that_finds_no_sidecar_ends_the_run_once_there_is_one_again(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    pace = {"OFFLINE_TOKEN_MS": "100", "OFFLINE_TOKENS": "400"}
    first = start_sidecar(**pace)
    async with FaultProxy(first.url) as proxy, opened(proxy.url, transport) as page:
        page.ask("start", {"message": "tea"})
        run = (await page.says("start"))["value"]
        page.ask("follow", run)
        await page.says("llm.started")

        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        page.ask("cancel", run, "enough", {"id": "stop-1"})
        await page.doubts("cancel")

        second = start_sidecar(**pace)
        proxy.target = second.url
        ack = await page.says("cancel")
        assert ack["value"]["id"] == "stop-1", ack
        assert (await page.says("run.cancelled", "run.completed"))["what"] == "run.cancelled"
        await page.says("end")

        log = [event for _, event in await Raw(session, second.url, "sse").events(run)]
        assert_whole(log)
        assert [each["cause"] for each in log if each["type"] == "run.cancelling"] == ["stop-1"]


async def test_a_pause_and_a_resume_that_found_no_sidecar_come_in_that_order(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    pace = {"OFFLINE_TOKEN_MS": "20", "OFFLINE_TOKENS": "100"}
    first = start_sidecar(**pace)
    async with FaultProxy(first.url) as proxy, opened(proxy.url, transport) as page:
        page.ask("start", {"message": "tea"})
        run = (await page.says("start"))["value"]
        page.ask("follow", run)
        await page.says("llm.started")

        # Out of reach, while the crew works on.
        proxy.deafen()
        proxy.cut()
        page.ask("pause", run, {"id": "p-1"})
        page.ask("resume", run, {"id": "p-2"})
        await page.doubts("pause", "resume")
        proxy.listen()

        assert (await page.says("pause", "resume"))["what"] == "pause"
        await page.says("resume")
        await page.says("end")
        log = [event for _, event in await Raw(session, first.url, "sse").events(run)]
        assert_whole(log)
        steered = [each for each in log if each["type"] in ("run.pausing", "run.resumed")]
        assert [(each["type"], each["cause"]) for each in steered] == [
            ("run.pausing", "p-1"),
            ("run.resumed", "p-2"),
        ]
        assert log[-1]["type"] == "run.completed"


async def test_a_stop_on_a_socket_that_went_dead_goes_another_way_before_anybody_noticed(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    sidecar = start_sidecar(OFFLINE_TOKEN_MS="100", OFFLINE_TOKENS="400")
    async with FaultProxy(sidecar.url) as proxy, opened(proxy.url, "ws") as page:
        run = (await page.answer("start", {"message": "tea"}))["value"]
        page.ask("follow", run)
        await page.says("llm.started")
        proxy.fault("ws", BLACKHOLE)
        page.ask("cancel", run, "enough", {"id": "stop-1"})
        told = []
        while (said := await page.says("client", "cancel"))["what"] == "client":
            told.append(said)
        assert said["value"]["id"] == "stop-1", said
        assert {each["state"] for each in told} == {"open"}
        log = [event for _, event in await Raw(session, sidecar.url, "sse").events(run)]
        assert log[-1]["type"] == "run.cancelled"
        (cancelling,) = (each for each in log if each["type"] == "run.cancelling")
        assert cancelling["cause"] == "stop-1"
        # A second, and not the five that an ack may take.
        assert cancelling["at"] - told[0]["pending"][0]["since"] < 4_000


async def test_what_the_client_reads_is_what_the_sidecar_keeps(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    sidecar = start_sidecar(SIDECAR_SYNTHETIC="1")

    async def kept(path: str) -> Frame:
        async with session.get(sidecar.url + path) as response:
            answer: Frame = await response.json()
            return answer

    async with opened(sidecar.url, "ws") as page:
        inputs = {"events": 3, "delay": 0}
        options = {"crew": "synthetic", "thread": "t_1", "title": "Tea"}
        first = (await page.answer("start", inputs, options))["value"]
        page.ask("follow", first)
        await page.says("end")
        second = (await page.answer("start", inputs, {**options, "after": first}))["value"]
        page.ask("follow", second)
        await page.says("end")

        snapshot = await kept(f"/runs/{second}")
        assert (await page.answer("get", second))["value"] == snapshot
        assert snapshot["thread"] == "t_1"
        assert snapshot["after"] == first
        found = (await page.answer("runs", {"limit": 1, "state": "completed"}))["value"]
        assert found == {"runs": [snapshot], "next": second}
        assert (await page.answer("crews"))["value"] == (await kept("/crews"))["crews"]
        assert (await page.answer("threads", {"limit": 5}))["value"] == await kept("/threads")
        thread = (await page.answer("thread", "t_1"))["value"]
        assert thread == await kept("/threads/t_1")
        assert [run["run"] for run in thread["runs"]] == [first, second]

        renamed = (await page.answer("rename", "t_1", "Coffee"))["value"]
        assert renamed == (await kept("/threads"))["threads"][0]
        assert renamed["title"] == "Coffee"
        await page.answer("remove", {"run": first})
        assert (await page.answer("get", first))["code"] == "unknown_run"
        await page.answer("remove", {"thread": "t_1"})
        assert (await page.answer("thread", "t_1"))["code"] == "unknown_thread"
        assert (await page.answer("runs"))["value"] == {"runs": [], "next": None}
