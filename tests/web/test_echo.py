"""GET /echo, which is /ws in all but what it answers: Autobahn speaks to it (tests/autobahn)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from sidecar.web import echo as module
from sidecar.web.peer import Peer
from tests.support.clock import Clock
from tests.support.served import Served, serve


@pytest.fixture
async def mirror(tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path, echo=True) as served:
        yield served


async def test_without_its_flag_there_is_none(served: Served) -> None:
    async with served.http.get("/echo") as response:
        assert response.status == 404


async def test_what_is_sent_comes_back_in_its_row(mirror: Served) -> None:
    async with mirror.http.ws_connect("/echo") as ws:
        await ws.send_str("süß")
        await ws.send_bytes(b"\xff")
        await ws.send_str("")
        back = [await ws.receive() for _ in range(3)]
    kinds = aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT
    assert [(m.type, m.data) for m in back] == list(zip(kinds, ("süß", b"\xff", ""), strict=True))


async def test_nothing_else_is_said(mirror: Served, clock: Clock) -> None:
    async with mirror.http.ws_connect("/echo") as ws:
        await clock.turn(10)
        await ws.send_str("after the time of a stream.ping")
        assert (await ws.receive()).data == "after the time of a stream.ping"


async def test_it_is_the_peer_of_ws(mirror: Served) -> None:
    async with mirror.http.ws_connect("/echo"):
        [connection] = mirror.connections._open
        assert isinstance(connection, Peer)


async def test_a_message_has_its_largest_size_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LARGEST", 1_000)
    async with serve(tmp_path, echo=True) as served, served.http.ws_connect("/echo") as ws:
        await ws.send_bytes(bytes(1_000))
        assert len(await ws.receive_bytes()) == 1_000
        await ws.send_bytes(bytes(1_001))
        assert ((await ws.receive()).data, ws.close_code) == (1009, 1009)


async def test_what_is_no_upgrade_is_refused_by_its_own_name(mirror: Served) -> None:
    async with mirror.http.get("/echo") as response:
        error = (await response.json())["error"]
    assert (response.status, error["message"][:21]) == (400, "/echo speaks WebSocke")
