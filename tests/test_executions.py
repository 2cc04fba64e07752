"""Executions through it all: told by a worker, kept in the log, in snapshots and over a kill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp

from sidecar.client.client import CrewClient
from tests.conftest import StartSidecar
from tests.support.sidecar import Frame, Raw, TransportName, kill

TARGETS = "tests.worker.nested"


async def killed_at(
    start_sidecar: StartSidecar, target: str, moment: Callable[[list[Frame]], bool]
) -> list[Frame]:
    """All events of a run of `target` whose gateway is killed at that moment, and started again."""
    environ = {"SIDECAR_CREW": f"{TARGETS}:{target}", "OFFLINE_TOKEN_MS": "20"}
    first = start_sidecar(**environ)
    seen: list[Frame] = []
    async with CrewClient(first.url) as client:
        run = await client.start({"message": "tea"})
        async for event in client.follow(run):
            seen.append(event)
            if moment(seen):
                await kill(first)
                break
    second = await asyncio.to_thread(start_sidecar, **environ)
    async with CrewClient(second.url) as client:
        return [event async for event in client.follow(run)]


def started(events: list[Frame]) -> list[Frame]:
    return [event for event in events if event["type"] == "run.started"]


async def test_a_nested_crews_output_is_never_taken_for_the_task_that_asked_for_it(
    start_sidecar: StartSidecar,
) -> None:
    """Both tasks are called task_1; the inner one has finished, and the outer one is writing."""

    def writing_with_the_critics_word(seen: list[Frame]) -> bool:
        told = any(event["type"] == "tool.completed" for event in seen)
        return told and seen[-1]["type"] == "llm.delta"

    events = await killed_at(start_sidecar, "asks_a_critic", writing_with_the_critics_word)
    first, again = started(events)
    begun = next(event for event in events if event["type"] == "task.started")
    assert begun["tid"] == first["data"]["tasks"][0]["tid"] == "1.1"
    assert again["data"]["kept"] == []
    assert again["data"]["superseded"] == [begun["seq"], again["seq"] - 1]
    assert again["data"]["tasks"] == [{"name": "task_1", "agent": "Poet", "tid": "2.1"}]
    final = events[-1]
    assert final["type"] == "run.completed"
    assert final["data"]["output"].startswith("[offline model] Poet on")
    outer, inner = final["data"]["tasks"]
    assert (outer["tid"], outer["agent"], outer["output"]) == (
        "2.1",
        "Poet",
        final["data"]["output"],
    )
    assert (inner["agent"], "in" in inner) == ("Critic", True)
    assert inner["output"].startswith("[offline model] Critic on")


async def test_a_planned_crew_goes_on_behind_what_it_finished(start_sidecar: StartSidecar) -> None:
    def in_the_second(seen: list[Frame]) -> bool:
        return seen[-1]["type"] == "llm.delta" and seen[-1].get("task") == "second"

    events = await killed_at(start_sidecar, "plans", in_the_second)
    again = started(events)[1]
    second = next(e for e in events if e["type"] == "task.started" and e["task"] == "second")
    assert again["data"]["kept"] == ["first"]
    assert again["data"]["superseded"] == [second["seq"], again["seq"] - 1]
    tids = [(task["name"], task["tid"]) for task in again["data"]["tasks"]]
    assert tids == [("first", "1.1"), ("second", "2.1")]
    told = [(task["name"], task["tid"]) for task in events[-1]["data"]["tasks"]]
    assert told == tids


async def test_a_snapshot_tells_executions_of_one_name_apart(
    start_sidecar: StartSidecar, session: aiohttp.ClientSession, transport: TransportName
) -> None:
    sidecar = start_sidecar(SIDECAR_CREW=f"{TARGETS}:Branches", OFFLINE_TOKEN_MS="1")
    raw = Raw(session, sidecar.url, transport)
    run = (await raw.command({"id": "s-1", "cmd": "start"}))["run"]
    events = [frame async for _, frame in raw.frames(run) if "seq" in frame and "data" in frame]
    assert events[-1]["type"] == "run.completed"
    crews = {event["tid"]: event for event in events if event["type"] == "crew.started"}
    snapshot = (await raw.command({"id": "s-2", "cmd": "status", "run": run}))["result"]
    assert [task["name"] for task in snapshot["tasks"]] == ["work"] * 4
    for task in snapshot["tasks"]:
        assert task["agent"] in task["output"]
        assert crews[task["in"]]["data"]["name"] == f"{task['agent']}'s crew"
    final = events[-1]["data"]["tasks"]
    assert [task["tid"] for task in final] == [task["tid"] for task in snapshot["tasks"]]
    await raw.close()
