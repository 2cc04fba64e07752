"""What every reader may rely on, over WebSocket and SSE alike, on both kinds of log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count

import aiohttp
import pytest

from tests.support.sidecar import Frame, Raw, Sidecar, TransportName, assert_whole

_ids = count(1)


@pytest.fixture(scope="module", params=["sqlite", "memory"])
def sidecar(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sidecar]:
    data = tmp_path_factory.mktemp(request.param) / "data"
    running = Sidecar(data, SIDECAR_LOG=request.param, SIDECAR_PING="0.2").start()
    yield running
    assert running.stop() == 0
    assert '"level":"error"' not in running.stderr


@pytest.fixture
async def run(raw: Raw) -> str:
    """A run that has just been started."""
    ack = await raw.command(
        {"id": f"t-{next(_ids)}", "cmd": "start", "inputs": {"message": "Tee für Zoë 🫖"}}
    )
    assert ack["ok"], ack
    return str(ack["run"])


@pytest.fixture
async def done(raw: Raw, run: str) -> tuple[str, list[tuple[bytes, Frame]]]:
    """A run that has ended, and its log."""
    return run, await raw.events(run)


async def control_frames(raw: Raw, run: str, after: str | None = None) -> list[Frame]:
    return [f async for _, f in raw.frames(run, after) if f["type"].startswith("stream.")]


async def test_a_live_reader_gets_hello_then_all_events_then_the_end(raw: Raw, run: str) -> None:
    frames = [frame async for _, frame in raw.frames(run)]
    hello, end = frames[0], frames[-1]
    assert hello["type"] == "stream.hello"
    assert (hello["protocol"], hello["run"]) == (1, run)
    assert end["type"] == "stream.end"
    events = [f for f in frames if not f["type"].startswith("stream.")]
    assert_whole(events)
    assert events[0]["type"] == "run.queued"
    assert events[-1]["type"] == "run.completed"
    assert end["id"] == events[-1]["id"] == f"{hello['epoch']}-{len(events)}"
    lives = [f for f in frames if f["type"] == "stream.live"]
    assert len(lives) == 1


async def test_live_says_that_everything_up_to_its_seq_was_told(raw: Raw, run: str) -> None:
    seq = 0
    async for _, frame in raw.frames(run):
        if frame["type"] == "stream.live":
            assert frame["seq"] == seq
            return
        seq = frame.get("seq", seq) if not frame["type"].startswith("stream.") else seq
    pytest.fail("no stream.live")


async def test_pings_come_while_nothing_else_does_and_name_the_place(raw: Raw, run: str) -> None:
    frames = [frame async for _, frame in raw.frames(run)]
    pings = [f for f in frames if f["type"] == "stream.ping"]
    assert pings
    assert all(p["run"] == run and p["server_time"] > 1.7e12 for p in pings)


async def test_the_same_event_is_the_same_bytes_on_every_route(
    sidecar: Sidecar,
    session: aiohttp.ClientSession,
    done: tuple[str, list[tuple[bytes, Frame]]],
) -> None:
    run, events = done
    for transport in ("ws", "sse"):
        told = await Raw(session, sidecar.url, transport).events(run)
        assert [raw for raw, _ in told] == [raw for raw, _ in events]
    body = await (await session.get(f"{sidecar.url}/runs/{run}/events?limit=10000")).read()
    for raw_event, _ in events:
        assert raw_event in body
    assert body.count(b'"seq":') == len(events)


async def test_every_cursor_continues_without_a_seam(
    raw: Raw, done: tuple[str, list[tuple[bytes, Frame]]]
) -> None:
    run, events = done
    for place in range(0, len(events) - 1, max(1, len(events) // 20)):
        told = await raw.events(run, events[place][1]["id"])
        assert [t[0] for t in told] == [e[0] for e in events[place + 1 :]]


async def test_a_finished_run_read_from_its_beginning_is_replayed_whole(
    raw: Raw, done: tuple[str, list[tuple[bytes, Frame]]]
) -> None:
    run, events = done
    assert await raw.events(run) == events
    controls = [f["type"] for f in await control_frames(raw, run)]
    assert controls == ["stream.hello", "stream.live", "stream.end"]


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        ("-1", "malformed"),
        ("abc", "malformed"),
        ("{epoch}-", "malformed"),
        ("<script>", "malformed"),
        ("zzzzzz-3", "epoch"),
        ("{epoch}-999999", "ahead"),
    ],
)
async def test_a_cursor_that_cannot_be_honoured_gets_a_reset_and_then_everything(
    raw: Raw, done: tuple[str, list[tuple[bytes, Frame]]], after: str, reason: str
) -> None:
    run, events = done
    cursor = after.format(epoch=events[0][1]["id"].split("-")[0])
    controls = await control_frames(raw, run, cursor)
    assert [f["type"] for f in controls[:2]] == ["stream.hello", "stream.reset"]
    assert (controls[1]["run"], controls[1]["reason"], controls[1]["from"]) == (run, reason, 1)
    assert await raw.events(run, cursor) == events


async def test_pages_join_to_the_log(
    sidecar: Sidecar,
    session: aiohttp.ClientSession,
    done: tuple[str, list[tuple[bytes, Frame]]],
) -> None:
    run, events = done
    told: list[Frame] = []
    after = ""
    while True:
        query = {"after": after, "limit": "7"}
        async with session.get(f"{sidecar.url}/runs/{run}/events", params=query) as response:
            page = await response.json()
        assert page["run"] == run
        assert len(page["events"]) <= 7
        told += page["events"]
        after = page["next"]
        if page["end"]:
            break
    assert told == [event for _, event in events]
    assert after == f"{page['epoch']}-{len(events)}"


async def test_a_page_says_when_its_cursor_could_not_be_honoured(
    sidecar: Sidecar,
    session: aiohttp.ClientSession,
    done: tuple[str, list[tuple[bytes, Frame]]],
) -> None:
    run, _ = done
    async with session.get(f"{sidecar.url}/runs/{run}/events?after=junk&limit=1") as response:
        page = await response.json()
    assert page["reset"] == {"reason": "malformed", "from": 1}
    assert page["events"][0]["seq"] == 1


async def test_many_readers_of_one_run_agree(
    sidecar: Sidecar, session: aiohttp.ClientSession, run: str
) -> None:
    names: list[TransportName] = ["ws", "sse"] * 10
    logs = await asyncio.gather(*(Raw(session, sidecar.url, n).events(run) for n in names))
    assert_whole([event for _, event in logs[0]])
    assert all(log == logs[0] for log in logs)


async def test_the_snapshot_holds_good_for_its_cursor(
    sidecar: Sidecar, session: aiohttp.ClientSession, raw: Raw, run: str
) -> None:
    async for _, frame in raw.frames(run):
        if frame["type"] == "task.completed":
            break
    async with session.get(f"{sidecar.url}/runs/{run}") as response:
        snapshot = await response.json()
    assert snapshot["seq"] >= frame["seq"]
    rest = await raw.events(run, snapshot["id"])
    assert rest[0][1]["seq"] == snapshot["seq"] + 1
    async with session.get(f"{sidecar.url}/runs/{run}") as response:
        last = await response.json()
    assert last["state"] == "completed"
    assert last["output"] == rest[-1][1]["data"]["output"]
    assert [t["state"] for t in last["tasks"]] == ["completed"] * 3
    assert last["usage"] == rest[-1][1]["data"]["usage"]


async def test_an_eventsource_that_has_everything_is_told_to_stop(
    sidecar: Sidecar,
    session: aiohttp.ClientSession,
    done: tuple[str, list[tuple[bytes, Frame]]],
) -> None:
    run, events = done
    url = f"{sidecar.url}/sse?run={run}"
    last = events[-1][1]["id"]
    async with session.get(url, headers={"Last-Event-ID": last}) as response:
        assert response.status == 204
    async with session.get(f"{url}&after={last}") as response:
        assert response.status == 204


async def test_the_header_of_a_reconnecting_eventsource_beats_the_url(
    sidecar: Sidecar,
    session: aiohttp.ClientSession,
    done: tuple[str, list[tuple[bytes, Frame]]],
) -> None:
    run, events = done
    url = f"{sidecar.url}/sse?run={run}&after={events[0][1]['id']}"
    async with session.get(url, headers={"Last-Event-ID": events[-2][1]["id"]}) as response:
        body = await response.read()
    assert body.count(b"\nid: ") == 1
    assert events[-1][0] in body


async def test_a_stream_forbids_proxies_to_buffer_or_transform(
    sidecar: Sidecar, session: aiohttp.ClientSession, done: tuple[str, list[tuple[bytes, Frame]]]
) -> None:
    run, _ = done
    async with session.get(f"{sidecar.url}/sse?run={run}") as response:
        assert response.headers["Cache-Control"] == "no-cache, no-transform"
        assert response.headers["X-Accel-Buffering"] == "no"


async def test_a_reader_of_http_1_0_gets_the_same_events_in_no_chunks(
    sidecar: Sidecar, done: tuple[str, list[tuple[bytes, Frame]]]
) -> None:
    """nginx speaks it to what it stands before, unless told otherwise."""
    run, events = done
    host, port = sidecar.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /sse?run={run} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    assert b"text/event-stream" in head
    assert b"chunked" not in head.lower()
    blocks = body.split(b"\n\n")
    told = [block.partition(b"data: ")[2] for block in blocks if block.startswith(b"id: ")]
    assert told == [raw for raw, _ in events]
    assert blocks[-1] == b""


async def test_post_runs_can_stream_the_run_in_its_response(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    async with session.post(
        f"{sidecar.url}/runs",
        json={"id": f"t-{next(_ids)}", "inputs": {"message": "tea"}},
        headers={"Accept": "text/event-stream"},
    ) as response:
        assert response.status == 201
        run = response.headers["Location"].removeprefix("/runs/")
        body = await response.read()
    events = await Raw(session, sidecar.url, "sse").events(run)
    assert_whole([event for _, event in events])
    assert all(b"data: " + raw + b"\n\n" in body for raw, _ in events)
    assert body.startswith(b"event: stream.hello\n")


@pytest.fixture
async def other(
    sidecar: Sidecar, session: aiohttp.ClientSession, transport: TransportName
) -> AsyncIterator[Raw]:
    """A stream over the transport that the test does not already use."""
    stream = Raw(session, sidecar.url, "sse" if transport == "ws" else "ws")
    yield stream
    await stream.close()


async def test_a_cursor_of_one_transport_works_on_the_other(raw: Raw, other: Raw, run: str) -> None:
    first: list[bytes] = []
    cursor = None
    async for text, frame in raw.frames(run):
        if not frame["type"].startswith("stream."):
            first.append(text)
            cursor = frame["id"]
        if len(first) == 40:
            break
    rest = [text for text, _ in await other.events(run, cursor)]
    assert first + rest == [text for text, _ in await raw.events(run)]
