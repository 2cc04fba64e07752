"""Reconnection: whatever happens to a connection, its reader misses nothing, repeats nothing."""

from __future__ import annotations

import contextlib
import os
import random
import signal
from collections.abc import AsyncIterator
from itertools import count

import aiohttp
import pytest

from sidecar.client.client import CrewClient
from tests.conftest import StartSidecar
from tests.faults.proxy import Connection, FaultProxy, Way
from tests.support.sidecar import Raw, Sidecar, TransportName, assert_whole

_ids = count(1)


@pytest.fixture
async def run(sidecar: Sidecar, session: aiohttp.ClientSession) -> AsyncIterator[str]:
    body = {"id": f"rc-{next(_ids)}", "inputs": {"message": "tea"}}
    async with session.post(f"{sidecar.url}/runs", json=body) as response:
        yield (await response.json())["run"]


@pytest.mark.parametrize("seed", range(4))
async def test_a_client_whose_connection_is_cut_again_and_again_misses_nothing(
    sidecar: Sidecar,
    session: aiohttp.ClientSession,
    transport: TransportName,
    run: str,
    seed: int,
) -> None:
    dice = random.Random(seed)
    cuts = [dice.randint(300, 6_000) for _ in range(12)]

    def cut(connection: Connection) -> None:
        if cuts:
            connection.fault(down=Way(cut=cuts.pop(0)))

    async with FaultProxy(sidecar.url, dice) as proxy:
        proxy.plan = cut
        async with CrewClient(proxy.url, transport=transport) as crew:
            events = [event async for event in crew.follow(run)]
        assert proxy.accepted > 3, f"seed {seed}: the proxy never cut"
    assert_whole(events)
    truth = [event for _, event in await Raw(session, sidecar.url, "sse").events(run)]
    assert events == truth


async def test_a_reader_that_hops_between_transports_at_every_place_sees_one_log(
    sidecar: Sidecar, session: aiohttp.ClientSession, run: str
) -> None:
    truth = [text for text, _ in await Raw(session, sidecar.url, "sse").events(run)]
    told: list[bytes] = []
    cursor: str | None = None
    transports: list[TransportName] = ["ws", "sse"]
    for hop in count():
        raw = Raw(session, sidecar.url, transports[hop % 2])
        ended = False
        async with contextlib.aclosing(raw.frames(run, cursor)) as frames:
            async for text, frame in frames:
                if frame["type"] == "stream.end":
                    ended = True
                elif not frame["type"].startswith("stream."):
                    told.append(text)
                    cursor = frame["id"]
                    break
        if ended or frame.get("final"):
            break
    assert told == truth


async def test_a_client_that_comes_late_gets_the_whole_run(
    sidecar: Sidecar, run: str, transport: TransportName
) -> None:
    async with sidecar.client(transport) as early:
        live = [event async for event in early.follow(run)]
    async with sidecar.client(transport) as late:
        assert [event async for event in late.follow(run)] == live


async def test_a_graceful_stop_ends_every_stream_and_run_with_the_truth(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    sidecar = start_sidecar(OFFLINE_TOKEN_MS="20", OFFLINE_TOKENS="500")
    body = {"id": "s-1", "inputs": {"message": "tea"}}
    async with session.post(f"{sidecar.url}/runs", json=body) as response:
        run = (await response.json())["run"]
    frames = []
    async for _, frame in Raw(session, sidecar.url, transport).frames(run):
        frames.append(frame)
        if frame["type"] == "llm.started" and sidecar.process is not None:
            sidecar.process.send_signal(signal.SIGTERM)
    events = [f for f in frames if not f["type"].startswith("stream.")]
    assert_whole(events)
    assert events[-1]["type"] == "run.interrupted"
    assert frames[-1]["type"] == "stream.end"
    assert sidecar.wait() == 0


async def test_open_sockets_are_told_to_come_back_later_when_the_sidecar_stops(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    sidecar = start_sidecar(until_ready=False)
    async with session.ws_connect(f"{sidecar.url}/ws") as ws:
        assert sidecar.process is not None
        sidecar.process.send_signal(signal.SIGINT)
        closed = await ws.receive(timeout=30)
        assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 4000)
    assert sidecar.wait() == 0


async def test_after_a_restart_the_log_and_the_acks_are_still_there(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    first = start_sidecar()
    raw = Raw(session, first.url, transport)
    command = {"id": "rs-1", "cmd": "start", "inputs": {"message": "tea"}}
    ack = await raw.command(command)
    run = ack["run"]
    events = await raw.events(run)
    await raw.close()
    assert first.stop() == 0

    second = start_sidecar(until_ready=False)
    raw = Raw(session, second.url, transport)
    assert await raw.events(run) == events
    assert await raw.events(run, events[9][1]["id"]) == events[10:]
    again = await raw.command(command)
    assert (again["run"], again["duplicate"]) == (run, True)
    await raw.close()


async def killed_in_mid_run(
    sidecar: Sidecar, session: aiohttp.ClientSession, transport: TransportName
) -> tuple[str, list[bytes]]:
    """A run whose gateway is killed at the first token of its second task, and what was seen."""
    raw = Raw(session, sidecar.url, transport)
    command = {"id": "k-1", "cmd": "start", "inputs": {"message": "t"}}
    run = (await raw.command(command))["run"]
    seen = []
    with contextlib.suppress(aiohttp.ClientError, ConnectionError):
        async for text, frame in raw.frames(run):
            if not frame["type"].startswith("stream."):
                seen.append(text)
            if frame["type"] == "llm.delta" and frame["task"] == "analyze_sentiment":
                os.kill(sidecar.pid, signal.SIGKILL)
    await raw.close()
    assert sidecar.wait() == -signal.SIGKILL
    return run, seen


async def test_a_run_whose_gateway_was_killed_is_interrupted_where_that_is_wanted(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    first = start_sidecar(OFFLINE_TOKEN_MS="20")
    run, seen = await killed_in_mid_run(first, session, transport)
    second = start_sidecar(until_ready=False, SIDECAR_RESUME="never")
    log = await Raw(session, second.url, transport).events(run)
    assert [text for text, _ in log][: len(seen)] == seen
    assert_whole([event for _, event in log])
    assert log[-1][1]["type"] == "run.interrupted"


async def test_a_run_whose_gateway_was_killed_carries_on_behind_its_finished_tasks(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    first = start_sidecar(OFFLINE_TOKEN_MS="20")
    run, seen = await killed_in_mid_run(first, session, transport)
    second = start_sidecar(until_ready=False)
    log = await Raw(session, second.url, transport).events(run)
    assert [text for text, _ in log][: len(seen)] == seen
    events = [event for _, event in log]
    assert_whole(events)
    assert events[-1]["type"] == "run.completed", events[-1]
    again = next(e for e in events if e["type"] == "run.started" and e["data"]["attempt"] == 2)
    assert again["data"]["kept"] == ["create_content_plan"]
    first_seq, last_seq = again["data"]["superseded"]
    assert events[first_seq - 1]["type"] == "task.started"
    assert events[first_seq - 1]["task"] == "analyze_sentiment"
    assert last_seq == again["seq"] - 1
    begun = [e["task"] for e in events[again["seq"] :] if e["type"] == "task.started"]
    assert begun == ["analyze_sentiment", "research_trends"]
    assert events[-1]["data"]["tasks"][0]["output"]
