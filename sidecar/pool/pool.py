"""The pool: one warm worker before it is needed, one new worker per run."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

import orjson

from sidecar.channel import WORKER_BROKEN, WORKER_READY
from sidecar.pool.child import KILL, Worker
from sidecar.pool.lines import WorkerLines
from sidecar.settings import Settings
from sidecar.tasks import Tasks

__all__ = ["READY_SECONDS", "CannotImport", "Pool", "Process", "WorkerLost", "command"]

logger = logging.getLogger("sidecar.pool")

READY_SECONDS: Final = 120.0
"""A worker or zygote that is not ready by then is broken; a cold import takes 5-20 s."""

_RETRY_SECONDS: Final = (0.2, 1.0, 5.0, 15.0)
"""Waits between attempts to get a warm worker when launching fails."""

_CHANNEL_BUFFER: Final = 1 << 20

_PROGRAMS: Final = Path(__file__).resolve().parent.parent / "worker" / "__main__.py"

Process = tuple[int, "asyncio.Future[int | None]"]
"""A process's pid and its future exit code."""


class WorkerLost(Exception):
    """No worker could be made, or it died before it was ready."""


class CannotImport(WorkerLost):
    """A worker process lacks what it imports; it will lack it the next time too."""


class Pool(ABC):
    """Keeps up to `warm` workers ready and hands out one per run.

    One task refills it; `take` waits for the next worker that becomes ready.
    """

    def __init__(self, settings: Settings) -> None:
        self._warm_target = settings.warm
        self._idle: list[Worker] = []
        self._waiting = 0
        self._changed = asyncio.Condition()
        self._refiller = Tasks()
        self._proven = False
        """Whether there has ever been a worker."""
        self.broken = asyncio.Event()
        """Set when there can be none: the first one lacks what it imports, as `trouble` says."""
        self.trouble: str | None = None
        """Why there is no warm worker right now, in words for a person."""

    @property
    def ready(self) -> bool:
        return self._warm_target == 0 or any(worker.alive for worker in self._idle)

    def start(self) -> None:
        self._refiller.spawn(self._refill())

    async def stop(self) -> None:
        await self._refiller.close()
        for worker in self._idle:
            worker.signal(KILL)
            worker.close()
        self._idle.clear()

    async def take(self) -> Worker:
        """A worker that said it is ready. Waits for one; cancel to give up.

        Raises CannotImport when there can be none.
        """
        async with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            try:
                while True:
                    await self._changed.wait_for(lambda: self._idle or self.broken.is_set())
                    if self.broken.is_set():
                        raise CannotImport(self.trouble)
                    worker = self._idle.pop(0)
                    self._changed.notify_all()
                    if worker.alive:
                        return worker
                    worker.close()
            finally:
                self._waiting -= 1

    async def _refill(self) -> None:
        failures = 0
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._missing > 0)
            made = await asyncio.gather(
                *(self._make() for _ in range(self._missing)), return_exceptions=True
            )
            workers = [one for one in made if isinstance(one, Worker)]
            async with self._changed:
                self._idle += workers
                self._proven |= bool(workers)
                self._changed.notify_all()
            troubles = [one for one in made if isinstance(one, BaseException)]
            if not troubles:
                failures, self.trouble = 0, None
                continue
            self.trouble = str(troubles[0])
            if not self._proven and isinstance(troubles[0], CannotImport):
                async with self._changed:
                    self.broken.set()
                    self._changed.notify_all()
                return
            logger.error("no worker: %s", self.trouble)
            await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
            failures += 1

    @property
    def _missing(self) -> int:
        return max(self._warm_target, self._waiting) - len(self._idle)

    async def _make(self) -> Worker:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        for end in (ours, theirs):
            # As much as a worker may be ahead of the gateway; the kernel caps it.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CHANNEL_BUFFER)
        lines = WorkerLines()
        try:
            await lines.open(ours)
            pid, exited = await self._launch(theirs)
        except BaseException:
            lines.close()
            raise
        finally:
            theirs.close()
        worker = Worker(pid, lines, exited)
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._until_ready(worker)
        except BaseException as error:
            worker.signal(KILL)
            worker.close()
            if isinstance(error, TimeoutError):
                raise WorkerLost(f"worker not ready within {READY_SECONDS:g} s") from None
            raise
        return worker

    async def _until_ready(self, worker: Worker) -> None:
        lines = await worker.facts()
        if not lines:
            raise WorkerLost(
                f"worker exited before it was ready (exit code {await worker.exit_code()})"
                f"; see {self.log_hint}"
            )
        said = orjson.loads(lines[0])
        if said.get("type") == WORKER_BROKEN:
            raise CannotImport(f"{said['data']['message']} (see {self.log_hint})")
        if said.get("type") != WORKER_READY:
            raise WorkerLost(f"worker said {said.get('type')!r} instead of {WORKER_READY!r}")

    @property
    @abstractmethod
    def log_hint(self) -> str:
        """Where the worker's own complaints are."""

    @abstractmethod
    async def _launch(self, theirs: socket.socket) -> Process:
        """Start a process with its end of the channel; its pid and its future exit code."""


def command(program: str, *arguments: str) -> list[str]:
    """How to start a program of `sidecar.worker`: see its `__main__`."""
    return [sys.executable, "-P", str(_PROGRAMS), program, *arguments]
