"""Conversations on the real sidecar: what a follow-up is told, and what outlives a kill -9."""

from __future__ import annotations

import contextlib
from itertools import count
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest

from tests.conftest import StartSidecar
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import (
    Frame,
    Raw,
    TransportName,
    assert_whole,
    kill,
)

AGENTS = """\
agents:
  writer: {role: Writer, goal: Write, backstory: You write.}
"""
TASKS = """\
tasks:
  write:
    agent: writer
    description: "<history>{history}</history> <brief>{message}</brief>"
    expected_output: A text
"""
_ids = count(1)


@pytest.fixture
def model() -> Any:
    with OpenAIServer(Script(tokens=("open ", "on ", "Monday"))) as server:
        yield server


@pytest.fixture
def environ(tmp_path: Path, model: OpenAIServer) -> dict[str, str]:
    """Of a sidecar with a crew of one task, which is told the history."""
    config = tmp_path / "config"
    config.mkdir()
    (config / "agents.yaml").write_text(AGENTS)
    (config / "tasks.yaml").write_text(TASKS)
    return {
        "SIDECAR_CONFIG": str(config),
        "CREW_MODEL": "",
        "OPENAI_API_KEY": "sk-test-0123456789",
        "OPENAI_BASE_URL": model.base_url,
    }


def histories(model: OpenAIServer) -> list[str]:
    """What each call of the model was told between `<history>` and its end."""
    texts = [request["body"]["messages"][-1]["content"] for request in model.requests]
    return [text.partition("<history>")[2].partition("</history>")[0] for text in texts]


def start(message: str, thread: str = "t", **fields: Any) -> Frame:
    body = {"id": f"s-{next(_ids)}", "cmd": "start", "thread": thread}
    return {**body, "inputs": {"message": message}, **fields}


async def ask(session: aiohttp.ClientSession, method: str, url: str, **options: Any) -> Any:
    async with session.request(method, url, **options) as response:
        said = await response.json() if await response.read() else None
        assert response.ok, said
        return said


async def test_the_model_of_a_follow_up_sees_what_the_crew_said_before(
    start_sidecar: StartSidecar,
    environ: dict[str, str],
    model: OpenAIServer,
    session: aiohttp.ClientSession,
    transport: TransportName,
) -> None:
    url = start_sidecar(**environ).url
    raw = Raw(session, url, transport)
    runs = []
    for message, fields in (
        ("a tea shop", {"title": "Tea"}),
        ("shorter", {}),
        ("anew", {"after": ""}),
        ("no thread", {"thread": None}),
    ):
        ack = await raw.command(start(message, **fields))
        runs.append(ack["run"])
        log = [event for _, event in await raw.events(ack["run"])]
        assert_whole(log)
        assert log[-1]["data"]["output"] == "open on Monday"
    assert histories(model) == ["", "User: a tea shop\n\nCrew: open on Monday", "", ""]
    shown = await ask(session, "GET", f"{url}/threads/t")
    assert (shown["title"], shown["state"]) == ("Tea", "completed")
    assert [one["run"] for one in shown["runs"]] == runs[:3]
    assert [one["after"] for one in shown["runs"]] == [None, runs[0], None]
    await raw.close()


@pytest.mark.parametrize("workers", ["fork", "spawn"])
async def test_a_thread_its_title_and_what_was_said_in_it_outlive_a_kill(
    start_sidecar: StartSidecar,
    environ: dict[str, str],
    model: OpenAIServer,
    session: aiohttp.ClientSession,
    workers: Literal["fork", "spawn"],
) -> None:
    """The run that is under way goes on and is told the same, though the one before it is gone."""
    environ["SIDECAR_WORKERS"] = workers
    first = start_sidecar(**environ)
    raw = Raw(session, first.url, "sse")
    before = (await raw.command(start("a tea shop")))["run"]
    await raw.events(before)
    renamed = {"title": "My shop"}
    await ask(session, "PATCH", f"{first.url}/threads/t", json=renamed)
    model.script = Script(tokens=("open ", "on ", "Monday"), delay=0.3)
    run = (await raw.command(start("shorter")))["run"]
    await ask(session, "DELETE", f"{first.url}/runs/{before}")
    with contextlib.suppress(aiohttp.ClientError, ConnectionError):
        async for _, frame in raw.frames(run):
            if frame["type"] == "llm.delta":
                await kill(first)
    second = start_sidecar(**environ)
    [thread] = (await ask(session, "GET", f"{second.url}/threads"))["threads"]
    assert (thread["thread"], thread["title"], thread["runs"]) == ("t", "My shop", 1)
    raw = Raw(session, second.url, "sse")
    log = [event for _, event in await raw.events(run)]
    assert_whole(log)
    assert log[-1]["type"] == "run.completed"
    assert [e["data"]["attempt"] for e in log if e["type"] == "run.started"] == [1, 2]
    said = "User: a tea shop\n\nCrew: open on Monday"
    assert histories(model) == ["", said, said]
    # And so do those that follow it.
    run = (await raw.command(start("in French")))["run"]
    await raw.events(run)
    assert histories(model)[-1] == "User: shorter\n\nCrew: open on Monday"
    assert "open on Monday" not in str(log[0])


async def test_what_was_removed_is_not_there_after_a_kill(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession
) -> None:
    first = start_sidecar(SIDECAR_SYNTHETIC="1")
    raw = Raw(session, first.url, "sse")
    quick = {"inputs": {"events": 500, "delay": 0}, "crew": "synthetic"}
    runs = []
    for thread in ("t", "t", "u"):
        runs.append((await raw.command(start("", thread, **quick)))["run"])
        await raw.events(runs[-1])
    files = [first.data / "runs" / run for run in runs]
    for folder in files:
        folder.mkdir(exist_ok=True)
        (folder / "plan.md").write_text("x")
    await ask(session, "DELETE", f"{first.url}/threads/t")
    await kill(first)
    assert [folder.exists() for folder in files] == [False, False, True]
    second = start_sidecar(SIDECAR_SYNTHETIC="1")
    listed = await ask(session, "GET", f"{second.url}/runs")
    assert [one["run"] for one in listed["runs"]] == runs[2:]
    page = await ask(session, "GET", f"{second.url}/threads")
    assert [one["thread"] for one in page["threads"]] == ["u"]
    async with session.get(f"{second.url}/runs/{runs[0]}/events") as response:
        assert response.status == 404
