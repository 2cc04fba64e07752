"""Real processes that can't be started, or die before a run has them: no run notices.

Those of the crew `synthetic`, which start in a tenth of a second.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from sidecar.datafolder import DataFolder
from sidecar.log.memory import MemoryStore
from sidecar.pool import KILL, Pool, Worker, fork, spawn
from sidecar.pool.fork import ForkPool
from sidecar.pool.spawn import SpawnPool
from sidecar.protocol import Start
from sidecar.runs import Supervisor
from sidecar.settings import Settings
from tests.faults.counters import until
from tests.pool.talk import BOUND, idle_of
from tests.support import light
from tests.support.commands import command

WARM = 3


@pytest.fixture(params=["fork", "spawn"])
async def made(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Supervisor, Pool]]:
    """A supervisor, not open yet, and the pool that it has."""
    settings = Settings(data=tmp_path, config=tmp_path, warm=WARM)
    pool: Pool
    if request.param == "spawn":
        pool = SpawnPool(settings, program="synthetic")
    elif sys.platform == "linux":
        monkeypatch.setattr(fork, "command", light.command)
        pool = ForkPool(settings)
    else:
        pytest.skip("fork is for Linux")
    store = MemoryStore(retain=10_000, keep_runs=1_000)
    supervisor = Supervisor(settings, store, pool, DataFolder(tmp_path))
    yield supervisor, pool
    await supervisor.end_runs()
    await supervisor.close()


async def begin(supervisor: Supervisor, **inputs: float) -> str:
    ack = await supervisor.handle(command(Start, inputs={"delay": 0, **inputs}))
    return str(ack["run"])


async def told(supervisor: Supervisor, run: str) -> list[dict[str, Any]]:
    feed = await supervisor.feed(run)
    return [orjson.loads(event.json) for event in await feed.log.read(0, 10_000)]


async def until_ready(supervisor: Supervisor, pool: Pool) -> None:
    """By itself, and with all the workers that are to be warm."""
    await until(
        lambda: supervisor.trouble is None and sum(one.alive for one in pool._idle) == WARM,
        "it is ready again",
        BOUND,
    )


async def test_ten_launches_fail_and_the_run_that_waited_is_done_by_the_eleventh(
    made: tuple[Supervisor, Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel's own refusal: there is no such program."""
    supervisor, pool = made
    module = fork if isinstance(pool, ForkPool) else spawn
    launch = module.command
    troubles: list[str] = []

    def absent(*words: str) -> list[str]:
        troubles.append(str(supervisor.trouble))
        return launch(*words) if len(troubles) > 10 else ["/nowhere/to/be/found"]

    monkeypatch.setattr(module, "command", absent)
    monkeypatch.setattr("sidecar.pool.pool._RETRY_SECONDS", (0.02,))
    await supervisor.open()
    run = await begin(supervisor, events=3)
    async with asyncio.timeout(BOUND):
        await supervisor.settled()
    assert (await told(supervisor, run))[-1]["type"] == "run.completed"
    await until_ready(supervisor, pool)
    assert "No such file or directory" in troubles[10]


async def test_fifty_idle_workers_are_killed_while_runs_begin_and_each_run_is_whole(
    made: tuple[Supervisor, Pool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sidecar.pool.pool._AGAIN_SECONDS", 0.1)
    supervisor, pool = made
    chance = random.Random(12)
    await supervisor.open()
    runs: list[str] = []
    killed: list[Worker] = []
    while len(killed) < 50:
        async with asyncio.timeout(BOUND):
            victim = chance.choice(await idle_of(pool))
        victim.signal(KILL)
        killed.append(victim)
        # Before anybody can know, so that it is given to a run: which has shown nothing of it yet.
        begun = [begin(supervisor, events=20, rate=400) for _ in range(chance.randrange(3))]
        runs += await asyncio.gather(*begun)
        await asyncio.wait_for(victim.exit_code(), BOUND)
    async with asyncio.timeout(BOUND):
        await supervisor.settled()
    await until_ready(supervisor, pool)
    last = list(pool._idle)
    for victim in last:
        victim.signal(KILL)
    await asyncio.gather(*(victim.exit_code() for victim in last))
    await until_ready(supervisor, pool)  # though nobody asks for one
    for run in runs:
        events = await told(supervisor, run)
        assert events[-1]["type"] == "run.completed", events[-1]
        assert sum(event["type"] == "llm.delta" for event in events) == 20
    assert len(runs) > 40
