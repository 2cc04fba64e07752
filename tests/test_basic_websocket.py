"""Basic WebSocket: the door, the handshake, and frames that are not commands."""

from __future__ import annotations

import json

import aiohttp
import pytest

from tests.support.sidecar import BOUND, Frame, Sidecar


async def ask(ws: aiohttp.ClientWebSocketResponse[bool], text: str) -> Frame:
    await ws.send_str(text)
    frame: Frame = await ws.receive_json(timeout=BOUND)
    return frame


async def test_the_subprotocol_is_spoken(sidecar: Sidecar, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect(f"{sidecar.url}/ws", protocols=("other", "crew.v1")) as ws:
        assert ws.protocol == "crew.v1"


async def test_a_client_without_a_subprotocol_is_served_too(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    async with session.ws_connect(f"{sidecar.url}/ws") as ws:
        ack = await ask(ws, '{"id": "b-1", "cmd": "ping"}')
        assert (ack["type"], ack["id"], ack["ok"]) == ("command.ack", "b-1", True)


async def test_an_idle_socket_is_pinged(start_sidecar: object, tmp_path: object) -> None:
    assert callable(start_sidecar)
    sidecar = start_sidecar(SIDECAR_PING="0.1", until_ready=False)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{sidecar.url}/ws") as ws,
    ):
        frame = await ws.receive_json(timeout=BOUND)
        assert frame["type"] == "stream.ping"
        assert frame["server_time"] > 1.7e12


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "{",
        "[1,2]",
        "null",
        "{}",
        '{"id": 1}',
        '{"id": "x", "cmd": "start", "crew": 1}',
    ],
)
async def test_a_bad_frame_is_answered_and_the_socket_stays(
    sidecar: Sidecar, session: aiohttp.ClientSession, text: str
) -> None:
    async with session.ws_connect(f"{sidecar.url}/ws") as ws:
        ack = await ask(ws, text)
        assert ack["ok"] is False
        assert ack["error"]["code"] == "bad_request"
        assert ack["id"] == ("x" if '"x"' in text else None)
        assert (await ask(ws, '{"id": "b-2", "cmd": "ping"}'))["ok"]


async def test_a_binary_frame_is_answered_and_the_socket_stays(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    async with session.ws_connect(f"{sidecar.url}/ws") as ws:
        await ws.send_bytes(b'{"id": "b-3", "cmd": "ping"}')
        ack = await ws.receive_json(timeout=BOUND)
        assert (ack["id"], ack["error"]["code"]) == (None, "bad_request")
        assert (await ask(ws, '{"id": "b-4", "cmd": "ping"}'))["ok"]


async def test_a_frame_of_a_megabyte_is_too_large_and_the_socket_stays(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    async with session.ws_connect(f"{sidecar.url}/ws") as ws:
        body = {"id": "b-5", "cmd": "start", "inputs": {"message": "x" * 1_048_576}}
        ack = await ask(ws, json.dumps(body))
        assert ack["error"]["code"] == "too_large"
        assert (await ask(ws, '{"id": "b-6", "cmd": "ping"}'))["ok"]


async def test_a_frame_beyond_reading_closes_only_its_own_socket(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    async with (
        session.ws_connect(f"{sidecar.url}/ws") as bystander,
        session.ws_connect(f"{sidecar.url}/ws") as ws,
    ):
        await ws.send_str("x" * (3 * 1024 * 1024))
        closed = await ws.receive(timeout=BOUND)
        # Who is still sending when it is closed may meet a reset before the frame that says why
        # (RFC 1122 section 4.2.2.13).
        if closed.type is aiohttp.WSMsgType.CLOSE:
            assert closed.data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG
        assert ws.closed
        assert (await ask(bystander, '{"id": "b-7", "cmd": "ping"}'))["ok"]


async def test_a_plain_get_is_told_to_upgrade(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    async with session.get(f"{sidecar.url}/ws") as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] == "bad_request"


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost:3001",
        "https://localhost:3000",
        "http://localhost:3000.evil.example",
        "null",
        "",
    ],
)
async def test_a_page_of_another_origin_gets_no_socket(
    sidecar: Sidecar, session: aiohttp.ClientSession, origin: str
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await session.ws_connect(f"{sidecar.url}/ws", headers={"Origin": origin})
    assert refused.value.status == 403


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:3000", "own"])
async def test_a_page_of_an_allowed_origin_gets_one(
    sidecar: Sidecar, session: aiohttp.ClientSession, origin: str
) -> None:
    origin = sidecar.url if origin == "own" else origin
    async with session.ws_connect(f"{sidecar.url}/ws", headers={"Origin": origin}) as ws:
        assert (await ask(ws, '{"id": "b-8", "cmd": "ping"}'))["ok"]


async def test_an_unknown_run_is_an_ack_on_a_socket_that_stays(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    async with session.ws_connect(f"{sidecar.url}/ws?run=r_none") as ws:
        ack = await ws.receive_json(timeout=BOUND)
        assert (ack["id"], ack["error"]["code"]) == (None, "unknown_run")
        ack = await ask(ws, '{"id": "b-9", "cmd": "subscribe", "run": "r_none"}')
        assert (ack["id"], ack["error"]["code"]) == ("b-9", "unknown_run")
