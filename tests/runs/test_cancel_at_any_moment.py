"""A cancel at every moment from the ack of a start to its first tokens, with real processes.

Those of the crew `synthetic`, which begin at once and then say a token every 2 ms.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import orjson
import pytest

from sidecar.datafolder import DataFolder
from sidecar.log.memory import MemoryStore
from sidecar.pool import Pool, fork
from sidecar.pool.fork import ForkPool
from sidecar.pool.spawn import SpawnPool
from sidecar.protocol import Cancel, Start
from sidecar.runs import Supervisor
from sidecar.settings import Settings
from tests.pool.talk import BOUND, idle_of
from tests.support import light
from tests.support.commands import command
from tests.support.long import LONG

STEP = 0.004
"""Seconds between two moments; the last is well behind the first token."""

IN_FLIGHT_MS = 100.0
"""Between the ack and what a worker said last, which had not heard of it yet."""


@pytest.fixture(params=["fork", "spawn"])
async def pool(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Pool:
    settings = Settings(data=tmp_path)
    if request.param == "spawn":
        return SpawnPool(settings, program="synthetic")
    if sys.platform != "linux":
        pytest.skip("fork is for Linux")
    monkeypatch.setattr(fork, "command", light.command)
    return ForkPool(settings)


async def test_no_moment_lets_a_token_by_or_a_run_go_without_its_end(
    pool: Pool, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path, config=tmp_path)
    store = MemoryStore(retain=10_000, keep_runs=1_000)
    supervisor = Supervisor(settings, store, pool, DataFolder(tmp_path))
    await supervisor.open()
    inputs = {"events": 100_000, "rate": 500, "delay": 0}
    tokens = 0
    try:
        for moment in range(400 if LONG else 20):
            start = await supervisor.handle(command(Start, inputs=inputs))
            # Not to wait for anything: the moment itself is what is tried.
            await asyncio.sleep(moment % 40 * STEP)
            ack = await supervisor.handle(command(Cancel, run=start["run"]))
            feed = await supervisor.feed(start["run"])
            async with asyncio.timeout(BOUND):
                await supervisor.settled()
            told = [orjson.loads(event.json) for event in await feed.log.read(0, 10_000)]
            acked = next(event for event in told if event["seq"] == ack["seq"])
            assert told[-1]["type"] == "run.cancelled"
            assert told[-1]["at"] - acked["at"] < 1_000
            late = [event for event in told[ack["seq"] : -1] if event["type"] != "log"]
            assert "run.started" not in {event["type"] for event in late}
            assert all(event["ts"] < acked["at"] + IN_FLIGHT_MS for event in late)
            tokens += sum(event["type"] == "llm.delta" for event in told)
        await idle_of(pool)
        assert supervisor.trouble is None
    finally:
        await supervisor.end_runs()
        await supervisor.close()
    assert tokens > 0
