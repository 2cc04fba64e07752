"""Commands and questions over plain HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sidecar.web import requests as module
from tests.support.clock import Clock
from tests.support.served import Served, blocks, serve

STREAM = {"Accept": "text/event-stream"}


async def post(
    served: Served, path: str, body: object, headers: Mapping[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    async with served.http.post(path, json=body, headers=headers) as response:
        return response.status, await response.json()


async def get(served: Served, path: str, **query: str) -> tuple[int, dict[str, Any]]:
    async with served.http.get(path, params=query) as response:
        return response.status, await response.json()


async def test_a_command_is_answered_by_its_ack(served: Served) -> None:
    run, worker = await served.running()
    asked = {"id": "c-1", "cmd": "modify", "run": run, "instruction": "x"}
    ack = {"type": "command.ack", "id": "c-1", "ok": True, "run": run, "seq": 3}
    assert await post(served, "/control", asked) == (200, ack)
    assert worker.orders[-1]["order"] == "modify"
    assert await post(served, "/control", asked) == (200, {**ack, "duplicate": True})


async def test_a_refusal_is_an_ack_with_the_status_of_its_code(served: Served) -> None:
    run, _ = await served.running()
    status, ack = await post(served, "/control", {"id": "c-1", "cmd": "answer", "run": run})
    assert (status, ack["id"], ack["error"]["code"]) == (400, "c-1", "bad_request")
    asked = {"id": "c-2", "cmd": "answer", "run": run, "input": "in_1", "text": ""}
    status, ack = await post(served, "/control", asked)
    assert (status, ack["id"], ack["ok"]) == (409, "c-2", False)
    assert ack["error"]["code"] == "illegal_state"
    status, ack = await post(served, "/control", {"id": "c-3", "cmd": "status", "run": "r_0"})
    assert (status, ack["id"], ack["error"]["code"]) == (404, "c-3", "unknown_run")


async def test_a_refusal_that_is_temporary_says_when_to_come_back(tmp_path: Path) -> None:
    async with serve(tmp_path, max_runs=1, queue=0) as served:
        await served.running()
        async with served.http.post("/runs", json={"id": "s"}) as response:
            ack = await response.json()
            assert (response.status, response.headers["Retry-After"]) == (429, "1")
            assert (ack["id"], ack["error"]["code"]) == ("s", "at_capacity")


@pytest.mark.parametrize("path", ["/control", "/runs"])
@pytest.mark.parametrize("type", ["text/plain", "application/x-www-form-urlencoded"])
async def test_a_body_that_a_form_of_any_page_could_send_is_refused(
    served: Served, path: str, type: str
) -> None:
    body = b'{"id": "s", "cmd": "start"}'
    async with served.http.post(path, data=body, headers={"Content-Type": type}) as response:
        ack = await response.json()
    assert (response.status, ack["id"]) == (415, None)
    assert ack["error"]["code"] == "unsupported_media_type"
    assert served.pool.taken == []


@pytest.mark.parametrize(
    ("body", "says"),
    [(b"", "not JSON"), (b"{", "not JSON"), (b"[]", "a JSON object"), (b"\xff", "not JSON")],
)
async def test_a_body_that_is_no_command_is_refused(served: Served, body: bytes, says: str) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    async with served.http.post("/control", data=body, headers=headers) as response:
        ack = await response.json()
    assert (response.status, ack["id"], ack["error"]["code"]) == (400, None, "bad_request")
    assert says in ack["error"]["message"]


async def test_a_command_may_have_256_kib_and_no_more(served: Served) -> None:
    longest = 256 * 1024
    empty = len(json.dumps({"id": "p", "cmd": "ping", "x": ""}))
    fits = {"id": "p", "cmd": "ping", "x": "x" * (longest - empty)}
    assert len(json.dumps(fits)) == longest
    status, ack = await post(served, "/control", fits)
    assert (status, ack["ok"]) == (200, True)
    status, ack = await post(served, "/control", {**fits, "id": "pp"})
    assert (status, ack["error"]["code"]) == (413, "too_large")
    assert "262144 bytes" in ack["error"]["message"]


async def test_a_body_that_drips_in_is_waited_for_ten_seconds(served: Served, clock: Clock) -> None:
    reader, writer = await served.connect()
    writer.write(
        b"POST /control HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n"
    )
    # The handler has begun to read: that is what `100 Continue` says.
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b'{"id": "c-1",')
    await clock.turn(10)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"the body did not arrive within 10 s" in await reader.readuntil(b"}}")
    writer.close()


async def test_a_run_that_was_started_is_to_be_found(served: Served) -> None:
    async with served.http.post("/runs", json={"id": "s", "inputs": {"message": "tea"}}) as found:
        ack = await found.json()
        assert (found.status, found.headers["Location"]) == (201, f"/runs/{ack['run']}")
    status, snapshot = await get(served, found.headers["Location"])
    assert (status, snapshot["run"]) == (200, ack["run"])
    assert snapshot["inputs"] == {"message": "tea"}


async def test_a_run_that_was_started_for_a_reader_is_its_own_answer(served: Served) -> None:
    async with served.http.post("/runs", json={"id": "s"}, headers=STREAM) as response:
        assert (response.status, response.content_type) == (201, "text/event-stream")
        assert response.headers["Location"].startswith("/runs/r_")
        stream = blocks(response)
        assert (await anext(stream))[1]["type"] == "stream.hello"
        _, queued = await anext(stream)
        assert (queued["type"], queued["cause"]) == ("run.queued", "s")


async def test_with_too_many_readers_a_run_for_one_more_is_refused_before_it_starts(
    tmp_path: Path,
) -> None:
    async with serve(tmp_path, max_connections=1) as served, served.http.ws_connect("/ws"):
        async with served.http.post("/runs", json={"id": "s"}, headers=STREAM) as response:
            ack = await response.json()
            assert (response.status, response.headers["Retry-After"]) == (429, "1")
        assert (ack["id"], ack["error"]["code"]) == ("s", "at_capacity")
        assert served.pool.taken == []
        # It is not remembered, and who wants no stream is served.
        assert (await post(served, "/runs", {"id": "s"}))[0] == 201


@pytest.mark.parametrize("headers", [{}, STREAM])
async def test_a_start_that_is_refused_is_an_ack_for_a_reader_too(
    served: Served, headers: dict[str, str]
) -> None:
    status, ack = await post(served, "/runs", {"id": "s", "crew": "nobody"}, headers)
    assert (status, ack["id"], ack["error"]["code"]) == (404, "s", "unknown_crew")
    assert served.pool.taken == []


async def test_runs_are_listed_by_state_and_up_to_a_limit(served: Served) -> None:
    over = await served.completed()
    live, _ = await served.running()
    _, listed = await get(served, "/runs")
    assert [run["run"] for run in listed["runs"]] == [live, over]
    _, listed = await get(served, "/runs", limit="1")
    assert [run["run"] for run in listed["runs"]] == [live]
    _, listed = await get(served, "/runs", state="completed")
    assert [run["run"] for run in listed["runs"]] == [over]
    status, body = await get(served, "/runs", state="asleep")
    assert (status, body["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "limit",
    ["0", "1001", "-1", "1.5", "ten", "٣", " ", "0000000509999999", "0" * 4_400 + "1", "9" * 4_400],
)
async def test_a_limit_is_a_whole_number_within_bounds(served: Served, limit: str) -> None:
    status, body = await get(served, "/runs", limit=limit)
    message = "'limit' must be a whole number from 1 to 1000"
    assert (status, body["error"]["message"]) == (400, message)


@pytest.mark.parametrize("path", ["/runs/r_0", "/runs/r_0/events"])
async def test_a_run_that_there_is_not_is_not_found(served: Served, path: str) -> None:
    status, body = await get(served, path)
    assert (status, body["error"]["code"]) == (404, "unknown_run")


async def test_a_page_of_the_log_has_the_bytes_that_a_stream_has(served: Served) -> None:
    run = await served.completed()
    events = await served.log(run)
    epoch = json.loads(events[0])["id"].partition("-")[0]
    async with served.http.get(f"/runs/{run}/events", params={"limit": "2"}) as response:
        assert response.content_type == "application/json"
        body = await response.read()
    assert body == (
        b'{"run":"%b","epoch":"%b","events":[%b,%b],"next":"%b-2","end":false}'
        % (run.encode(), epoch.encode(), events[0], events[1], epoch.encode())
    )


async def test_pages_follow_each_other_to_the_end(served: Served) -> None:
    run = await served.completed()
    told: list[int] = []
    page: dict[str, Any] = {"end": False, "next": ""}
    while not page["end"]:
        _, page = await get(served, f"/runs/{run}/events", limit="3", after=page["next"])
        told += [event["seq"] for event in page["events"]]
        assert "reset" not in page
    assert told == [1, 2, 3, 4]
    _, after = await get(served, f"/runs/{run}/events", after=page["next"])
    assert (after["events"], after["next"], after["end"]) == ([], page["next"], True)


async def test_a_page_stops_at_a_mebibyte_and_the_next_goes_on(served: Served) -> None:
    run, worker = await served.running()
    for _ in range(40):
        worker.say("llm.delta", {"text": "x" * 60_000})
    worker.say("run.completed", {})
    worker.leave()
    await served.supervisor.settled()
    told: list[int] = []
    page: dict[str, Any] = {"end": False, "next": ""}
    while not page["end"]:
        async with served.http.get(
            f"/runs/{run}/events", params={"limit": "10000", "after": page["next"]}
        ) as response:
            body = await response.read()
        assert len(body) <= 1_100_000
        page = json.loads(body)
        told += [event["seq"] for event in page["events"]]
    assert told == list(range(1, 44))


async def test_one_event_that_is_longer_than_a_page_is_a_page(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAGE_BYTES", 10)
    run = await served.completed()
    _, page = await get(served, f"/runs/{run}/events")
    assert [event["seq"] for event in page["events"]] == [1]


async def test_at_the_head_of_a_live_run_a_page_is_empty_and_no_end(served: Served) -> None:
    run, worker = await served.running()
    _, page = await get(served, f"/runs/{run}/events")
    _, empty = await get(served, f"/runs/{run}/events", after=page["next"])
    assert (empty["events"], empty["next"], empty["end"]) == ([], page["next"], False)
    worker.leave()


async def test_a_cursor_that_cannot_be_honoured_is_answered_with_all_and_the_reason(
    served: Served,
) -> None:
    run = await served.completed()
    _, page = await get(served, f"/runs/{run}/events", after="another-2")
    assert page["reset"] == {"reason": "epoch", "from": 1}
    assert [event["seq"] for event in page["events"]] == [1, 2, 3, 4]


async def test_the_header_of_one_who_comes_back_knows_better_than_the_url(
    served: Served,
) -> None:
    run = await served.completed()
    _, page = await get(served, f"/runs/{run}/events", limit="1")
    url = f"/runs/{run}/events?after={page['next']}"
    epoch = page["epoch"]
    async with served.http.get(url, headers={"Last-Event-ID": f"{epoch}-3"}) as response:
        later = await response.json()
    assert [event["seq"] for event in later["events"]] == [4]


async def test_a_page_has_at_most_ten_thousand_events(served: Served) -> None:
    run = await served.completed()
    assert (await get(served, f"/runs/{run}/events", limit="10000"))[0] == 200
    status, body = await get(served, f"/runs/{run}/events", limit="10001")
    assert (status, body["error"]["code"]) == (400, "bad_request")


async def test_a_connection_serves_one_request_after_the_other(served: Served) -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(served.url, connector=connector) as http:
        for path, status in (("/runs", 200), ("/runs/r_0", 404), ("/runs", 200)):
            async with http.get(path) as response:
                assert response.status == status
