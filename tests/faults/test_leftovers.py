"""A gateway that is killed takes everything with it (I11)."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import aiohttp
import orjson
import pytest

from tests.faults.conftest import StartGateway
from tests.support.sidecar import gone


@pytest.mark.parametrize("workers", ["fork", "spawn"])
async def test_nothing_outlives_a_killed_gateway_not_even_the_child_of_a_tool_at_work(
    start_gateway: StartGateway, session: aiohttp.ClientSession, tmp_path: Path, workers: str
) -> None:
    async def die_at_work(crew: str) -> None:
        target = f"tests.support.crews:{crew}"
        gateway = await start_gateway(tmp_path / crew, SIDECAR_WORKERS=workers, SIDECAR_CREW=target)
        child = await child_of_a_tool(session, gateway.url)
        assert child in gateway.workers()
        await gateway.kill()
        assert await gateway.leftovers() == []
        await gone(child)

    # Side by side, since each imports CrewAI.
    await asyncio.gather(die_at_work("stubborn"), die_at_work("spinner"))


async def child_of_a_tool(session: aiohttp.ClientSession, url: str) -> int:
    """Start a run; the pid that its tool prints once it is at work."""
    async with session.post(f"{url}/runs", json={"id": "k-1"}) as response:
        run = (await response.json())["run"]
    async with session.ws_connect(f"{url}/ws", params={"run": run}) as ws:
        async for message in ws:
            frame = orjson.loads(message.data)
            assert not frame.get("final"), frame
            if frame["type"] == "log" and (
                found := re.match(r"child (\d+)", frame["data"]["text"])
            ):
                return int(found[1])
    raise AssertionError("the stream ended before the tool was at work")
