"""Real crews in real workers: what a run tells, how many run at once, and every way to end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import aiohttp
import pytest

from tests.conftest import StartSidecar
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import (
    Frame,
    Raw,
    Sidecar,
    assert_whole,
    descendants,
    gone,
    idle_worker,
)

_ids = count(1)


async def begin(raw: Raw, message: str = "a tea shop opens") -> str:
    ack = await raw.command(
        {"id": f"ci-{next(_ids)}", "cmd": "start", "inputs": {"message": message}}
    )
    assert ack["ok"], ack
    return str(ack["run"])


async def log_of(raw: Raw, run: str) -> list[Frame]:
    events = [event for _, event in await raw.events(run)]
    assert_whole(events)
    return events


def text_of(events: list[Frame], task: str) -> str:
    """What the reader of the stream has seen of the task's last model call."""
    deltas = [e for e in events if e["type"] == "llm.delta" and e["task"] == task]
    last = deltas[-1]["data"]["call"]
    return "".join(d["data"]["text"] for d in deltas if d["data"]["call"] == last)


async def test_three_agents_work_in_turn_and_every_word_comes_back(raw: Raw) -> None:
    events = await log_of(raw, await begin(raw, "Zoë's Teeladen 🫖 öffnet"))
    types = [e["type"] for e in events]
    assert types[:2] == ["run.queued", "run.started"]
    assert events[1]["data"]["model"] == "offline"
    tasks = [(t["name"], t["agent"]) for t in events[1]["data"]["tasks"]]
    assert tasks == [
        ("create_content_plan", "Content Planner"),
        ("analyze_sentiment", "Sentiment Analyst"),
        ("research_trends", "Trend Researcher"),
    ]
    started = [e["data"] for e in events if e["type"] == "task.started"]
    assert started == [{"name": name, "index": n, "of": 3} for n, (name, _) in enumerate(tasks, 1)]
    completed = {e["task"]: e for e in events if e["type"] == "task.completed"}
    for name, agent in tasks:
        assert completed[name]["agent"] == agent
        assert text_of(events, name) == completed[name]["data"]["output"]
    last = events[-1]
    assert last["type"] == "run.completed"
    assert last["data"]["output"] == completed["research_trends"]["data"]["output"]
    assert [t["output"] for t in last["data"]["tasks"]] == [
        completed[name]["data"]["output"] for name, _ in tasks
    ]
    assert last["data"]["usage"]["calls"] == types.count("llm.completed") == 4
    assert last["data"]["unapplied"] == []
    assert "Zoë's" in text_of(events, "create_content_plan")


async def test_tokens_arrive_while_their_reply_is_being_written(raw: Raw) -> None:
    run = await begin(raw)
    born = []
    async for _, frame in raw.frames(run):
        if frame["type"] == "llm.delta":
            born.append(frame["ts"])
            # Seen before its own call was over: nothing is held back to the end.
            if len(born) == 3:
                async with raw._session.get(f"{raw._url}/runs/{run}") as response:
                    assert (await response.json())["state"] == "running"
                break
    assert born == sorted(born)


async def test_an_agents_tool_is_really_called(raw: Raw) -> None:
    events = await log_of(raw, await begin(raw))
    started = next(e for e in events if e["type"] == "tool.started")
    completed = next(e for e in events if e["type"] == "tool.completed")
    assert started["task"] == "research_trends"
    assert started["data"]["call"] == completed["data"]["call"]
    assert started["data"]["args"] == {"text": "a tea shop opens"}
    assert "4 words" in completed["data"]["output"]
    steps = [e for e in events if e["type"] == "step"]
    assert any(e["data"]["tool"] == started["data"]["tool"] for e in steps)


async def test_four_runs_at_once_do_not_mix(
    sidecar: Sidecar, session: aiohttp.ClientSession
) -> None:
    raws = [Raw(session, sidecar.url, name) for name in ("ws", "sse", "ws", "sse")]
    words = ["alpha", "bravo", "charlie", "delta"]
    runs = [await begin(raw, f"{word}{word}") for raw, word in zip(raws, words, strict=True)]
    logs = await asyncio.gather(*(log_of(raw, run) for raw, run in zip(raws, runs, strict=True)))
    spans = []
    for run, word, events in zip(runs, words, logs, strict=True):
        assert {e["run"] for e in events} == {run}
        told = str(events)
        assert word * 2 in told
        assert not any(other * 2 in told for other in words if other != word)
        for task in ("create_content_plan", "analyze_sentiment", "research_trends"):
            output = next(
                e["data"]["output"]
                for e in events
                if e["type"] == "task.completed" and e["task"] == task
            )
            assert text_of(events, task) == output
        spans.append((events[1]["at"], events[-1]["at"]))
    assert max(start for start, _ in spans) < min(end for _, end in spans), "not at once"
    for raw in raws:
        await raw.close()


async def until(raw: Raw, run: str, type: str) -> Frame:
    async for _, frame in raw.frames(run):
        if frame["type"] == type:
            return frame
    raise AssertionError(f"no {type}")


@pytest.fixture(params=["fork", "spawn"])
async def slow(
    request: pytest.FixtureRequest, start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> AsyncIterator[tuple[Sidecar, Raw]]:
    """A sidecar of either kind of workers with a model slow enough to interrupt."""
    sidecar = start_sidecar(
        SIDECAR_WORKERS=request.param,
        SIDECAR_ZYGOTE="",
        OFFLINE_TOKEN_MS="20",
        OFFLINE_TOKENS="300",
    )
    raw = Raw(session, sidecar.url, "ws")
    yield sidecar, raw
    await raw.close()


async def test_a_killed_worker_is_a_crash_and_harms_nobody_else(
    slow: tuple[Sidecar, Raw], session: aiohttp.ClientSession
) -> None:
    sidecar, raw = slow
    worker = idle_worker(sidecar)
    run = await begin(raw)
    events: list[Frame] = []
    killed = 0.0
    async for _, frame in raw.frames(run):
        if frame["type"].startswith("stream."):
            continue
        events.append(frame)
        if frame["type"] == "llm.delta" and not killed:
            killed = time.monotonic()
            os.kill(worker, signal.SIGKILL)
    assert_whole(events)
    assert events[-1]["type"] == "run.failed"
    error = events[-1]["data"]["error"]
    assert error["code"] == "crashed"
    assert "SIGKILL" in error["message"]
    async with session.get(f"{sidecar.url}/healthz") as response:
        assert response.status == 200
    again = await begin(raw)
    assert (await until(raw, again, "llm.delta"))["run"] == again


async def test_a_cancelled_run_ends_and_its_process_is_gone(slow: tuple[Sidecar, Raw]) -> None:
    sidecar, raw = slow
    worker = idle_worker(sidecar)
    run = await begin(raw)
    await until(raw, run, "llm.delta")
    await raw.command({"id": f"ci-{next(_ids)}", "cmd": "cancel", "run": run})
    last = (await log_of(raw, run))[-1]
    assert last["type"] == "run.cancelled"
    assert worker not in descendants(sidecar.pid)


async def test_a_run_that_takes_too_long_is_ended(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    sidecar = start_sidecar(SIDECAR_RUN_TIMEOUT="1", OFFLINE_TOKEN_MS="20", OFFLINE_TOKENS="2000")
    raw = Raw(session, sidecar.url, "sse")
    last = (await log_of(raw, await begin(raw)))[-1]
    assert last["type"] == "run.failed"
    assert last["data"]["error"]["code"] == "timeout"
    assert "SIDECAR_RUN_TIMEOUT" in last["data"]["error"]["message"]


@pytest.mark.parametrize(
    ("crew", "code", "says"),
    [
        ("greedy", "out_of_memory", "memory"),
        ("quitter", "crashed", "exit code 7"),
        ("failing", "bad_crew", "no database"),
        ("missing", "bad_crew", "missing"),
    ],
)
async def test_every_way_to_fail_has_its_code_and_a_sentence(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, crew: str, code: str, says: str
) -> None:
    sidecar = start_sidecar(
        SIDECAR_CREW=f"tests.support.crews:{crew}",
        SIDECAR_MEMORY_MB="4096",
        CANARY_API_KEY="canary-0123456789",
    )
    raw = Raw(session, sidecar.url, "sse")
    events = await log_of(raw, await begin(raw))
    assert events[-1]["type"] == "run.failed"
    error = events[-1]["data"]["error"]
    assert (error["code"], says in error["message"]) == (code, True), error
    assert "Traceback" not in str(events)
    assert "canary-0123456789" not in str(events) + sidecar.stderr


async def test_what_a_crew_prints_is_in_the_log_and_nowhere_else(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    sidecar = start_sidecar(SIDECAR_CREW="tests.support.crews:talkative")
    raw = Raw(session, sidecar.url, "sse")
    events = await log_of(raw, await begin(raw))
    assert events[-1]["type"] == "run.completed", events[-1]
    said = [(e["data"]["stream"], e["data"]["text"]) for e in events if e["type"] == "log"]
    assert ("stdout", "to stdout: süß") in [(s, t.strip()) for s, t in said]
    assert ("stderr", "to stderr") in [(s, t.strip()) for s, t in said]
    assert ("stdout", "from a child") in [(s, t.strip()) for s, t in said]


async def test_a_tool_that_ignores_signals_is_killed_with_its_children(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    sidecar = start_sidecar(SIDECAR_CREW="tests.support.crews:stubborn")
    raw = Raw(session, sidecar.url, "sse")
    run = await begin(raw)
    printed = await until(raw, run, "log")
    child = int(printed["data"]["text"].split()[1])
    assert child in descendants(os.getpid())
    await raw.command({"id": f"ci-{next(_ids)}", "cmd": "cancel", "run": run})
    last = (await log_of(raw, run))[-1]
    assert last["type"] == "run.cancelled"
    await gone(child)


async def test_the_real_openai_client_streams_and_calls_tools_through_the_sidecar(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    script = Script(tokens=("From ", "a ", "real ", "server."), tool_first=True)
    with OpenAIServer(script) as server:
        sidecar = start_sidecar(
            CREW_MODEL="", OPENAI_API_KEY="sk-canary-0123456789", OPENAI_BASE_URL=server.base_url
        )
        raw = Raw(session, sidecar.url, "ws")
        events = await log_of(raw, await begin(raw))
        await raw.close()
        requests = list(server.requests)
    assert events[-1]["type"] == "run.completed", events[-1]
    assert events[1]["data"]["model"] != "offline"
    assert text_of(events, "analyze_sentiment") == "From a real server."
    assert any(e["type"] == "tool.completed" for e in events)
    assert all(r["body"]["stream"] for r in requests)
    assert events[-1]["data"]["usage"]["calls"] == len(requests) == 4
    assert "sk-canary-0123456789" not in str(events) + sidecar.stderr


async def test_a_wrong_key_is_a_failure_that_says_so_without_the_key(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    with OpenAIServer(Script(status=401)) as server:
        sidecar = start_sidecar(
            CREW_MODEL="", OPENAI_API_KEY="sk-canary-0123456789", OPENAI_BASE_URL=server.base_url
        )
        raw = Raw(session, sidecar.url, "sse")
        events = await log_of(raw, await begin(raw))
    assert events[-1]["type"] == "run.failed"
    assert "Incorrect API key" in events[-1]["data"]["error"]["message"]
    assert "sk-canary-0123456789" not in str(events)


async def test_a_config_with_a_mistake_is_told_with_file_key_and_line(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "agents.yaml").write_text(
        "agents:\n  writer:\n    role: Writer\n    goal: Write\n    backstory: Writes.\n"
    )
    (config / "tasks.yaml").write_text(
        "tasks:\n  write:\n    description: On {message}\n"
        "    expected_output: Text\n    agent: wrtier\n"
    )
    sidecar = start_sidecar(SIDECAR_CONFIG=str(config))
    raw = Raw(session, sidecar.url, "sse")
    last = (await log_of(raw, await begin(raw)))[-1]
    assert last["data"]["error"]["code"] == "bad_crew"
    message = last["data"]["error"]["message"]
    assert "tasks.yaml" in message
    assert "wrtier" in message
    assert "5" in message
    fixed = (config / "tasks.yaml").read_text().replace("wrtier", "writer")
    (config / "tasks.yaml").write_text(fixed)
    assert (await log_of(raw, await begin(raw)))[-1]["type"] == "run.completed"


async def test_no_worker_outlives_its_gateway(
    slow: tuple[Sidecar, Raw],
) -> None:
    sidecar, raw = slow
    run = await begin(raw)
    await until(raw, run, "llm.delta")
    below = descendants(sidecar.pid)
    assert below
    os.kill(sidecar.pid, signal.SIGKILL)
    for pid in below:
        await gone(pid)
