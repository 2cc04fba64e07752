"""Bad input: each kind gets its code, nobody else notices, nothing is lost."""

from __future__ import annotations

import asyncio
import io
import json
import random
from collections.abc import AsyncIterator
from itertools import count

import aiohttp
import pytest

from sidecar.errors import STATUS, Code
from tests.support.sidecar import Raw, Sidecar, assert_whole

_ids = count(1)
JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
async def canary(sidecar: Sidecar, session: aiohttp.ClientSession) -> AsyncIterator[None]:
    """A bystander follows a run of its own through every test here and misses nothing."""
    body = {"id": f"canary-{next(_ids)}", "inputs": {"message": "canary"}}
    async with session.post(f"{sidecar.url}/runs", json=body) as response:
        run = (await response.json())["run"]
    following = asyncio.create_task(Raw(session, sidecar.url, "ws").events(run))
    yield
    events = [event for _, event in await following]
    assert_whole(events)
    assert events[-1]["type"] == "run.completed"


async def refused(response: aiohttp.ClientResponse, code: Code) -> None:
    body = await response.json()
    assert (body["error"]["code"], response.status) == (code, STATUS[code])
    assert body["error"]["message"]
    assert "Traceback" not in str(body)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b'"x"', b"1" * 5_000])
@pytest.mark.parametrize("route", ["/control", "/runs"])
async def test_a_body_that_is_no_command(
    sidecar: Sidecar, session: aiohttp.ClientSession, route: str, body: bytes
) -> None:
    async with session.post(sidecar.url + route, data=body, headers=JSON) as response:
        await refused(response, "bad_request")


@pytest.mark.parametrize(
    "type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
@pytest.mark.parametrize("route", ["/control", "/runs"])
async def test_a_body_that_a_foreign_form_could_have_sent(
    sidecar: Sidecar, session: aiohttp.ClientSession, route: str, type: str
) -> None:
    body = json.dumps({"id": f"bi-{next(_ids)}", "cmd": "start"})
    headers = {"Content-Type": type}
    async with session.post(sidecar.url + route, data=body, headers=headers) as response:
        await refused(response, "unsupported_media_type")


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_of_a_megabyte(
    sidecar: Sidecar, session: aiohttp.ClientSession, chunked: bool
) -> None:
    body = b'{"id": "big", "cmd": "start", "inputs": {"m": "%b"}}' % (b"x" * 1_048_576)

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    data = pieces() if chunked else io.BytesIO(body)
    async with session.post(f"{sidecar.url}/control", data=data, headers=JSON) as response:
        await refused(response, "too_large")


@pytest.mark.parametrize(
    "route", ["/", "/ws", "/sse?run=r", "/runs", "/runs/r", "/runs/r/events", "/healthz", "/no"]
)
async def test_a_foreign_origin_and_a_foreign_host_get_nowhere(
    sidecar: Sidecar, session: aiohttp.ClientSession, route: str
) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example:8770"}):
        async with session.get(sidecar.url + route, headers=headers) as response:
            await refused(response, "forbidden")
            assert "Access-Control-Allow-Origin" not in response.headers
        async with session.post(sidecar.url + route, json={}, headers=headers) as response:
            await refused(response, "forbidden")
    preflight = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    async with session.options(sidecar.url + route, headers=preflight) as response:
        await refused(response, "forbidden")


async def test_an_allowed_origin_may_read_and_preflight(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    origin = "http://localhost:3000"
    async with session.get(f"{sidecar.url}/runs", headers={"Origin": origin}) as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert response.headers["Vary"] == "Origin"
    preflight = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    async with session.options(f"{sidecar.url}/control", headers=preflight) as response:
        assert response.status == 204
        assert "Content-Type" in response.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize(
    ("route", "code"),
    [
        ("/sse", "bad_request"),
        ("/sse?run=", "bad_request"),
        ("/sse?run=r_none", "unknown_run"),
        ("/sse?run=%00%0d%0aX:1", "unknown_run"),
        ("/runs/r_none", "unknown_run"),
        ("/runs/..%2f..%2fetc", "unknown_run"),
        ("/runs/r_none/events", "unknown_run"),
        ("/runs?limit=x", "bad_request"),
        ("/runs?limit=0", "bad_request"),
        ("/runs?limit=99999999999999999999", "bad_request"),
        ("/runs?limit=%D9%A3", "bad_request"),
        ("/runs?state=asleep", "bad_request"),
        ("/runs?state=live,asleep", "bad_request"),
        ("/runs?before=r_none", "bad_request"),
        (f"/runs?q={'x' * 201}", "bad_request"),
        ("/runs?brief=yes", "bad_request"),
        ("/nowhere", "not_found"),
        ("/control", "method_not_allowed"),
    ],
)
async def test_a_question_that_makes_no_sense(
    sidecar: Sidecar, session: aiohttp.ClientSession, route: str, code: Code
) -> None:
    async with session.get(f"{sidecar.url}{route}") as response:
        await refused(response, code)


async def test_a_header_that_is_too_long_is_refused(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    async with session.get(f"{sidecar.url}/runs", headers={"X-Long": "x" * 10_000}) as response:
        assert response.status == 400


async def test_a_thousand_kinds_of_junk_never_give_a_500(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    dice = random.Random(7)
    pieces = [
        *('{"id":', '"c-1"', ',"cmd":', '"start"', '"cancel"', ',"run":', '"r_1"', "null", "{}"),
        *("[", "]", "}", '"inputs":', '"\\ud800"', "1e999", "NaN", "\x00", "é", "-", '"limit":-1'),
    ]
    async with session.ws_connect(f"{sidecar.url}/ws") as ws:
        for _ in range(1_000):
            text = "".join(dice.choices(pieces, k=dice.randint(0, 9)))
            await ws.send_str(text)
            ack = await ws.receive_json(timeout=30)
            assert ack["type"] == "command.ack"
            assert ack["ok"] or ack["error"]["code"] in (
                "bad_request",
                "unknown_command",
                "unknown_run",
                "id_reused",
            ), (text, ack)
    for _ in range(200):
        text = "".join(dice.choices(pieces, k=dice.randint(0, 9)))
        async with session.post(
            f"{sidecar.url}/control", data=text.encode(), headers=JSON
        ) as response:
            assert response.status < 500, text
    assert '"level":"error"' not in sidecar.stderr


async def test_raw_bytes_that_are_no_http_close_only_their_own_connection(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    host, port = sidecar.url.removeprefix("http://").split(":")
    for junk in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"\x00" * 100, b"GET / HTTP/9.9\r\n\r\n"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(junk)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 30)
        assert b"Traceback" not in answer
        writer.close()
        await writer.wait_closed()
