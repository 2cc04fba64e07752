"""A handle on one child process: orders, facts, signals to its whole group, and its exit."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.pool import KILL, Worker
from sidecar.pool.lines import WorkerLines
from sidecar.pool.spawn import SpawnPool
from sidecar.settings import Settings
from tests.pool.talk import BOUND, hear, start
from tests.support import light
from tests.worker.harness import gone

ENDLESS = 10_000_000


@pytest.fixture
async def worker(settings: Settings) -> AsyncIterator[Worker]:
    """Of the crew `synthetic`, ready."""
    pool = SpawnPool(settings, program="synthetic")
    pool.start()
    worker = await asyncio.wait_for(pool.take(), BOUND)
    yield worker
    worker.signal(KILL)
    await worker.exit_code()
    worker.close()
    await pool.stop()


async def test_orders_go_in_and_facts_come_out(worker: Worker, tmp_path: Path) -> None:
    worker.order(start(tmp_path, events=3))
    types = [fact["type"] for fact in await hear(worker)]
    assert types[0] == "run.started"
    assert types.count("llm.delta") == 3
    assert types[-1] == "run.completed"
    assert await worker.exit_code() == 0
    assert not worker.alive


async def test_a_signal_ends_it_and_its_exit_code_says_which(worker: Worker) -> None:
    assert worker.alive
    worker.signal(signal.SIGTERM)
    assert await worker.exit_code() == -signal.SIGTERM
    assert not worker.alive


async def test_who_gives_up_waiting_for_the_exit_takes_it_from_nobody_else(worker: Worker) -> None:
    impatient = asyncio.create_task(worker.exit_code())
    patient = asyncio.create_task(worker.exit_code())
    await asyncio.sleep(0)
    impatient.cancel()
    worker.signal(KILL)
    assert await patient == -KILL


async def test_a_worker_that_is_gone_is_not_signalled(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.signal(KILL)
    await worker.exit_code()
    signalled: list[int] = []
    # Its number may be another process's by now.
    monkeypatch.setattr(os, "killpg", lambda pid, _number: signalled.append(pid))
    worker.signal(KILL)
    assert signalled == []


async def test_a_signal_to_one_that_is_gone_and_not_yet_known_to_be_is_no_error() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "", start_new_session=True)
    await process.wait()
    unknown = asyncio.get_running_loop().create_future()
    Worker(process.pid, WorkerLines(), unknown).signal(KILL)
    unknown.cancel()


async def test_a_signal_reaches_the_children_of_its_tools(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sidecar.pool.spawn.command", light.command)
    pool = SpawnPool(settings, program="worker")
    pool.start()
    worker = await asyncio.wait_for(pool.take(), BOUND)
    order = start(tmp_path)
    order["spec"]["target"] = "hear"
    worker.order(order)
    (line,) = await worker.facts()
    child = int(json.loads(line)["data"]["text"])
    worker.signal(KILL)
    assert gone(child)
    assert await worker.exit_code() == -KILL
    worker.close()
    await pool.stop()


async def test_a_worker_that_is_hung_up_on_goes(worker: Worker, tmp_path: Path) -> None:
    worker.order(start(tmp_path, events=ENDLESS, burst=100))
    await worker.facts()
    worker.close()
    assert await asyncio.wait_for(worker.exit_code(), BOUND) is not None
