"""What a supervisor makes of the runs that a dead one left, and of a log that won't let it end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sidecar.datafolder import DataFolder
from sidecar.errors import StoreError
from sidecar.log import Log, StoredAck
from sidecar.log.memory import MemoryStore
from sidecar.protocol import Start
from sidecar.runs import Supervisor
from sidecar.settings import ResumePolicy, Settings
from tests.support.clock import Clock, settle
from tests.support.commands import command
from tests.support.scripted import STARTED, ScriptedPool


class FullDisk(MemoryStore):
    """Takes nothing any more once it is full."""

    full = False

    def create(self, run: str) -> Log:
        log = super().create(run)
        log.health = self.health
        return log

    async def stored(
        self, log: Any, snapshot: dict[str, Any] | None, ack: StoredAck | None
    ) -> None:
        if self.full:
            self.health.failed("disk is full")
            raise StoreError("disk is full")
        await super().stored(log, snapshot, ack)


def supervisor(
    folder: Path, store: MemoryStore, resume: ResumePolicy = "auto"
) -> tuple[Supervisor, ScriptedPool]:
    pool = ScriptedPool()
    made = Supervisor(Settings(resume=resume, max_runs=2), store, pool, DataFolder(folder))
    return made, pool


async def left(folder: Path, store: MemoryStore, count: int) -> list[str]:
    """Runs under way, oldest first, and nobody left who sees to them."""
    before, pool = supervisor(folder, store)
    await before.open()
    runs = []
    for _ in range(count):
        runs.append((await before.handle(command(Start)))["run"])
        await settle()
        pool.taken[-1].say("run.started", STARTED)
        await settle()
    dead = asyncio.all_tasks() - {asyncio.current_task()}
    for task in dead:
        task.cancel()
    await asyncio.gather(*dead, return_exceptions=True)
    return runs


@pytest.fixture
def store() -> FullDisk:
    return FullDisk(retain=1_000, keep_runs=10)


async def test_runs_that_a_dead_gateway_left_carry_on_the_oldest_first(
    tmp_path: Path, store: FullDisk
) -> None:
    runs = await left(tmp_path, store, 2)
    after, pool = supervisor(tmp_path, store)
    await after.open()
    await settle()
    specs = [(await worker.told("start"))["spec"] for worker in pool.taken]
    assert [(spec["run"], spec["attempt"]) for spec in specs] == [(run, 2) for run in runs]
    await after.end_runs()
    await after.close()


async def test_where_nobody_wants_that_they_end_as_interrupted(
    tmp_path: Path, store: FullDisk
) -> None:
    [run] = await left(tmp_path, store, 1)
    after, pool = supervisor(tmp_path, store, resume="never")
    await after.open()
    await after.settled()
    snapshot = await after.snapshot(run)
    assert (snapshot["state"], snapshot["reason"]) == (
        "interrupted",
        "the sidecar died while the run was going on",
    )
    assert pool.taken == []
    await after.close()


async def test_a_run_that_its_log_does_not_let_end_is_left_for_the_next_start(
    tmp_path: Path, store: FullDisk, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    made, pool = supervisor(tmp_path, store)
    await made.open()
    run = (await made.handle(command(Start)))["run"]
    await settle()
    pool.taken[-1].say("run.started", STARTED)
    await settle()
    store.full = True
    ending = asyncio.create_task(made.end_runs())
    await clock.turn(9.9)
    assert not ending.done()
    await clock.turn(0.1)
    await ending
    await made.close()
    assert f"{run} could not be ended: disk is full" in [r.getMessage() for r in caplog.records]
    snapshot = await store.snapshot(run)
    assert snapshot is not None
    assert snapshot["state"] == "running"
