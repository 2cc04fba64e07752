"""Controls one run: pause, resume, modify, answer, and the clock of an open question.

What a command does is logged before the worker hears of it, so that nothing of the crew that comes
of it can come before it in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from sidecar.channel import Order
from sidecar.clock import now_ms
from sidecar.errors import CommandError
from sidecar.protocol import Answer, Draft, Modify, Pause, Reply, Resume
from sidecar.runs.recorder import Recorder
from sidecar.runs.run import change_bytes
from sidecar.tasks import Tasks

__all__ = ["Controls", "already_answered"]

_MAX_CHANGES: Final = 100
"""Modifications of one run that wait for their moment."""

_CHANGE_BYTES: Final = 256 * 1024
"""Of all changes that a run keeps, as JSON: each event that moves the run stores them again. The
longest command (PROTOCOL.md, P3) fits; 100 of 50 KB were 500 MB on disk and 15 ms a command."""


class Controls:
    """Owner of the open question's expiry; what was asked for is in the run itself.

    `order` tells the worker, if there is one; the next one gets `brief`.
    """

    def __init__(
        self, recorder: Recorder, order: Callable[[Order], None], *, input_timeout: float
    ) -> None:
        self._recorder = recorder
        self._run = recorder.run
        self._order = order
        self._input_timeout = input_timeout
        self._expiry: asyncio.TimerHandle | None = None
        self._expiring = Tasks()

    async def pause(self, command: Pause) -> Reply:
        """Log the wish; the worker says `run.paused` when the crew really stands still."""
        async with self._recorder.lock:
            if self._run.state in ("pausing", "paused"):
                return self._recorder.noop(command)
            self._recorder.require("run.pausing", command)
            reply = await self._recorder.answer(command, "run.pausing", {})
            self._order({"order": "pause", "cause": command.id})
            return reply

    async def resume(self, command: Resume) -> Reply:
        async with self._recorder.lock:
            if self._run.state == "running" and self._run.pause is None:
                return self._recorder.noop(command)
            self._recorder.require("run.resumed", command)
            reply = await self._recorder.answer(command, "run.resumed", {})
            self._order({"order": "resume", "cause": command.id})
            return reply

    async def modify(self, command: Modify) -> Reply:
        """Log the change; the worker says `run.modified` when it has been applied."""
        async with self._recorder.lock:
            self._recorder.require("run.modifying", command)
            self._require_pending_task(command)
            if len(self._run.unapplied()) >= _MAX_CHANGES:
                raise CommandError(
                    "at_capacity", f"{_MAX_CHANGES} changes wait to be applied already"
                )
            if self._run.change_bytes() + change_bytes(command.change) > _CHANGE_BYTES:
                raise CommandError(
                    "at_capacity",
                    f"the run's changes would be more than {_CHANGE_BYTES >> 10} KiB; say it "
                    "shorter, or in a run of its own",
                )
            reply = await self._recorder.answer(command, "run.modifying", dict(command.change))
            self._order({"order": "modify", "cause": command.id, "change": command.change})
            return reply

    async def answer(self, command: Answer) -> Reply:
        """The first valid answer wins."""
        async with self._recorder.lock:
            if command.input in self._run.answered:
                raise already_answered()
            self._recorder.require("input.answered", command)
            if not self._is_open(command.input):
                raise CommandError("illegal_state", f"no open question {command.input[:80]!r}")
            data = {"input": command.input, "text": command.text}
            reply = await self._recorder.answer(
                command, "input.answered", data, *self._still_pausing()
            )
            self._order(
                {
                    "order": "answer",
                    "cause": command.id,
                    "input": command.input,
                    "text": command.text,
                }
            )
            return reply

    def is_stale(self, draft: Draft) -> bool:
        """What a command has overtaken while the worker was just saying it: a pause that was taken
        back or cancelled, and the end of its patience with a question that has its answer."""
        if draft.type == "input.expired":
            return not self._is_open(draft.data.get("input"))
        return draft.type == "run.paused" and draft.cause != self._run.pause

    def with_pauses(self, drafts: Sequence[Draft]) -> Sequence[Draft]:
        """What the worker says, and after the end of its patience with a question the pause that
        the question had overtaken. Under the recorder's lock."""
        if self._run.pause is None:
            return drafts
        said: list[Draft] = []
        for draft in drafts:
            said.append(draft)
            if draft.type == "input.expired" and self._is_open(draft.data.get("input")):
                said += self._still_pausing()
        return said

    def notice(self, draft: Draft) -> None:
        """What an event that is now in the log means for the open question's clock."""
        if draft.type == "input.requested" and self._input_timeout > 0:
            loop = asyncio.get_running_loop()
            self._stop_clock()
            self._expiry = loop.call_later(
                self._input_timeout, self._expire, str(draft.data.get("input"))
            )
        elif draft.type in ("input.answered", "run.started"):
            self._stop_clock()
        elif draft.type == "input.expired":
            self._stop_clock()
            # Whoever said so: the crew waits for this word, as the run may have to for its slot.
            self._order({"order": "expire", "input": str(draft.data.get("input"))})

    def brief(self) -> list[Order]:
        """What a new worker is told right after its start: all that the run was told before and
        that still counts. What an earlier attempt said it had applied goes without a cause, so that
        it is not said twice."""
        orders: list[Order] = []
        for change in self._run.outstanding():
            order: Order = {"order": "modify", "change": change.change}
            if not change.applied:
                order["cause"] = change.cause
            orders.append(order)
        return orders

    async def renew_pause(self, cause: str) -> None:
        """A pause that a question had overtaken holds for the attempt that has just begun."""
        await self._recorder.persist(self._still_pausing)
        self._order({"order": "pause", "cause": cause})

    async def close(self) -> None:
        """No question expires any more."""
        self._stop_clock()
        await self._expiring.settle()

    def _stop_clock(self) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _expire(self, input: str) -> None:
        self._expiring.spawn(self._close_question(input), name=f"expiry of {input}")

    async def _close_question(self, input: str) -> None:
        def expired() -> list[Draft]:
            if not self._is_open(input):
                return []
            return [Draft("input.expired", now_ms(), {"input": input}), *self._still_pausing()]

        await self._recorder.persist(expired)

    def _is_open(self, input: object) -> bool:
        return self._run.input is not None and self._run.input.get("input") == input

    def _still_pausing(self) -> list[Draft]:
        """A pause that a question overtook is still wished for once the question is closed."""
        if self._run.pause is None:
            return []
        return [Draft("run.pausing", now_ms(), {}, cause=self._run.pause)]

    def _require_pending_task(self, command: Modify) -> None:
        name = command.change.get("task")
        planned = self._run.planned
        if name is None or not planned:  # a Flow's come to light later, and again
            return
        found = [
            task
            for task in self._run.tasks
            if task.tid == name or (task.name == name and task in planned)
        ]
        if not found:
            known = ", ".join(task.name for task in planned)
            raise CommandError("bad_request", f"no task {name[:80]!r}; there are {known}")
        said = "instruction" in command.change  # a conversation can be told in its middle
        if not any(task.state == "pending" or (said and task.state == "running") for task in found):
            wanted = "ended" if said else "started"
            raise CommandError(
                "illegal_state",
                f"task {name!r} is {found[-1].state}; only one that has not {wanted}",
            )


def already_answered() -> CommandError:
    return CommandError("already_answered", "somebody else has answered this question")
