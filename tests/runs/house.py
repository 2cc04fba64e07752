"""A supervisor with all that it stands on but processes: a log in memory, scripted workers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.datafolder import DataFolder
from sidecar.errors import StoreError
from sidecar.log import LogStore, StoredAck
from sidecar.log.memory import MemoryStore
from sidecar.protocol import (
    Command,
    Reply,
    Start,
)
from sidecar.runs import Query, Supervisor
from sidecar.settings import Settings
from tests.support.clock import settle
from tests.support.commands import command
from tests.support.scripted import STARTED, ScriptedPool, ScriptedWorker

__all__ = ["House", "Unreadable", "house", "refused"]


class Unreadable(MemoryStore):
    """A store that can't be read while it has a `trouble`."""

    trouble: str | None = None

    async def ack(self, id: str) -> StoredAck | None:
        self._check()
        return await super().ack(id)

    async def snapshot(self, run: str) -> dict[str, Any] | None:
        self._check()
        return await super().snapshot(run)

    def _check(self) -> None:
        if self.trouble is not None:
            raise StoreError(self.trouble)


class House:
    """A supervisor on a log in memory, with scripted workers."""

    def __init__(self, folder: Path, store: LogStore | None = None, **chosen: Any) -> None:
        self.folder = DataFolder(folder)
        self.settings = Settings(config=folder, **chosen)
        self.store = store or Unreadable(retain=1_000, keep_runs=10)
        self.pool = ScriptedPool()
        self.synthetic = ScriptedPool()
        self.supervisor = Supervisor(
            self.settings,
            self.store,
            self.pool,
            self.folder,
            self.synthetic if self.settings.synthetic else None,
        )

    async def ask(self, asked: Command) -> Reply:
        return await self.supervisor.handle(asked)

    async def start(self, **fields: object) -> str:
        ack = await self.ask(command(Start, None, **fields))
        assert ack["ok"], ack
        await settle()
        return ack["run"]

    async def running(self) -> tuple[str, ScriptedWorker]:
        run = await self.start()
        worker = self.pool.taken[-1]
        worker.say("run.started", STARTED)
        await settle()
        return run, worker

    async def completed(self) -> str:
        run, worker = await self.running()
        worker.say("run.completed", {"output": "o"})
        worker.leave()
        await settle()
        assert await self.state(run) == "completed"
        return run

    async def page(self, **query: Any) -> dict[str, Any]:
        return await self.supervisor.lists.page(Query(**query))

    async def state(self, run: str) -> str:
        return str((await self.supervisor.snapshot(run))["state"])


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path, max_runs=2, queue=1)
    await made.supervisor.open()
    yield made
    await made.supervisor.end_runs()
    await made.supervisor.close()


def refused(reply: Reply) -> tuple[str | bool, str | bool]:
    assert not reply["ok"]
    return reply["error"]["code"], reply["error"]["message"]
