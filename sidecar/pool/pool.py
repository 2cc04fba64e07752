"""The pool: one warm worker before it is needed, one new worker per run."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from sidecar.channel import WORKER_BROKEN, WORKER_READY, Order
from sidecar.pool.child import KILL, Worker
from sidecar.pool.lines import WorkerLines
from sidecar.settings import Settings
from sidecar.tasks import Tasks

__all__ = [
    "READY_SECONDS",
    "CannotImport",
    "Pool",
    "Process",
    "WorkerLost",
    "command",
    "lacking",
]

logger = logging.getLogger("sidecar.pool")

READY_SECONDS: Final = 120.0
"""A worker or zygote that is not ready by then is broken; a cold import takes 5-20 s."""

_RETRY_SECONDS: Final = (0.2, 1.0, 5.0, 15.0)
"""Waits between attempts to get a warm worker when launching fails."""

_STOOD_SECONDS: Final = 10.0
"""An idle worker that dies after that long did nothing wrong by being warm."""

_AGAIN_SECONDS: Final = 1.0
"""At least between two workers of which the first died right after it was ready, and so did the one
before it; and at least as long as it takes to make one, so that this costs half a core at most."""

_CHANNEL_BUFFER: Final = 1 << 20

_PROGRAMS: Final = Path(__file__).resolve().parent.parent / "worker" / "__main__.py"

Process = tuple[int, "asyncio.Future[int | None]"]
"""A process's pid and its future exit code."""


class WorkerLost(Exception):
    """No worker could be made, or it died before it was ready."""


class CannotImport(WorkerLost):
    """A worker process lacks what it imports; it will lack it the next time too."""


class Pool(ABC):
    """Keeps up to `warm` workers ready and hands out one per run, to who waits longest.

    Each is made by a task of its own and handed out when it is ready. `_tend` sees to it that there
    are as many as are wanted; it is called whenever that may have changed.
    """

    def __init__(self, settings: Settings) -> None:
        self._warm_target = settings.warm
        self._idle: list[Worker] = []
        """Ready and alive; who dies is taken out at once."""
        self._takers: deque[asyncio.Future[Worker]] = deque()
        """Who waits for one: as many as there are runs at once."""
        self._makers = Tasks()
        self._making = 0
        self._open = False
        self._again: asyncio.TimerHandle | None = None
        """While no worker is made, after a failure."""
        self._failures = 0
        """Launches in a row that failed."""
        self._early_deaths = 0
        """Of workers in a row that were ready and served nobody."""
        self._proven = False
        """Whether there has ever been a worker."""
        self.broken = asyncio.Event()
        """Set when there can be none: the first one lacks what it imports, as `trouble` says."""
        self.trouble: str | None = None
        """Why there is no warm worker right now, in words for a person."""
        self.brief: Callable[[], Order] | None = None
        """What a worker that is kept ready is told meanwhile; dropped when one dies of it."""

    @property
    def ready(self) -> bool:
        return self._warm_target == 0 or any(worker.alive for worker in self._idle)

    def start(self) -> None:
        self._open = True
        self._tend()

    async def stop(self) -> None:
        self._open = False
        self._wait_no_more()
        await self._makers.close()
        for worker in self._idle:
            _dismiss(worker)
        self._idle.clear()

    async def take(self) -> Worker:
        """A worker that said it is ready. Waits for one; cancel to give up.

        Raises CannotImport when there can be none.
        """
        while True:
            if self.broken.is_set():
                raise CannotImport(self.trouble)
            taker: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            self._tend()
            try:
                worker = await taker
            except asyncio.CancelledError:
                # It may have been given one in the same turn of the loop.
                if taker.done() and not taker.cancelled() and taker.exception() is None:
                    self._take_back(taker.result())
                elif taker in self._takers:
                    self._takers.remove(taker)
                self._tend()
                raise
            if worker.alive:
                self._early_deaths = 0
                return worker
            worker.close()

    async def make(self) -> Worker:
        """One beside those that are kept ready, for what is no run; the caller ends it.

        Raises WorkerLost, at once while none can be made.
        """
        if self.broken.is_set() or self._again is not None:
            raise WorkerLost(self.trouble)
        try:
            return await self._make()
        except OSError as error:
            raise WorkerLost(f"a worker can't be started: {error.strerror or error}") from None

    def _take_back(self, worker: Worker) -> None:
        if worker.alive and self._open:
            self._idle.insert(0, worker)
        else:
            _dismiss(worker)

    def _tend(self) -> None:
        """Hand out what there is, end what is too much, and begin to make what is missing."""
        if not self._open or self.broken.is_set():
            return
        while self._takers and self._idle:
            worker, taker = self._idle.pop(0), self._takers.popleft()
            if taker.done():
                self._idle.insert(0, worker)
            else:
                taker.set_result(worker)
        while len(self._idle) > self._warm_target:
            _dismiss(self._idle.pop())
        if self._again is None:
            wanted = max(self._warm_target, len(self._takers))
            for _ in range(wanted - len(self._idle) - self._making):
                self._making += 1
                self._makers.spawn(self._add())

    async def _add(self) -> None:
        """Make one worker and put it where it can be taken."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            worker = await self._make()
        except OSError as error:
            self._failed(WorkerLost(f"a worker can't be started: {error.strerror or error}"))
        except Exception as error:
            self._failed(error)
        else:
            self._proven, self._failures, self.trouble = True, 0, None
            if self.brief is not None:
                worker.order(self.brief())
            self._idle.append(worker)
            ready = loop.time()
            worker.when_gone(lambda: self._lost(worker, ready, ready - began))
        finally:
            self._making -= 1
        self._tend()

    def _failed(self, error: Exception) -> None:
        self.trouble = str(error)
        if not self._proven and isinstance(error, CannotImport):
            self.broken.set()
            while self._takers:
                taker = self._takers.popleft()
                if not taker.done():
                    taker.set_exception(CannotImport(self.trouble))
            return
        if self._again is None:  # else another one of the same time has said so
            logger.error("no worker: %s", self.trouble)
            self._wait(_RETRY_SECONDS[min(self._failures, len(_RETRY_SECONDS) - 1)])
            self._failures += 1

    def _lost(self, worker: Worker, ready: float, made_in: float) -> None:
        """A worker has died: nothing that matters here, unless it was idle."""
        if worker not in self._idle:
            return
        self._idle.remove(worker)
        worker.close()
        self.trouble = f"the worker that was ready died; another one is made (see {self.log_hint})"
        early = asyncio.get_running_loop().time() - ready < _STOOD_SECONDS
        if early and self._early_deaths > 0 and self._again is None:
            self._wait(max(_AGAIN_SECONDS, made_in))
        self._early_deaths = self._early_deaths + 1 if early else 0
        if early:
            self.brief = None
        logger.warning("worker %d died while it was idle", worker.pid)
        self._tend()

    def _wait(self, seconds: float) -> None:
        """Make no worker for so long."""
        self._again = asyncio.get_running_loop().call_later(seconds, self._try_again)

    def _try_again(self) -> None:
        self._wait_no_more()
        self._tend()

    def _wait_no_more(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None

    async def _make(self) -> Worker:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        for end in (ours, theirs):
            # As much as a worker may be ahead of the gateway; the kernel caps it.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CHANNEL_BUFFER)
        lines = WorkerLines()
        try:
            await lines.open(ours)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        try:
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
            _dismiss(worker)
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
            raise lacking(said["data"]["message"], said["data"], self.log_hint)
        if said.get("type") != WORKER_READY:
            raise WorkerLost(f"worker said {said.get('type')!r} instead of {WORKER_READY!r}")

    @property
    @abstractmethod
    def log_hint(self) -> str:
        """Where the worker's own complaints are."""

    @abstractmethod
    async def _launch(self, theirs: socket.socket) -> Process:
        """Start a process with its end of the channel; its pid and its future exit code."""


def _dismiss(worker: Worker) -> None:
    worker.signal(KILL)
    worker.close()


def lacking(text: str, said: Mapping[str, Any], log: str) -> CannotImport:
    """What a worker or zygote says it lacks, with the place of more unless `text` is all of it."""
    return CannotImport(text if said.get("whole") else f"{text} (see {log})")


def command(program: str, *arguments: str) -> list[str]:
    """How to start a program of `sidecar.worker`: see its `__main__`."""
    return [sys.executable, "-P", str(_PROGRAMS), program, *arguments]
