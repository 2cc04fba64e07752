"""WebSocket pings: who answers stays, who does not is let go with 4002."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from sidecar.gateway import Gateway
from sidecar.settings import Settings
from sidecar.web import ws as ws_module

WSMsgType = aiohttp.WSMsgType


@pytest.fixture
async def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    monkeypatch.setattr(ws_module, "_HEARTBEAT_SECONDS", 0.05)
    monkeypatch.setattr(ws_module, "_SILENCE_SECONDS", 0.5)
    async with Gateway(Settings(port=0, data=tmp_path, log="memory", warm=0)) as gateway:
        yield gateway


async def test_a_client_that_answers_no_ping_is_let_go(gateway: Gateway) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{gateway.url}/ws", autoping=False) as ws,
    ):
        message = await ws.receive(timeout=30)
        while message.type is WSMsgType.PING:
            message = await ws.receive(timeout=30)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 4002)


async def test_a_client_that_answers_pings_stays(gateway: Gateway) -> None:
    loop = asyncio.get_running_loop()
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{gateway.url}/ws", autoping=False) as ws,
    ):
        began = loop.time()
        while loop.time() < began + 2 * ws_module._SILENCE_SECONDS:
            message = await ws.receive(timeout=30)
            assert message.type is WSMsgType.PING
            await ws.pong(message.data)
        await ws.send_str('{"id": "p-1", "cmd": "ping"}')
        while (message := await ws.receive(timeout=30)).type is WSMsgType.PING:
            await ws.pong(message.data)
        assert message.json()["ok"]


async def test_a_client_that_asks_is_answered(gateway: Gateway) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{gateway.url}/ws", autoping=False) as ws,
    ):
        await ws.ping(b"are you there")
        while (message := await ws.receive(timeout=30)).type is WSMsgType.PING:
            await ws.pong(message.data)
        assert (message.type, message.data) == (WSMsgType.PONG, b"are you there")
