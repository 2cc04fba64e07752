"""Several runs of one client of the adapter, over one WebSocket, at a sidecar that is killed and
started again: in Chromium, and in a Node without a page."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiohttp
import pytest
from playwright.async_api import Route

from tests.browser.chat import chromium
from tests.conftest import StartSidecar
from tests.faults.proxy import FaultProxy
from tests.support.sidecar import BOUND, ROOT, Frame, Raw, TransportName, assert_whole

ADAPTER = ROOT / "web-adapter"
ORIGIN = "http://localhost:3000"
"""One that the sidecar knows."""

FOLLOW = """
{
  const told = {}, sockets = [];
  let changed = () => {};
  class Counted extends WebSocket {
    constructor(...asked) {
      super(...asked);
      sockets.push(this);
    }
  }
  const client = createCrewClient({ url, transport, WebSocket: Counted });
  client.subscribe(() => changed());
  async function follow(run) {
    told[run] = [];
    for await (const frame of client.follow(run)) {
      if ("data" in frame) told[run].push(frame.seq);
      changed();
    }
  }
  globalThis.begin = (...runs) => {
    for (const run of runs) void follow(run);
  };
  globalThis.look = async (state, seqs) => {
    const due = () =>
      client.status.state === state && Object.values(told).every(({ length }) => length >= seqs);
    while (!due()) await new Promise((resolve) => (changed = resolve));
    const open = sockets.filter(({ readyState }) => readyState === 1).length;
    return { told, open, error: client.status.error?.code };
  };
}
"""
"""`begin(run, …)` follows. `look(state, seqs)` says what there is once the client is in this state
and so many events of each run were told."""


class Host(Protocol):
    """Where the adapter runs."""

    async def begin(self, *runs: str) -> None: ...
    async def look(self, state: str, seqs: int) -> Frame: ...


@pytest.fixture(scope="session")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The package in one piece, as a bundler makes it."""
    file = tmp_path_factory.mktemp("adapter") / "adapter.mjs"
    rolldown = ADAPTER / "node_modules" / ".bin" / "rolldown"
    subprocess.run(
        [rolldown, ADAPTER / "src" / "index.ts", "--format", "esm", "-o", file],
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=BOUND,
    )
    return file.read_text()


def script(adapter: str, url: str, transport: TransportName) -> str:
    where = f"const url = {json.dumps(url)}, transport = {json.dumps(transport)};"
    return f"{adapter}\n{where}\n{FOLLOW}"


@asynccontextmanager
async def in_chromium(code: str, _: Path) -> AsyncIterator[Host]:
    async def serve(route: Route) -> None:
        if route.request.url.endswith(".mjs"):
            await route.fulfill(content_type="text/javascript", body=code)
        else:
            page = '<!doctype html><script type="module" src="/code.mjs"></script>'
            await route.fulfill(content_type="text/html", body=page)

    # The page comes from no address, and is therefore not let near a local one.
    async with chromium("--disable-features=LocalNetworkAccessChecks") as browser:
        page = await browser.new_page()
        await page.route(f"{ORIGIN}/**", serve)
        await page.goto(ORIGIN)

        class Chromium:
            async def begin(self, *runs: str) -> None:
                await page.evaluate("(runs) => begin(...runs)", runs)

            async def look(self, state: str, seqs: int) -> Frame:
                seen: Frame = await page.evaluate("asked => look(...asked)", [state, seqs])
                return seen

        yield Chromium()


@asynccontextmanager
async def in_node(code: str, folder: Path) -> AsyncIterator[Host]:
    node = shutil.which("node")
    assert node is not None, "The adapter needs Node 20 or newer: https://nodejs.org"
    file = folder / "host.mjs"
    file.write_text(f"""{code}
import {{ createInterface }} from "node:readline";
for await (const line of createInterface({{ input: process.stdin }})) {{
  const [what, ...words] = JSON.parse(line);
  console.log(JSON.stringify((await globalThis[what](...words)) ?? null));
}}
""")
    process = await asyncio.create_subprocess_exec(
        node,
        "--experimental-websocket",
        file,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    given, said = process.stdin, process.stdout

    class Node:
        async def ask(self, *words: object) -> Frame:
            given.write(json.dumps(words).encode() + b"\n")
            answer: Frame = json.loads(await said.readline())
            return answer

        async def begin(self, *runs: str) -> None:
            await self.ask("begin", *runs)

        async def look(self, state: str, seqs: int) -> Frame:
            return await self.ask("look", state, seqs)

    try:
        yield Node()
    finally:
        # It ends with what it is asked.
        given.close()
        assert await process.wait() == 0


@pytest.mark.parametrize("hosted", [in_chromium, in_node])
async def test_two_runs_on_one_socket_are_whole_after_a_kill(
    start_sidecar: StartSidecar,
    transport: TransportName,
    hosted: Callable[[str, Path], AbstractAsyncContextManager[Host]],
    adapter: str,
    tmp_path: Path,
) -> None:
    settings = {"SIDECAR_SYNTHETIC": "1", "SIDECAR_ORIGINS": ORIGIN}
    start = {"crew": "synthetic", "inputs": {"events": 600, "rate": 100, "delay": 0}}
    first = start_sidecar(**settings)
    async with (
        aiohttp.ClientSession() as session,
        FaultProxy(first.url) as proxy,
        hosted(script(adapter, proxy.url, transport), tmp_path) as host,
    ):
        runs = []
        for id in ("first", "second"):
            async with session.post(f"{first.url}/runs", json={"id": id, **start}) as answer:
                runs.append((await answer.json())["run"])
        await host.begin(*runs)
        one = 1 if transport == "ws" else 0
        assert (await host.look("open", 100))["open"] == one

        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        seen = await host.look("reconnecting", 100)
        assert seen["error"] in ("lost", "unreachable")
        assert not any(seqs[-1] >= 600 for seqs in seen["told"].values())
        second = start_sidecar(**settings)
        proxy.target = second.url

        assert (await host.look("open", 300))["open"] == one
        seen = await host.look("idle", 600)
        assert seen["open"] == 0
        for run in runs:
            log = [event for _, event in await Raw(session, second.url, "sse").events(run)]
            assert_whole(log)
            assert seen["told"][run] == [each["seq"] for each in log]
