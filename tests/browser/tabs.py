"""A Chromium whose tabs are really hidden when another one is in front.

Playwright makes every page believe that it is in front (focus emulation, which no other session can
take back), so these tabs are driven by the DevTools protocol alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.browser.chat import FLAGS, PATIENCE

__all__ = ["Tab", "Tabs", "hidden_tabs"]


class Tab:
    def __init__(self, session: aiohttp.ClientSession, base: str, target: dict[str, Any]) -> None:
        self._session = session
        self._base = base
        self._id = target["id"]
        self._socket = target["webSocketDebuggerUrl"]

    async def evaluate(self, expression: str) -> Any:
        """What an expression, or the promise that it gives, comes to."""
        params = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        async with self._tools() as socket:
            await socket.send_json({"id": 1, "method": "Runtime.evaluate", "params": params})
            answer = await _until(socket, id=1)
        assert "exceptionDetails" not in answer["result"], answer
        return answer["result"]["result"].get("value")

    async def load(self, url: str) -> None:
        async with self._tools() as socket:
            await socket.send_json({"id": 1, "method": "Page.enable"})
            await _until(socket, id=1)
            await socket.send_json({"id": 2, "method": "Page.navigate", "params": {"url": url}})
            await _until(socket, method="Page.loadEventFired")

    def _tools(self) -> Any:
        return self._session.ws_connect(self._socket, max_msg_size=0)

    async def until(self, expression: str, milliseconds: int = PATIENCE) -> None:
        """Wait until an expression holds, also in a hidden tab, where no frame is drawn."""
        held = await self.evaluate(
            f"""new Promise((resolve) => {{
              const end = performance.now() + {milliseconds};
              (function look() {{
                if ({expression}) resolve(true);
                else if (performance.now() > end) resolve(false);
                else setTimeout(look, 20);
              }})();
            }})"""
        )
        assert held, f"not within {milliseconds} ms: {expression}"

    async def bring_to_front(self) -> None:
        async with self._session.get(f"{self._base}/json/activate/{self._id}") as response:
            assert response.status == 200
        await self.until("document.visibilityState === 'visible'")


async def _until(socket: aiohttp.ClientWebSocketResponse[Any], **wanted: Any) -> dict[str, Any]:
    """The next message that says this."""
    while True:
        message: dict[str, Any] = await socket.receive_json(timeout=2 * PATIENCE / 1_000)
        if wanted.items() <= message.items():
            return message


class Tabs:
    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self._session = session
        self._base = base

    async def open(self, url: str) -> Tab:
        """A new tab in front of the others."""
        async with self._session.put(f"{self._base}/json/new?about:blank") as response:
            tab = Tab(self._session, self._base, await response.json())
        await tab.load(url)
        return tab


@contextlib.asynccontextmanager
async def hidden_tabs(profile: Path, *flags: str) -> AsyncIterator[Tabs]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.fail("The browser tests need Chromium. Run: apt-get install -y chromium")
    process = await asyncio.create_subprocess_exec(
        path,
        "--headless=new",
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        *FLAGS,
        *flags,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        port = None
        while port is None:
            line = await asyncio.wait_for(process.stderr.readline(), PATIENCE / 1_000)
            assert line, "Chromium ended before it said where its tools are"
            port = re.search(rb"DevTools listening on ws://127\.0\.0\.1:(\d+)/", line)
        # Nobody reads the rest, which must not fill the pipe.
        rest = asyncio.create_task(process.stderr.read())
        async with aiohttp.ClientSession() as session:
            yield Tabs(session, f"http://127.0.0.1:{port[1].decode()}")
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(rest, PATIENCE / 1_000)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        await process.wait()
