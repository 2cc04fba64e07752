"""What becomes of runs that a dead gateway left, and of those that the log does not let end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sidecar.clock import now_ms
from sidecar.datafolder import DataFolder
from sidecar.errors import StoreError
from sidecar.log import Log, StoredAck
from sidecar.log.memory import MemoryStore
from sidecar.protocol import Draft, Resume, Start
from sidecar.runs import Supervisor
from sidecar.runs.run import Run
from sidecar.settings import ResumePolicy, Settings
from tests.support.clock import Clock, settle
from tests.support.commands import command
from tests.support.scripted import STARTED, ScriptedPool
from tests.support.stage import Stage


class FullDisk(MemoryStore):
    """Takes nothing any more once it is full."""

    full = False

    def create(self, run: str, title: str = "") -> Log:
        log = super().create(run, title)
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


async def test_a_run_of_which_too_little_is_left_keeps_no_other_from_carrying_on(
    tmp_path: Path, store: FullDisk, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = await left(tmp_path, store, 2)
    snapshot = await store.snapshot(bad)
    assert snapshot is not None
    del snapshot["tasks"]
    after, pool = supervisor(tmp_path, store)
    await after.open()
    await settle()
    assert (await pool.worker.told("start"))["spec"]["run"] == good
    assert len(pool.taken) == 1
    assert f"run {bad} can't be carried on: its snapshot lacks 'tasks'" in caplog.messages
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


def abandoned(*events: tuple[str, dict[str, Any]], cause: str | None = None) -> Run:
    """A run as a gateway that died left it: started, and what happened then."""
    run = Run("r", "default", created=1.0)
    run.begin()
    told = [("run.started", STARTED), *events]
    for seq, (type, data) in enumerate(told, 1):
        run.apply(Draft(type, now_ms(), data, cause=cause), seq)
    return run


async def carry_on(run: Run) -> Stage:
    stage = Stage(run=run)
    stage.execution.carry_on()
    stage.go()
    await settle()
    return stage


async def test_a_run_that_its_gateway_left_carries_on_with_its_next_attempt() -> None:
    stage = await carry_on(abandoned(("task.started", {"name": "one"})))
    worker = await stage.attempt(1)
    assert (await worker.told("start"))["spec"]["attempt"] == 2
    worker.give_up()
    await stage.final()


async def test_a_run_that_its_gateway_left_in_the_queue_begins_with_its_first() -> None:
    stage = await carry_on(Run("r", "default", created=1.0))
    worker = await stage.attempt(1)
    assert (await worker.told("start"))["spec"]["attempt"] == 1
    worker.give_up()
    await stage.final()


async def test_a_run_that_was_being_cancelled_when_its_gateway_died_is_cancelled() -> None:
    stage = await carry_on(abandoned(("run.cancelling", {"reason": "enough"}), cause="c-1"))
    final = await stage.final()
    assert (final["type"], final["cause"], final["data"]["reason"]) == (
        "run.cancelled",
        "c-1",
        "enough",
    )
    assert stage.pool.taken == []


async def test_a_run_that_was_paused_when_its_gateway_died_stays_paused() -> None:
    pausing = abandoned(("run.pausing", {}), cause="c-1")
    stage = await carry_on(pausing)
    assert (await stage.types())[-1] == "run.paused"
    assert stage.pool.taken == []
    await stage.execution.controls.resume(command(Resume, run="r"))
    worker = await stage.attempt(1)
    assert (await worker.told("start"))["spec"]["attempt"] == 2
    worker.give_up()
    await stage.final()


async def test_a_run_over_which_gateways_keep_dying_is_given_up() -> None:
    run = abandoned()
    run.attempt = 50
    stage = await carry_on(run)
    final = await stage.final()
    assert (final["type"], final["data"]["reason"]) == (
        "run.interrupted",
        "the sidecar died 50 times over it",
    )
    assert stage.pool.taken == []
