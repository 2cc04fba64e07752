"""A run that begins at a task of another one: what came before is kept, and asks no model."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from sidecar.channel import MAX_STRING
from sidecar.client.client import CrewClient
from sidecar.errors import CommandError
from tests.conftest import StartSidecar
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import Frame, kill
from tests.test_carry_on import ROLES, TASKS, calls, environ, follow, second_attempt

LONG = "x" * MAX_STRING + " the end"
"""An output that the log cuts."""


@pytest.fixture
def model() -> Iterator[OpenAIServer]:
    with OpenAIServer(Script(tokens=("A ", "plan."))) as server:
        yield server


def prompt(model: OpenAIServer, number: int) -> str:
    return str(model.requests[number]["body"]["messages"])


def started(events: list[Frame]) -> dict[str, Any]:
    data: dict[str, Any] = next(e for e in events if e["type"] == "run.started")["data"]
    return data


@pytest.mark.parametrize("workers", ["fork", "spawn"])
async def test_a_fork_at_the_second_of_three_tasks_asks_no_model_for_the_first(
    start_sidecar: StartSidecar,
    model: OpenAIServer,
    session: aiohttp.ClientSession,
    workers: str,
) -> None:
    sidecar = start_sidecar(**environ(model), SIDECAR_WORKERS=workers)
    async with CrewClient(sidecar.url) as client:
        model.script = Script(tokens=("a plan for ", "Lisbon"))
        given = {"message": "tea", "language": "German"}
        run = await client.start(given)
        await follow(client, run)
        assert calls(model) == list(ROLES)
        model.script = Script(tokens=("something ", "else"))
        fork = await client.start({"message": "coffee"}, from_=(run, TASKS[1]))
        events = await follow(client, fork)
        assert calls(model)[3:] == list(ROLES[1:])
        assert "a plan for Lisbon" in prompt(model, 3)
        assert "coffee" in prompt(model, 3), "the given inputs are over the run's"
        forked = {"run": run, "task": TASKS[1]}
        told = started(events)
        assert (told["attempt"], told["kept"], told["forked"]) == (1, TASKS[:1], forked)
        assert events[0]["data"]["inputs"] == {"message": "coffee", "language": "German"}
        assert not any(e.get("task") == TASKS[0] for e in events)
        assert events[-1]["type"] == "run.completed"
        assert events[-1]["data"]["tasks"][0]["output"] == "a plan for Lisbon"
        assert events[-1]["data"]["usage"]["calls"] == 2
        shown = await client.status(fork)
        assert (shown["forked"], shown["crew"]) == (forked, "default")
        assert (await client.status(run))["forked"] is None

        # A fork of the fork, by tid, once the first run is gone: nothing was left with it.
        async with session.delete(f"{sidecar.url}/runs/{run}") as response:
            assert response.status == 204
        third = shown["tasks"][2]["tid"]
        again = await client.start(from_=(fork, third))
        events = await follow(client, again)
    assert calls(model)[5:] == [ROLES[2]]
    assert started(events)["kept"] == TASKS[:2]
    assert started(events)["forked"] == {"run": fork, "task": TASKS[2]}
    outputs = [task["output"] for task in events[-1]["data"]["tasks"]]
    assert outputs[:2] == ["a plan for Lisbon", "something else"]
    tids = [task["tid"] for task in events[-1]["data"]["tasks"]]
    assert len(set(tids)) == 3


async def test_a_fork_keeps_what_the_log_has_cut_whole_whatever_becomes_of_its_run(
    start_sidecar: StartSidecar, model: OpenAIServer
) -> None:
    sidecar = start_sidecar(**environ(model), SIDECAR_MAX_RUNS="1")
    async with CrewClient(sidecar.url) as client:
        model.script = Script(tokens=(LONG,))
        run = await client.start({"message": "tea"})
        await follow(client, run)
        fork = await client.start(from_=(run, TASKS[1]))
        shutil.rmtree(sidecar.data / "runs" / run)
        await follow(client, fork)
        assert LONG in prompt(model, 3)
        again = await client.start(from_=(fork, TASKS[2]))
        await follow(client, again)
    assert LONG in prompt(model, 5)
    assert not list(sidecar.data.glob("runs/*/forked.ndjson")), "copied, or not needed any more"


async def test_a_fork_that_a_kill_9_cuts_off_goes_on_with_what_is_kept_of_both(
    start_sidecar: StartSidecar, model: OpenAIServer
) -> None:
    first = start_sidecar(**environ(model))
    async with CrewClient(first.url) as client:
        run = await client.start({"message": "tea"})
        await follow(client, run)
        model.script = Script(tokens=tuple(f"word{n} " for n in range(40)), delay=0.02)
        fork = await client.start({"message": "coffee"}, from_=(run, TASKS[1]))
        async for event in client.follow(fork):
            if event["type"] == "llm.delta" and event["task"] == TASKS[2]:
                break
        await kill(first)
    second = start_sidecar(**environ(model))
    async with CrewClient(second.url) as client:
        events = await follow(client, fork)
        shown = await client.status(fork)
    assert calls(model)[3:] == [ROLES[1], ROLES[2], ROLES[2]]
    assert second_attempt(events)["data"]["kept"] == TASKS[:2]
    assert "A plan." in prompt(model, 5)
    assert events[-1]["type"] == "run.completed"
    assert (shown["attempt"], shown["forked"]) == (2, {"run": run, "task": TASKS[1]})
    [first_output, *others] = [task["output"] for task in shown["tasks"]]
    assert first_output == "A plan."
    assert all(output.rstrip().endswith("word39") for output in others)


async def test_what_a_gateway_that_was_killed_has_kept_can_be_forked_by_the_next_one(
    start_sidecar: StartSidecar, model: OpenAIServer
) -> None:
    """Both what was over by then, and what the next one ends as interrupted in its second task."""
    first = start_sidecar(**environ(model))
    async with CrewClient(first.url) as client:
        whole = await client.start({"message": "tea"})
        await follow(client, whole)
        model.script = Script(tokens=tuple(f"word{n} " for n in range(40)), delay=0.02)
        cut = await client.start({"message": "cake"})
        async for event in client.follow(cut):
            if event["type"] == "llm.delta" and event["task"] == TASKS[1]:
                break
        await kill(first)
    model.script = Script(tokens=("else",))
    second = start_sidecar(**environ(model), SIDECAR_RESUME="never")
    asked = len(model.requests)
    async with CrewClient(second.url) as client:
        assert (await client.status(cut))["state"] == "interrupted"
        for run, kept in ((whole, "A plan."), (cut, "word39")):
            fork = await client.start({"message": "coffee"}, from_=(run, TASKS[1]))
            told = await follow(client, fork)
            assert started(told)["kept"] == TASKS[:1]
            assert kept in prompt(model, asked)
            assert calls(model)[asked:] == list(ROLES[1:])
            asked = len(model.requests)
        with pytest.raises(CommandError, match=f"{TASKS[1]!r}, before {TASKS[2]!r}") as refused:
            await client.start(from_=(cut, TASKS[2]))
        assert refused.value.code == "bad_request"
    assert len(model.requests) == asked


async def test_a_run_that_failed_is_begun_again_at_the_task_that_failed(
    start_sidecar: StartSidecar, model: OpenAIServer
) -> None:
    sidecar = start_sidecar(**environ(model))
    async with CrewClient(sidecar.url) as client:
        model.script = Script(tokens=("A ", "plan."), delay=0.02)
        run = await client.start({"message": "tea"})
        async for event in client.follow(run):
            if event["type"] == "task.completed":
                model.script = Script(status=401)
        assert (await client.status(run))["state"] == "failed"
        model.script = Script(tokens=("mended",))
        asked = len(model.requests)
        fork = await client.start(from_=(run, TASKS[1]))
        events = await follow(client, fork)
    assert calls(model)[asked:] == list(ROLES[1:])
    assert events[-1]["type"] == "run.completed"
    assert [task["output"] for task in events[-1]["data"]["tasks"]] == ["A plan.", *["mended"] * 2]


REFUSED: tuple[tuple[dict[str, str], dict[str, Any], int, str, str], ...] = (
    ({"run": "r_none", "task": TASKS[1]}, {}, 400, "bad_request", "no run 'r_none'"),
    ({"task": "dance"}, {}, 400, "bad_request", "no task 'dance' in run RUN; there are"),
    ({"task": TASKS[1]}, {"crew": "other"}, 400, "bad_request", "is of crew 'default'"),
    ({"task": ""}, {}, 400, "bad_request", "'task' must be a string"),
    ({}, {}, 400, "bad_request", "'task' must be a string"),
    ({"task": TASKS[1]}, {"inputs": {"more": "x" * 200_000}}, 413, "too_large", "together"),
)
"""What is asked for: origin (RUN's, unless it says), further fields; HTTP status, code, words."""


async def test_forking_what_can_not_be_is_refused_with_its_code_and_starts_nothing(
    start_sidecar: StartSidecar, model: OpenAIServer, session: aiohttp.ClientSession
) -> None:
    sidecar = start_sidecar(**environ(model))
    async with CrewClient(sidecar.url) as client:
        run = await client.start({"message": "tea", "long": "y" * 100_000})
        await follow(client, run)
        for number, (origin, given, status, code, says) in enumerate(REFUSED):
            body = {"cmd": "start", "from": {"run": run, **origin}, **given}
            command = {"id": f"fork-{number}", **body}
            async with session.post(f"{sidecar.url}/control", json=command) as response:
                assert response.status == status
                error = (await response.json())["error"]
            assert (error["code"], error["temporary"]) == (code, False)
            assert says.replace("RUN", run) in error["message"]
        assert len((await client.runs())["runs"]) == 1
    assert calls(model) == list(ROLES)


async def test_a_fork_that_waits_in_the_queue_outlives_its_gateway(
    start_sidecar: StartSidecar, model: OpenAIServer
) -> None:
    first = start_sidecar(**environ(model), SIDECAR_MAX_RUNS="1")
    async with CrewClient(first.url) as client:
        run = await client.start({"message": "tea"})
        await follow(client, run)
        model.script = Script(delay=0.2)
        await client.start({"message": "in the way"})
        fork = await client.start(from_=(run, TASKS[2]))
        await kill(first)
    model.script = Script()
    second = start_sidecar(**environ(model), SIDECAR_MAX_RUNS="1")
    asked = len(model.requests)
    async with CrewClient(second.url) as client:
        events = await follow(client, fork)
    assert events[-1]["type"] == "run.completed"
    assert (started(events)["attempt"], started(events)["kept"]) == (1, TASKS[:2])
    assert calls(model)[asked:].count(ROLES[2]) == 2
    assert calls(model)[asked:].count(ROLES[0]) <= 1, "of the run in the way alone"


async def test_a_live_run_can_be_forked_at_what_it_is_at(
    start_sidecar: StartSidecar, model: OpenAIServer
) -> None:
    sidecar = start_sidecar(**environ(model))
    async with CrewClient(sidecar.url) as client:
        model.script = Script(tokens=tuple(f"word{n} " for n in range(40)), delay=0.02)
        run = await client.start({"message": "tea"})
        async for event in client.follow(run):
            if event["type"] == "llm.delta" and event["task"] == TASKS[1]:
                fork = await client.start({"message": "coffee"}, from_=(run, TASKS[1]))
                with pytest.raises(CommandError, match=TASKS[1]) as refused:
                    await client.start(from_=(run, TASKS[2]))
                assert refused.value.code == "bad_request"
                break
        events = await follow(client, fork)
        assert started(events)["kept"] == TASKS[:1]
        assert (await follow(client, run))[-1]["type"] == "run.completed"


async def test_what_is_in_a_flow_can_not_be_begun_at(start_sidecar: StartSidecar) -> None:
    sidecar = start_sidecar(SIDECAR_CREW="tests.crews.flows:Straight")
    async with CrewClient(sidecar.url) as client:
        run = await client.start({"message": "tea"})
        events = await follow(client, run)
        task = next(e["task"] for e in events if e["type"] == "task.completed")
        with pytest.raises(CommandError, match="flow") as refused:
            await client.start(from_=(run, task))
        assert refused.value.code == "bad_request"


async def test_a_crew_that_a_function_kicks_off_by_itself_can_be_forked_too(
    start_sidecar: StartSidecar,
) -> None:
    sidecar = start_sidecar(SIDECAR_CREW="tests.crews.entries:kicks_off_itself")
    async with CrewClient(sidecar.url) as client:
        run = await client.start({"message": "tea"})
        before = (await follow(client, run))[-1]["data"]
        first, second = (task["name"] for task in before["tasks"])
        fork = await client.start({"message": "coffee"}, from_=(run, second))
        events = await follow(client, fork)
    assert started(events)["kept"] == [first]
    assert [e["task"] for e in events if e["type"] == "task.started"] == [second]
    assert events[-1]["data"]["tasks"][0]["output"] == before["tasks"][0]["output"]
    assert events[-1]["data"]["output"] != before["output"]
