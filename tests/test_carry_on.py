"""The gateway dies, or the worker: the run carries on in the same log, nothing is done twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any

import aiohttp
import pytest

from sidecar.client.client import CrewClient
from tests.conftest import StartSidecar
from tests.faults.proxy import FaultProxy
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import (
    Frame,
    Raw,
    TransportName,
    assert_whole,
    idle_worker,
    kill,
)

ROLES = ("Content Planner", "Sentiment Analyst", "Trend Researcher")
TASKS = ["create_content_plan", "analyze_sentiment", "research_trends"]
_ids = count(1)


@pytest.fixture
def model() -> Any:
    script = Script(tokens=tuple(f"word{n} " for n in range(40)), delay=0.02)
    with OpenAIServer(script) as server:
        yield server


def environ(model: OpenAIServer) -> dict[str, str]:
    return {
        "CREW_MODEL": "",
        "OPENAI_API_KEY": "sk-test-0123456789",
        "OPENAI_BASE_URL": model.base_url,
    }


def calls(model: OpenAIServer) -> list[str]:
    """Who asked the model, in order."""
    texts = [str(request["body"]["messages"]) for request in model.requests]
    return [next(role for role in ROLES if f"You are {role}" in text) for text in texts]


@pytest.fixture
async def proxy() -> AsyncIterator[FaultProxy]:
    """The one address that clients know, whichever gateway is behind it."""
    async with FaultProxy("http://127.0.0.1:1") as proxy:
        yield proxy


async def follow(
    client: CrewClient, run: str, on: Callable[[Frame], Any] = lambda _: None
) -> list[Frame]:
    events = []
    async for event in client.follow(run):
        events.append(event)
        if asyncio.iscoroutine(doing := on(event)):
            await doing
    assert_whole(events)
    return events


def second_attempt(events: list[Frame]) -> Frame:
    return next(e for e in events if e["type"] == "run.started" and e["data"]["attempt"] == 2)


async def test_a_client_that_keeps_reconnecting_misses_nothing_and_no_task_is_run_twice(
    start_sidecar: StartSidecar, model: OpenAIServer, proxy: FaultProxy, transport: TransportName
) -> None:
    first = start_sidecar(**environ(model))
    proxy.target = first.url
    killed = False

    async def on(event: Frame) -> None:
        nonlocal killed
        if event["type"] == "llm.delta" and event["task"] == TASKS[1] and not killed:
            killed = True
            await kill(first)
            proxy.target = (await asyncio.to_thread(start_sidecar, **environ(model))).url

    async with CrewClient(proxy.url, transport=transport, patience=120) as client:
        events = await follow(client, await client.start({"message": "tea"}), on)
    assert events[-1]["type"] == "run.completed"
    assert calls(model) == [ROLES[0], ROLES[1], ROLES[1], ROLES[2]]
    again = second_attempt(events)
    assert again["data"]["kept"] == TASKS[:1]
    begun = next(e for e in events if e["type"] == "task.started" and e["task"] == TASKS[1])
    assert again["data"]["superseded"] == [begun["seq"], again["seq"] - 1]
    # What the first task said is in the prompt of the second, asked by another process.
    assert "word39" in str(model.requests[2]["body"]["messages"])
    assert events[-1]["data"]["usage"]["calls"] == 3


async def test_a_paused_run_stays_paused_until_somebody_resumes_it(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    first = start_sidecar(OFFLINE_TOKEN_MS="10")
    raw = Raw(session, first.url, transport)
    run = (await raw.command({"id": "p-1", "cmd": "start"}))["run"]
    seen = []
    with contextlib.suppress(aiohttp.ClientError, ConnectionError):
        async for text, frame in raw.frames(run):
            if frame["type"].startswith("stream."):
                continue
            seen.append(text)
            if frame["type"] == "task.started" and frame["task"] == TASKS[1]:
                assert (await raw.command({"id": "p-2", "cmd": "pause", "run": run}))["ok"]
            if frame["type"] == "run.paused":
                await kill(first)
    await raw.close()

    second = start_sidecar(OFFLINE_TOKEN_MS="10")
    raw = Raw(session, second.url, transport)
    state = (await raw.command({"id": "p-3", "cmd": "status", "run": run}))["result"]
    assert (state["state"], state["seq"]) == ("paused", len(seen))
    assert (await raw.command({"id": "p-2", "cmd": "pause", "run": run}))["duplicate"]
    steer = {"id": "p-4", "cmd": "modify", "run": run, "instruction": "mention the weather"}
    assert (await raw.command(steer))["ok"]
    assert (await raw.command({"id": "p-5", "cmd": "resume", "run": run}))["ok"]
    log = await raw.events(run)
    await raw.close()
    assert [text for text, _ in log][: len(seen)] == seen
    events = [event for _, event in log]
    assert_whole(events)
    assert events[-1]["type"] == "run.completed"
    types = [event["type"] for event in events[len(seen) :]]
    assert types[:3] == ["run.modifying", "run.resumed", "run.started"]
    assert [e["cause"] for e in events if e["type"] == "run.modified"] == ["p-4"]


async def test_a_question_is_asked_again_under_a_new_id(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    first = start_sidecar()
    raw = Raw(session, first.url, transport)
    run = (await raw.command({"id": "q-1", "cmd": "start", "review": TASKS[:1]}))["run"]
    with contextlib.suppress(aiohttp.ClientError, ConnectionError):
        async for _, frame in raw.frames(run):
            if frame["type"] == "input.requested":
                await kill(first)
    await raw.close()

    second = start_sidecar()
    raw = Raw(session, second.url, transport)
    asked = []
    async for _, frame in raw.frames(run):
        if frame["type"] != "input.requested":
            continue
        asked.append(frame["data"]["input"])
        if len(asked) == 2:
            old, new = asked
            late = {"id": "q-2", "cmd": "answer", "run": run, "input": old, "text": ""}
            assert (await raw.command(late))["error"]["code"] == "illegal_state"
            answer = {"id": "q-3", "cmd": "answer", "run": run, "input": new, "text": ""}
            assert (await raw.command(answer))["ok"]
    await raw.close()
    assert asked == ["in_1_1", "in_2_1"]
    log = [event for _, event in await Raw(session, second.url, "sse").events(run)]
    assert_whole(log)
    assert log[-1]["type"] == "run.completed"


async def test_what_the_dead_gateway_was_told_still_holds(
    start_sidecar: StartSidecar, model: OpenAIServer, session: aiohttp.ClientSession
) -> None:
    """One change that was applied, to the task that is begun again, and one that was not yet."""
    first = start_sidecar(**environ(model))
    raw = Raw(session, first.url, "ws")
    run = (await raw.command({"id": "m-1", "cmd": "start"}))["run"]
    steer = {"cmd": "modify", "run": run}
    with contextlib.suppress(aiohttp.ClientError, ConnectionError):
        async for _, frame in raw.frames(run):
            if frame["type"] == "llm.delta" and frame["task"] == TASKS[0]:
                now = {"id": "m-2", "instruction": "write in lower case", "now": True}
                assert (await raw.command({**steer, **now}))["ok"]
                later = {"id": "m-3", "task": TASKS[2], "description": "Count the trends."}
                assert (await raw.command({**steer, **later}))["ok"]
            if frame["type"] == "run.modified":
                await kill(first)
    await raw.close()
    asked_before = len(model.requests)

    second = start_sidecar(**environ(model))
    log = [event for _, event in await Raw(session, second.url, "ws").events(run)]
    assert_whole(log)
    assert log[-1]["type"] == "run.completed"
    assert log[-1]["data"]["unapplied"] == []
    told = [event["cause"] for event in log if event["type"] == "run.modified"]
    assert told == ["m-2", "m-3"], "each is said to be applied once"
    prompts = [str(r["body"]["messages"]) for r in model.requests[asked_before:]]
    assert "write in lower case" in prompts[0]
    assert "Count the trends." in prompts[2]
    assert not any("write in lower case" in prompt for prompt in prompts[1:])


async def test_a_cancel_that_was_acked_ends_the_run_as_cancelled_after_the_restart(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    crew = "tests.support.crews:sleeper"
    first = start_sidecar(SIDECAR_CREW=crew)
    raw = Raw(session, first.url, "ws")
    run = (await raw.command({"id": "c-1", "cmd": "start"}))["run"]
    with contextlib.suppress(aiohttp.ClientError, ConnectionError):
        async for _, frame in raw.frames(run):
            if frame["type"] == "log":
                cancel = {"id": "c-2", "cmd": "cancel", "run": run, "reason": "enough"}
                assert (await raw.command(cancel))["ok"]
                await kill(first)
    await raw.close()
    second = start_sidecar(until_ready=False, SIDECAR_CREW=crew)
    log = [event for _, event in await Raw(session, second.url, "sse").events(run)]
    assert_whole(log)
    assert (log[-1]["type"], log[-1]["cause"]) == ("run.cancelled", "c-2")
    assert log[-1]["data"]["reason"] == "enough"
    assert not any(event["type"] == "run.started" for event in log[-3:])


async def test_runs_that_waited_in_the_queue_get_their_turn_after_the_restart(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    first = start_sidecar(SIDECAR_MAX_RUNS="1", OFFLINE_TOKEN_MS="10")
    raw = Raw(session, first.url, "sse")
    runs = [(await raw.command({"id": f"w-{n}", "cmd": "start"}))["run"] for n in range(3)]
    await kill(first)
    second = start_sidecar(SIDECAR_MAX_RUNS="1")
    raw = Raw(session, second.url, "sse")
    logs = await asyncio.gather(*(raw.events(run) for run in runs))
    for log in logs:
        assert_whole([event for _, event in log])
        assert log[-1][1]["type"] == "run.completed"
    finished = [log[-1][1]["at"] for log in logs]
    assert finished == sorted(finished), "in the order in which they came"


@pytest.mark.parametrize("kind", ["fork", "spawn"])
async def test_a_crashed_worker_gets_another_attempt_where_that_is_wanted(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, kind: str
) -> None:
    sidecar = start_sidecar(
        SIDECAR_RETRIES="1",
        SIDECAR_WORKERS=kind,
        SIDECAR_ZYGOTE="",
        OFFLINE_TOKEN_MS="10",
    )
    worker = idle_worker(sidecar)
    raw = Raw(session, sidecar.url, "sse")
    run = (await raw.command({"id": f"r-{next(_ids)}", "cmd": "start"}))["run"]
    killed = False
    events = []
    async for _, frame in raw.frames(run):
        if frame["type"].startswith("stream."):
            continue
        events.append(frame)
        if frame["type"] == "llm.delta" and frame["task"] == TASKS[1] and not killed:
            killed = True
            os.kill(worker, signal.SIGKILL)
    assert killed
    assert_whole(events)
    assert events[-1]["type"] == "run.completed"
    assert second_attempt(events)["data"]["kept"] == TASKS[:1]


async def test_a_worker_that_crashes_once_too_often_fails_the_run(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    sidecar = start_sidecar(SIDECAR_CREW="tests.support.crews:quitter", SIDECAR_RETRIES="2")
    raw = Raw(session, sidecar.url, "sse")
    run = (await raw.command({"id": "f-1", "cmd": "start"}))["run"]
    events = [event for _, event in await raw.events(run)]
    assert_whole(events)
    attempts = [e["data"]["attempt"] for e in events if e["type"] == "run.started"]
    assert attempts == [1, 2, 3]
    assert events[-1]["data"]["error"]["code"] == "crashed"
