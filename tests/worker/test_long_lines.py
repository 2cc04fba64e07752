"""A crew whose facts are long: real crewai, its worker, the gateway, and a reader."""

from __future__ import annotations

import asyncio

from tests.conftest import StartSidecar
from tests.support.sidecar import BOUND, assert_whole


async def test_a_tool_that_is_called_with_12_mb_of_arguments_does_not_stop_its_run(
    start_sidecar: StartSidecar,
) -> None:
    sidecar = await asyncio.to_thread(
        start_sidecar, SIDECAR_CREW="tests.worker.targets:talkative_tool"
    )
    async with asyncio.timeout(BOUND), sidecar.client() as crew:
        run = await crew.start({"message": "much"})
        events = [event async for event in crew.follow(run) if event["type"][:7] != "stream."]
    assert_whole(events)
    assert events[-1]["type"] == "run.completed"
    (started,) = (event for event in events if event["type"] == "tool.started")
    assert started["data"]["truncated"]
    (completed,) = (event for event in events if event["type"] == "tool.completed")
    assert completed["data"]["output"] == "6000000 characters"
