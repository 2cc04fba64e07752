"""One run from its queue to its final event: attempt after attempt, until one ends it.

What it says goes through the run's recorder; what people say to the run through its controls.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sidecar.channel import Order, RunSpec
from sidecar.clock import now_ms
from sidecar.log import Log
from sidecar.pool import KILL, Pool
from sidecar.protocol import Cancel, Command, Draft, Reply
from sidecar.runs.attempt import Attempt
from sidecar.runs.controls import Controls
from sidecar.runs.deadline import Deadline
from sidecar.runs.recorder import Recorder
from sidecar.runs.run import Run
from sidecar.runs.slots import Slots
from sidecar.tasks import Tasks

__all__ = ["Ending", "Execution"]

logger = logging.getLogger("sidecar.runs")

# The cancel ladder. A worker that was told ends itself: at its next token, else after 0.3 s, or
# after 2.5 s while a tool is at work (worker/main.py). One that does not is deaf; SIGTERM, then
# SIGKILL, end it within the 3.5 s that PROTOCOL.md promises.
_COOPERATIVE_SECONDS: Final = 2.7
_SIGTERM_SECONDS: Final = 0.3
_SIGKILL_SECONDS: Final = 0.3

_FREE_TRIES: Final = 2
"""Workers that may die before `run.started` without being counted: nobody was shown anything of
them. More than that is no accident."""

_GOES_ON: Final = frozenset({"run.resumed", "input.answered", "input.expired"})
"""Events after which a crew that stands still may work again, once its run has a slot."""

_GOING_ON: Final = frozenset({"resume", "answer", "expire"})
"""The orders that tell it so."""

_MAX_ATTEMPTS: Final = 50
"""A run whose gateway died that often is likely what kills it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the gateway itself ends a run."""

    kind: Literal["cancelled", "timeout", "interrupted"]
    reason: str | None = None
    cause: str | None = None


class Execution:
    """`execute` is a task of the supervisor's; it returns after the final event, always.

    `spec` is that of the run's first attempt. `timeout` in seconds, over all attempts of this
    gateway; `retries` is how many fresh attempts a crash of the worker gets.

    It holds a slot while its crew works. A crew that stands still, paused or for a person's answer,
    keeps its worker and gives the slot back; what lets it go on is logged at once and told to the
    worker when it has a slot again.
    """

    def __init__(
        self,
        run: Run,
        log: Log,
        pool: Pool,
        slots: Slots,
        spec: RunSpec,
        *,
        timeout: float,
        retries: int,
    ) -> None:
        self.run = run
        self.recorder = Recorder(
            run, log, is_stale=lambda fact: self.controls.is_stale(fact), noticed=self._noticed
        )
        self.controls = Controls(self.recorder, self._order, input_timeout=spec["input_timeout"])
        self.place = slots.place(self._go_on)
        self._held: list[Order] = []
        """Those of `_GOING_ON` that wait for the slot: an answer or expiry, then one resume."""
        self._pool = pool
        self._spec = spec
        self._timeout = timeout
        self._retries = retries
        self._free_tries = _FREE_TRIES
        self._deadline = Deadline(timeout, lambda: self.end(Ending("timeout")))
        self._stop = asyncio.Event()
        self._going_on = asyncio.Event()
        """Set when a pause has been taken back."""
        self._ending: Ending | None = None
        self._number = 1
        """Of the attempt under way or next."""
        self._attempt: Attempt | None = None
        self._began: float | None = None
        self._sayings = Tasks()

    @property
    def stands(self) -> bool:
        """Whether its worker is kept without a slot, to stand still."""
        return self._attempt is not None and self._attempt.staffed and not self.place.held

    def carry_on(self) -> None:
        """Begin where the log of a dead gateway ends; before `execute`."""
        run = self.run
        if run.state == "cancelling":
            self.end(Ending("cancelled", run.reason, run.cancel))
        if run.started is None:
            return
        self._number = run.attempt + 1
        self._began = time.monotonic() - max(0.0, now_ms() - run.started) / 1000
        if self._number > _MAX_ATTEMPTS:
            self.end(Ending("interrupted", f"the sidecar died {_MAX_ATTEMPTS} times over it"))
        elif run.allows("run.starting"):
            run.begin()

    async def queue(self, command: Command, *, review: Sequence[str]) -> Reply:
        """The first event, with the ack of the `start` that asked for it; once it stands in line
        or has its slot."""
        data = {
            "crew": self.run.crew,
            "inputs": self.run.inputs,
            "review": list(review),
            "position": self.place.position,
        }
        if self.run.thread is not None:
            data |= {"thread": self.run.thread, "after": self.run.after}
        if self.run.forked is not None:
            data["forked"] = self.run.forked
        async with self.recorder.lock:
            return await self.recorder.answer(command, "run.queued", data)

    def snapshot(self) -> dict[str, Any]:
        """As it is now; of one that is queued with its place in line."""
        snapshot = self.recorder.snapshot()
        if self.run.state == "queued":
            snapshot["position"] = self.place.position
        return snapshot

    async def cancel(self, command: Cancel) -> Reply:
        """Log the wish and start the ladder. Raises CommandError when the run has ended."""
        async with self.recorder.lock:
            if self.run.state in ("cancelling", "cancelled"):
                return self.recorder.noop(command)
            self.recorder.require("run.cancelling", command)
            data = {"reason": command.reason} if command.reason else {}
            reply = await self.recorder.answer(command, "run.cancelling", data)
            self.end(Ending("cancelled", command.reason, command.id))
            return reply

    def end(self, ending: Ending) -> None:
        """Have the run ended from outside. The first reason counts, but a logged cancel is kept."""
        if self._ending is None or ending.kind == "cancelled":
            self._ending = ending
            self._stop.set()

    async def execute(self) -> None:
        """Wait for a slot, run, and append the final event, whatever happens."""
        broken = False
        try:
            await self._go_through()
        except Exception:
            broken = True
            logger.exception("run %s broke in the gateway", self.run.id)
        await self.controls.close()
        await self._sayings.close()
        if not await self._sealed(lambda: self._final(broken=broken)):
            await self._sealed(self._last_resort)

    async def _sealed(self, make: Callable[[], Draft]) -> bool:
        """Append the final event that `make` gives; False where none came of it."""
        try:
            await self.recorder.persist(lambda: [make()])
        except Exception:
            logger.exception("run %s: a final event that cannot be", self.run.id)
        return self.recorder.log.sealed

    async def _go_through(self) -> None:
        """All of the run's work; returns when it is over or was brought down, and raises what
        broke it."""
        work = asyncio.create_task(self._work())
        stop = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                await self._bring_down(work)
            if not work.cancelled():
                work.result()
        finally:
            stop.cancel()
            work.cancel()
            await asyncio.gather(work, stop, return_exceptions=True)

    async def _work(self) -> None:
        try:
            while self._ending is None:
                await self._unpaused()
                self.place.ask(begun=self.run.started is not None)
                await self.place.wait()
                if self._ending is None and self.run.allows("run.starting"):
                    await self._try()
                self._held.clear()
                if self._attempt is not None and not self._may_try_again(self._attempt):
                    return
        finally:
            self.place.give_back()

    async def _unpaused(self) -> None:
        """A paused run that has no worker needs none until somebody resumes it."""
        while self.run.state in ("pausing", "paused"):
            self.place.give_back()
            self._going_on.clear()
            await self.recorder.persist(self._stands_still)
            if self.run.state == "paused":
                await self._going_on.wait()

    def _stands_still(self) -> list[Draft]:
        if self.run.state != "pausing":
            return []
        return [Draft("run.paused", now_ms(), {"boundary": "task"}, cause=self.run.pause)]

    async def _try(self) -> None:
        """One attempt, from taking a worker until it has gone."""
        run, log = self.run, self.recorder.log
        run.begin()
        superseded = run.superseded(log.head)
        self._began = self._began or time.monotonic()
        self._deadline.go()
        self._attempt = attempt = Attempt(run.id, self._pool)
        try:
            if not await attempt.take() or self._ending is not None:
                return
            spec: RunSpec = {
                **self._spec,
                "attempt": self._number,
                "kept": run.kept(),
                "superseded": superseded,
            }
            attempt.start(spec, self.controls.brief())
            while drafts := await attempt.drafts():
                await self._record(drafts)
        finally:
            self._deadline.hold()
            attempt.close()

    async def _record(self, drafts: Sequence[Draft]) -> None:
        await self.recorder.persist(lambda: self.controls.with_pauses(drafts))
        if self.run.pause is not None and any(draft.type == "run.started" for draft in drafts):
            await self.controls.renew_pause(self.run.pause)

    def _may_try_again(self, attempt: Attempt) -> bool:
        """Whether a crash of the worker gets a fresh attempt."""
        if self._ending is not None or attempt.verdict is not None or attempt.hopeless:
            return False
        if attempt.error()["code"] != "crashed":
            return False
        if self.run.state == "starting" and self._free_tries > 0:
            self._free_tries -= 1
        elif self._retries > 0 and self._number < _MAX_ATTEMPTS:
            self._retries -= 1
            self._number += 1
        else:
            return False
        logger.warning("run %s: %s; it is tried again", self.run.id, attempt.error()["message"])
        self._attempt = None
        return True

    async def _bring_down(self, work: asyncio.Task[None]) -> None:
        """The ladder; each rung has a deadline and `work` ends when the worker is gone. Where
        there is none yet, there is nothing to wait for."""
        attempt = self._attempt
        if attempt is not None and attempt.staffed:
            if self._ending is not None and self._ending.kind == "cancelled":
                attempt.order({"order": "cancel", "cause": self._ending.cause or ""})
                if await _done(work, _COOPERATIVE_SECONDS):
                    return
            attempt.signal(signal.SIGTERM)
            if await _done(work, _SIGTERM_SECONDS):
                return
            attempt.signal(KILL)
            if await _done(work, _SIGKILL_SECONDS):
                return
        work.cancel()
        await asyncio.wait({work})

    def _noticed(self, draft: Draft) -> None:
        self.controls.notice(draft)
        if draft.type == "run.resumed":
            self._going_on.set()
        state = self.run.state
        # Neither a person's thinking nor a pause counts towards SIDECAR_RUN_TIMEOUT, or as work.
        if state in ("paused", "waiting") or not self.run.live:
            self._deadline.hold()
        if self._attempt is None or not self._attempt.staffed:
            return
        if state in ("paused", "waiting"):
            self.place.give_back()
        elif state == "cancelling" and not self.place.held:
            self.place.give_back()  # to end, it need not wait for its turn
        elif draft.type in _GOES_ON:
            self.place.ask(begun=True)

    def _go_on(self) -> None:
        """It has its slot: for an attempt that is about to begin, or again."""
        if self._attempt is not None:
            held, self._held = self._held, []
            for order in held:
                self._attempt.order(order)
            self._deadline.go()

    def _order(self, order: Order) -> None:
        if self._attempt is None:
            return
        if not self.stands:
            self._attempt.order(order)
        elif order["order"] in _GOING_ON:
            self._held.append(order)
        elif order["order"] == "pause" and self.run.state == "pausing":
            # The crew has not moved since it stood still last: that goes on.
            if self._held and self._held[-1]["order"] == "resume":
                self._held.pop()
            self.place.give_back()
            self._sayings.spawn(self.recorder.persist(self._stands_still))
        else:
            self._attempt.order(order)

    def _final(self, *, broken: bool) -> Draft:
        """The one event that ends the log, from what the worker said and how it went."""
        attempt = self._attempt
        verdict = attempt.verdict if attempt is not None and not broken else None
        said = (verdict or {}).get("data") or {}
        seconds = time.monotonic() - self._began if self._began is not None else 0.0
        data = self.run.final_data(output=said.get("output"), seconds=seconds)
        cause = None
        ending = self._ending
        if ending is not None and ending.kind != "timeout":
            type = f"run.{ending.kind}"
            data["reason"] = ending.reason
            cause = ending.cause
        elif self._completed(verdict):
            type = "run.completed"
            if "json" in said:
                data["json"] = said["json"]
        else:
            type = "run.failed"
            data["error"] = self._error(verdict)
        return Draft(type, now_ms(), data, cause=cause, final=True)

    def _last_resort(self) -> Draft:
        """The final event when `_final` gives none that can be stored: of constants alone, and of
        a type that the table has in each live state, so that it has no way to fail."""
        ending = "cancelled" if self.run.state == "cancelling" else "failed"
        usage = {"prompt_tokens": 0, "completion_tokens": 0, "calls": 0}
        data: dict[str, Any] = {
            "output": None,
            "tasks": [],
            "usage": usage,
            "seconds": 0.0,
            "unapplied": [],
        }
        if ending == "failed":
            message = "the sidecar could not tell how it ended; see its log"
            data["error"] = {"code": "crashed", "message": message}
        else:
            data["reason"] = None
        return Draft(f"run.{ending}", now_ms(), data, final=True)

    def _completed(self, verdict: dict[str, Any] | None) -> bool:
        return (
            verdict is not None
            and verdict["type"] == "run.completed"
            and self.run.allows("run.completed")
        )

    def _error(self, verdict: dict[str, Any] | None) -> dict[str, Any]:
        if self._ending is not None:
            return {
                "code": "timeout",
                "message": f"the run took longer than {self._timeout:g} s (SIDECAR_RUN_TIMEOUT)",
            }
        if verdict is not None and verdict["type"] != "run.failed":
            message = f"the worker said {verdict['type']!r} of a run that is {self.run.state}"
            return {"code": "crashed", "message": message}
        if self._attempt is None:
            return {"code": "crashed", "message": "the sidecar could not run it; see its log"}
        return self._attempt.error()


async def _done(task: asyncio.Task[None], seconds: float) -> bool:
    await asyncio.wait({task}, timeout=seconds)
    return task.done()
