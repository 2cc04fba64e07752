"""GET /sse: the same events as server-sent events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sidecar.errors import StoreError
from sidecar.web.stall import STALL_SECONDS
from tests.support.clock import Clock, settle
from tests.support.served import Served, blocks, serve, until_stuck

Told = list[tuple[str | None, dict[str, Any]]]


async def told(response: aiohttp.ClientResponse, types: int = 0) -> Told:
    """So many blocks; all there are with 0."""
    heard: Told = []
    async for block in blocks(response):
        heard.append(block)
        if len(heard) == types:
            break
    return heard


def stream(served: Served, run: str, **headers: str) -> aiohttp.client._RequestContextManager:
    return served.http.get("/sse", params={"run": run}, headers=headers)


async def test_a_run_is_told_from_its_beginning_to_its_end_and_the_stream_closes(
    served: Served,
) -> None:
    run = await served.completed()
    async with stream(served, run) as response:
        assert response.status == 200
        heard = await told(response)
    epoch = heard[0][1]["epoch"]
    assert [(id, frame["type"]) for id, frame in heard] == [
        (None, "stream.hello"),
        (f"{epoch}-1", "run.queued"),
        (f"{epoch}-2", "run.started"),
        (f"{epoch}-3", "llm.delta"),
        (f"{epoch}-4", "run.completed"),
        (None, "stream.live"),
        (None, "stream.end"),
    ]
    assert [frame for id, frame in heard if id] == [json.loads(e) for e in await served.log(run)]


async def test_what_happens_is_told_when_it_happens(served: Served) -> None:
    run, worker = await served.running()
    async with stream(served, run) as response:
        heard = blocks(response)
        for type in ("stream.hello", "run.queued", "run.started", "stream.live"):
            assert (await anext(heard))[1]["type"] == type
        worker.say("llm.delta", {"text": "x"})
        assert (await anext(heard))[1]["data"] == {"text": "x"}
        worker.say("run.completed", {})
        worker.leave()
        assert [frame["type"] async for _, frame in heard] == ["run.completed", "stream.end"]


async def test_nothing_on_the_way_may_hold_a_stream_back(served: Served) -> None:
    run, _ = await served.running()
    async with stream(served, run) as response:
        assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert response.headers["Cache-Control"] == "no-cache, no-transform"
        assert response.headers["X-Accel-Buffering"] == "no"


async def test_a_reader_goes_on_where_it_was_and_its_header_knows_better_than_the_url(
    served: Served,
) -> None:
    run = await served.completed()
    first = json.loads((await served.log(run))[0])["id"]
    third = json.loads((await served.log(run))[2])["id"]
    async with served.http.get("/sse", params={"run": run, "after": first}) as response:
        assert (await told(response))[1][1]["seq"] == 2
    query = {"run": run, "after": first}
    async with served.http.get("/sse", params=query, headers={"Last-Event-ID": third}) as response:
        heard = await told(response)
    assert [frame["type"] for _, frame in heard][1] == "run.completed"


async def test_one_who_has_it_all_is_told_not_to_come_back(served: Served) -> None:
    run = await served.completed()
    last = json.loads((await served.log(run))[-1])["id"]
    async with stream(served, run, **{"Last-Event-ID": last}) as response:
        assert (response.status, await response.read()) == (204, b"")


@pytest.mark.parametrize("cursor", ["junk", "other-4", "zzzzzz-9"])
async def test_a_cursor_that_cannot_be_honoured_gets_a_reset_and_everything(
    served: Served, cursor: str
) -> None:
    run = await served.completed()
    async with stream(served, run, **{"Last-Event-ID": cursor}) as response:
        assert response.status == 200
        types = [frame["type"] for _, frame in await told(response)]
    assert types[:3] == ["stream.hello", "stream.reset", "run.queued"]


@pytest.mark.parametrize("path", ["/sse", "/sse?run="])
async def test_which_run_has_to_be_said(served: Served, path: str) -> None:
    async with served.http.get(path) as response:
        error = (await response.json())["error"]
    assert (response.status, error["message"]) == (400, "which run? GET /sse?run=ID")


async def test_a_run_that_there_is_not_is_not_found(served: Served) -> None:
    async with stream(served, "r_0") as response:
        assert (response.status, (await response.json())["error"]["code"]) == (404, "unknown_run")


async def test_with_too_many_readers_one_more_is_to_come_back_later(tmp_path: Path) -> None:
    async with serve(tmp_path, max_connections=1) as served:
        run, _ = await served.running()
        async with stream(served, run) as first:
            assert (await told(first, 1))[0][1]["type"] == "stream.hello"
            async with stream(served, run) as second:
                # Not 503: an EventSource would give up for good.
                assert (second.status, await second.read()) == (200, b"retry: 10000\n\n")
                assert second.content_type == "text/event-stream"


async def test_a_proxy_of_http_1_0_gets_no_chunks_and_the_same_blocks(served: Served) -> None:
    run = await served.completed()
    reader, writer = await served.connect()
    writer.write(f"GET /sse?run={run} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    body = await reader.read()
    writer.close()
    datas = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: ")]
    assert datas[1:-2] == await served.log(run)
    assert body.startswith(b"event: stream.hello\n")


async def test_a_stream_ends_as_http_1_1_has_it(served: Served) -> None:
    run = await served.completed()
    reader, writer = await served.connect()
    writer.write(f"GET /sse?run={run} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert (await reader.read()).endswith(b"}\n\n\r\n0\r\n\r\n")
    writer.close()


async def test_pings_say_how_far_a_reader_is(served: Served, clock: Clock) -> None:
    run, _ = await served.running()
    async with stream(served, run) as response:
        heard = blocks(response)
        for _ in range(4):
            await anext(heard)
        await clock.turn(10)
        id, ping = await anext(heard)
        assert (id, ping["type"], ping["run"], ping["seq"]) == (None, "stream.ping", run, 2)


async def test_a_reader_that_leaves_is_seen_to_leave(served: Served) -> None:
    run, worker = await served.running()
    reader, writer = await served.connect()
    writer.write(f"GET /sse?run={run} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    await reader.readuntil(b"stream.live")
    [connection] = served.connections._open
    writer.close()
    await writer.wait_closed()
    while served.connections._open:
        worker.say("llm.delta", {"text": "x"})
        await settle()
    assert connection.closing


async def test_a_reader_that_takes_nothing_is_let_go(served: Served, clock: Clock) -> None:
    run, worker = await served.running()
    _, writer = await served.connect(limit=1)
    writer.write(f"GET /sse?run={run} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    while not served.connections._open:
        await settle()
    [connection] = served.connections._open
    for _ in range(400):
        worker.say("llm.delta", {"text": "x" * 60_000})
    await until_stuck(connection)
    await clock.turn(STALL_SECONDS)
    assert served.connections._open == set()
    worker.say("llm.delta", {"text": "nobody is hurt"})
    await settle()
    assert (await served.supervisor.snapshot(run))["state"] == "running"
    writer.close()


async def test_a_log_that_can_be_read_no_more_is_said_and_the_body_breaks_off(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = await served.running()

    async def unreadable(*_: object) -> None:
        raise StoreError("cannot read the log /home/me/log.sqlite3: disk I/O error")

    monkeypatch.setattr((await served.supervisor.feed(run)).log, "read", unreadable)
    async with stream(served, run) as response:
        heard = blocks(response)
        assert (await anext(heard))[1]["type"] == "stream.hello"
        ping = (await anext(heard))[1]
        assert (ping["type"], ping["trouble"]) == ("stream.ping", "the log can't be read")
        with pytest.raises(aiohttp.ClientPayloadError):
            await anext(heard)
