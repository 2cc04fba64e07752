"""Workers without a process: they say what a test has them say, and keep what they are told."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Any

from sidecar.channel import LineTooLong, Order, RunSpec, encode_line, fact
from sidecar.pool.child import KILL, Worker
from sidecar.pool.lines import WorkerLines
from sidecar.pool.pool import CannotImport, Pool, Process, WorkerLost
from sidecar.settings import Settings

__all__ = ["SPEC", "STARTED", "ScriptedPool", "ScriptedWorker"]

STARTED: dict[str, Any] = {
    "model": "m",
    "attempt": 1,
    "tasks": [{"name": "one", "agent": "a"}, {"name": "two", "agent": "b"}],
}
"""What `run.started` tells of a crew of two tasks."""


SPEC: RunSpec = {
    "run": "r",
    "crew": "default",
    "inputs": {},
    "config": "config",
    "target": None,
    "directory": "r",
    "environ": {},
    "folder": ".",
    "attempt": 1,
    "kept": [],
    "forked": None,
    "superseded": None,
    "memory_mb": 0,
    "review": [],
    "input_timeout": 0.0,
}


class ScriptedWorker(Worker):
    """Leaves when it is told to cancel and on any signal, unless it is `deaf` to that."""

    def __init__(self, deaf: Iterable[str | int] = ()) -> None:
        super().__init__(0, WorkerLines(), asyncio.get_running_loop().create_future())
        self._said: list[bytes] = []
        self._heard = asyncio.Event()
        self._speaks = asyncio.Event()
        self._silent = False
        self._cut_off: str | None = None
        self.deaf = frozenset(deaf)
        """Names of orders and numbers of signals."""
        self.orders: list[Order] = []
        self.signals: list[int] = []
        self.closed = False

    def say(self, type: str, data: dict[str, Any] | None = None, **place: str) -> None:
        """A fact; `run.paused` and `run.modified` carry the cause of the last such order."""
        asked = {"run.paused": "pause", "run.modified": "modify"}.get(type)
        causes = [order.get("cause") for order in self.orders if order["order"] == asked]
        cause = place.pop("cause", None) or (causes[-1] if causes else None)
        self.write(encode_line(fact(type, data or {}, cause=cause, **place)))

    def write(self, *lines: bytes) -> None:
        """Whatever it is, with what is not yet taken, in one batch; one that has left is mute."""
        if not self._silent:
            self._said += lines
            self._speaks.set()

    def hush(self) -> None:
        """Close the channel, and stay."""
        self._silent = True
        self._speaks.set()

    def cut_off(self, why: str) -> None:
        """What the gateway does to one that says too long a line."""
        self._cut_off = why
        self.leave(-KILL)

    def leave(self, code: int | None = 0) -> None:
        if self.alive:
            self._exited.set_result(code)
        self.hush()

    def give_up(self) -> None:
        """End the run, whatever it is at: it fails."""
        self.say("run.failed", {"error": {"code": "error", "message": "given up"}})
        self.leave(1)

    async def told(self, kind: str) -> Order:
        """The last order of that kind; waits for the first."""
        while not (found := [order for order in self.orders if order["order"] == kind]):
            self._heard.clear()
            await self._heard.wait()
        return found[-1]

    def order(self, order: Order) -> None:
        self.orders.append(order)
        self._heard.set()
        if order["order"] == "cancel" and "cancel" not in self.deaf:
            self.leave()

    async def facts(self) -> list[bytes]:
        while not self._said and not self._silent:
            self._speaks.clear()
            await self._speaks.wait()
        if not self._said and self._cut_off is not None:
            raise LineTooLong(self._cut_off)
        said, self._said = self._said, []
        return said

    def signal(self, number: int) -> None:
        if self.alive:
            self.signals.append(number)
            if number not in self.deaf:
                self.leave(-number)

    def close(self) -> None:
        self.closed = True


class ScriptedPool(Pool):
    """Gives out `worker`, which a test may speak for beforehand, and a new one to each that comes
    after; none while `stocked` is not set."""

    def __init__(self) -> None:
        super().__init__(Settings(warm=0))
        self.worker = ScriptedWorker()
        self.taken: list[ScriptedWorker] = []
        self.asked = 0
        """How often somebody wanted one."""
        self.stocked = asyncio.Event()
        self.stocked.set()
        self.warm = True
        self.running = False

    @property
    def ready(self) -> bool:
        return self.warm

    @property
    def log_hint(self) -> str:
        return "nowhere"

    def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False

    def ruin(self, why: str) -> None:
        """There can be no workers: they cannot import what they need."""
        self.trouble = why
        self.warm = False
        self.broken.set()
        self.stocked.set()

    async def make(self) -> Worker:
        raise WorkerLost("a scripted worker imports nothing")

    async def take(self) -> Worker:
        self.asked += 1
        await self.stocked.wait()
        if self.broken.is_set():
            raise CannotImport(self.trouble)
        if self.worker in self.taken or not self.worker.alive:
            self.worker = ScriptedWorker()
        self.taken.append(self.worker)
        return self.worker

    async def _launch(self, theirs: socket.socket) -> Process:
        raise NotImplementedError("a scripted worker is no process")
