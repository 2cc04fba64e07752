"""One execution on a log in memory, its workers scripted."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import orjson

from sidecar.log.memory import MemoryStore
from sidecar.protocol import Cancel, Start
from sidecar.runs.execution import Execution
from sidecar.runs.run import Run
from sidecar.runs.slots import Slots
from tests.support.clock import settle
from tests.support.commands import command
from tests.support.scripted import SPEC, STARTED, ScriptedPool, ScriptedWorker

__all__ = ["TIMEOUT", "Stage"]

TIMEOUT = 900.0


class Stage:
    """An execution, its pool, and the slot that it waits for."""

    def __init__(
        self,
        *,
        retries: int = 0,
        slots: Literal[0, 1] = 1,
        input_timeout: float = 0.0,
        run: Run | None = None,
    ) -> None:
        self.pool = ScriptedPool()
        self.run = run or Run("r", "default", created=1.0)
        self.log = MemoryStore(retain=1_000, keep_runs=10).create("r")
        self.slots = Slots(1)
        self.other = self.slots.place()
        """Of another run, which has the slot to begin with where it has none."""
        if not slots:
            self.other.ask()
        self.execution = Execution(
            self.run,
            self.log,
            self.pool,
            self.slots,
            {**SPEC, "input_timeout": input_timeout},
            timeout=TIMEOUT,
            retries=retries,
        )
        self.going: asyncio.Task[None]

    async def begin(self) -> None:
        start = command(Start, "s", inputs={"message": "tea"}, review=["one"])
        self.execution.place.ask()
        await self.execution.queue(start, review=start.review)
        self.go()

    def go(self) -> None:
        self.going = asyncio.create_task(self.execution.execute())

    async def begun(self) -> ScriptedWorker:
        """Its first worker, which has said that the crew has started."""
        await self.begin()
        worker = await self.attempt(1)
        worker.say("run.started", STARTED)
        await settle()
        return worker

    async def attempt(self, number: int) -> ScriptedWorker:
        """The worker of that attempt, told to start."""
        while len(self.pool.taken) < number:
            assert not self.going.done()
            await asyncio.sleep(0)
        worker = self.pool.taken[number - 1]
        await worker.told("start")
        return worker

    def state(self) -> str:
        return self.run.state

    async def events(self) -> list[dict[str, Any]]:
        return [orjson.loads(event.json) for event in await self.log.read(0, 1_000)]

    async def types(self) -> list[str]:
        return [event["type"] for event in await self.events()]

    async def final(self) -> dict[str, Any]:
        """The final event, once `execute` has returned."""
        await self.going
        assert self.log.sealed
        return (await self.events())[-1]

    async def cancel(self, id: str = "c-1", **fields: str) -> None:
        assert (await self.execution.cancel(command(Cancel, id, run="r", **fields)))["ok"]
