"""One run from its queue to its final event: takes a worker, records its facts, ends it.

What it says goes through the run's recorder; what people say to the run through its steering.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from sidecar.channel import TERMINAL, Order, RunSpec, now_ms
from sidecar.codec import Draft
from sidecar.deadline import Deadline
from sidecar.log import Log
from sidecar.protocol import Cancel, Command, Reply
from sidecar.recorder import Recorder
from sidecar.run import Run
from sidecar.steering import Steering
from sidecar.workers import KILL, Pool, Worker

__all__ = ["Ending", "Execution"]

logger = logging.getLogger("sidecar.execution")

# The cancel ladder. A worker that was told ends itself: at its next token, else after 0.3 s, or
# after 2.5 s while a tool is at work (crew/worker.py). One that does not is deaf; SIGTERM, then
# SIGKILL, end it within the 3.5 s that PROTOCOL.md promises.
_COOPERATIVE_SECONDS: Final = 2.7
_SIGTERM_SECONDS: Final = 0.3
_SIGKILL_SECONDS: Final = 0.3

_EXIT_SECONDS: Final = 1.0
"""Between a worker's last word and its exit, which is one os._exit away."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the gateway itself ends a run."""

    kind: Literal["cancelled", "timeout", "interrupted"]
    reason: str | None = None
    cause: str | None = None


class Execution:
    """`execute` is a task of the supervisor's; it returns after the final event, always."""

    def __init__(self, run: Run, log: Log, pool: Pool, spec: RunSpec, *, timeout: float) -> None:
        self.run = run
        self.recorder = Recorder(
            run, log, is_stale=lambda fact: self.steering.is_stale(fact), noticed=self._noticed
        )
        self.steering = Steering(self.recorder, self._order, input_timeout=spec["input_timeout"])
        self._pool = pool
        self._spec = spec
        self._timeout = timeout
        self._deadline = Deadline(timeout, lambda: self.end(Ending("timeout")))
        self._stop = asyncio.Event()
        self._ending: Ending | None = None
        self._worker: Worker | None = None
        self._verdict: dict[str, Any] | None = None
        self._exit_code: int | None = None
        self._began: float | None = None
        self._early: list[Order] = []
        """Orders for a worker that has not been taken yet."""
        self._out_of_memory_kills = _out_of_memory_kills()

    async def queue(self, command: Command, *, review: Sequence[str], position: int) -> Reply:
        """The first event, with the ack of the `start` that asked for it."""
        data = {
            "crew": self.run.crew,
            "inputs": self.run.inputs,
            "review": list(review),
            "position": position,
        }
        async with self.recorder.lock:
            return await self.recorder.answer(command, "run.queued", data)

    async def cancel(self, command: Cancel) -> Reply:
        """Log the wish and start the ladder. Raises CommandError when the run has ended."""
        async with self.recorder.lock:
            if self.run.state in ("cancelling", "cancelled"):
                return self.recorder.noop(command)
            self.recorder.require("run.cancelling", command)
            data = {"reason": command.reason} if command.reason else {}
            reply = await self.recorder.answer(command, "run.cancelling", data)
            self.steering.forget_pause()
            self.end(Ending("cancelled", command.reason, command.id))
            return reply

    def end(self, ending: Ending) -> None:
        """Have the run ended from outside. The first reason counts, but a logged cancel is kept."""
        if self._ending is None or ending.kind == "cancelled":
            self._ending = ending
            self._stop.set()

    async def execute(self, slots: asyncio.Semaphore) -> None:
        """Wait for a slot, run, and append the final event, whatever happens."""
        work = asyncio.create_task(self._work(slots))
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await self._bring_down(work)
            trouble = work.exception() if not work.cancelled() else None
            if trouble is not None:
                logger.error("run %s broke in the gateway", self.run.id, exc_info=trouble)
                self._verdict = None
        finally:
            stop.cancel()
            work.cancel()
            await asyncio.gather(work, stop, return_exceptions=True)
            await self.steering.close()
            if self._worker is not None:
                self._worker.signal(KILL)
                self._worker.close()
        async with self.recorder.lock:
            await self.recorder.append([self._final()])

    async def _work(self, slots: asyncio.Semaphore) -> None:
        async with slots:
            if self._ending is not None:
                return
            self.run.begin()
            self._began = time.monotonic()
            self._deadline.go()
            try:
                self._worker = worker = await self._pool.take()
                worker.order({"order": "start", "spec": self._spec})
                for order in self._early:
                    worker.order(order)
                while lines := await worker.facts():
                    async with self.recorder.lock:
                        await self.recorder.append(self._drafts(lines))
                    if self._verdict is not None:
                        break
                await self._await_exit(worker)
            finally:
                self._deadline.hold()

    async def _await_exit(self, worker: Worker) -> None:
        try:
            self._exit_code = await asyncio.wait_for(worker.exit_code(), _EXIT_SECONDS)
        except asyncio.TimeoutError:
            worker.signal(KILL)
            with contextlib.suppress(asyncio.TimeoutError):
                self._exit_code = await asyncio.wait_for(worker.exit_code(), _EXIT_SECONDS)

    async def _bring_down(self, work: asyncio.Task[None]) -> None:
        """The ladder; each rung has a deadline and `work` ends when the worker is gone."""
        worker = self._worker
        if worker is not None:
            if self._ending is not None and self._ending.kind == "cancelled":
                worker.order({"order": "cancel", "cause": self._ending.cause or ""})
                if await _done(work, _COOPERATIVE_SECONDS):
                    return
            worker.signal(signal.SIGTERM)
            if await _done(work, _SIGTERM_SECONDS):
                return
            worker.signal(KILL)
            if await _done(work, _SIGKILL_SECONDS):
                return
        work.cancel()
        await asyncio.wait({work})

    def _drafts(self, lines: Sequence[bytes]) -> list[Draft]:
        """A batch of facts, up to the worker's last word if it is among them."""
        drafts = []
        for line in lines:
            try:
                fact = orjson.loads(line)
                type, data = fact["type"], fact["data"]
                if type in TERMINAL:
                    self._verdict = fact
                    break
                drafts.append(
                    Draft(
                        type,
                        float(fact["ts"]),
                        data,
                        fact.get("task"),
                        fact.get("agent"),
                        fact.get("cause"),
                    )
                )
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                logger.error("run %s: not a fact: %r", self.run.id, line[:200])
        return drafts

    def _noticed(self, draft: Draft) -> None:
        self.steering.notice(draft)
        # Neither a person's thinking nor a pause counts towards SIDECAR_RUN_TIMEOUT.
        if self.run.state in ("paused", "waiting") or not self.run.live:
            self._deadline.hold()
        elif self._began is not None:
            self._deadline.go()

    def _order(self, order: Order) -> None:
        if self._worker is not None:
            self._worker.order(order)
        else:
            self._early.append(order)

    def _final(self) -> Draft:
        """The one event that ends the log, from what the worker said and how it went."""
        ending, verdict = self._ending, self._verdict or {}
        output = (verdict.get("data") or {}).get("output")
        seconds = time.monotonic() - self._began if self._began is not None else 0.0
        data = self.run.final_data(
            output=output, seconds=seconds, unapplied=self.steering.unapplied
        )
        cause = None
        if ending is not None and ending.kind != "timeout":
            type = f"run.{ending.kind}"
            data["reason"] = ending.reason
            cause = ending.cause
        elif verdict.get("type") == "run.completed" and self.run.allows("run.completed"):
            type = "run.completed"
        else:
            type = "run.failed"
            data["error"] = self._error()
        return Draft(type, now_ms(), data, cause=cause, final=True)

    def _error(self) -> dict[str, str]:
        if self._ending is not None:
            return {
                "code": "timeout",
                "message": f"the run took longer than {self._timeout:g} s (SIDECAR_RUN_TIMEOUT)",
            }
        if self._verdict is not None and self._verdict["type"] != "run.failed":
            said = str(self._verdict["type"])
            message = f"the worker said {said!r} of a run that is {self.run.state}"
            return {"code": "crashed", "message": message}
        if self._verdict is not None:
            error = self._verdict["data"].get("error") or {}
            return {
                "code": str(error.get("code", "error")),
                "message": str(error.get("message", "the crew failed without saying why")),
            }
        code = self._exit_code
        if code == -_SIGKILL and _out_of_memory_kills() > self._out_of_memory_kills:
            return {
                "code": "out_of_memory",
                "message": "the system ran out of memory and killed the worker",
            }
        how = "for an unknown reason" if code is None else f"with exit code {code}"
        if code is not None and code < 0:
            how = f"by signal {-code} ({signal.Signals(-code).name})"
        return {"code": "crashed", "message": f"the worker process ended {how}"}


_SIGKILL: Final = 9


async def _done(task: asyncio.Task[None], seconds: float) -> bool:
    await asyncio.wait({task}, timeout=seconds)
    return task.done()


def _out_of_memory_kills() -> int:
    """How often this kernel's OOM killer has struck; 0 where nobody counts (not Linux)."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
