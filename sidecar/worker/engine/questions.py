"""Questions to a person: reviews of tasks, a Flow's `@human_feedback` and `ask()`, and `input()`.

CrewAI asks whoever is registered instead of the terminal. For tasks that is the provider of
`crewai.core.providers.human_input`, a context variable (undocumented); for Flows `flow_config`. A
provider that the user's own code gives a Flow goes before ours; where it puts the answer off
(HumanFeedbackPending), the run waits for it here, for days if need be.
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import functools
import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

from crewai import Flow
from crewai.core.providers.human_input import SyncHumanInputProvider, set_provider
from crewai.flow import HumanFeedbackPending
from crewai.flow.flow_config import flow_config
from crewai.hooks import HookAborted

from sidecar.channel import now_ms
from sidecar.worker.engine.finished import Finished
from sidecar.worker.engine.gates import Gates
from sidecar.worker.outputs import json_of, text_of

__all__ = ["Questions"]

_patience: Final[ContextVar[float | None]] = ContextVar("crew_patience", default=None)
"""Seconds that the flow which is asking will wait."""


class Questions:
    """Asks one question at a time, whichever of the crew's threads has it."""

    def __init__(
        self,
        gates: Gates,
        say: Callable[[str, dict[str, Any], str | None], None],
        timeout: float,
        attempt: int,
        finished: Finished,
    ) -> None:
        """`timeout` in seconds is only told; the gateway keeps the time. 0 = none. What a person
        has said to the same question in an earlier attempt, `finished` knows."""
        self._gates = gates
        self._say = say
        self._timeout = timeout
        # With the attempt in it, so that it names one question in the whole log of a run.
        self._ids = (f"in_{attempt}_{number}" for number in itertools.count(1))
        self._turn = threading.Lock()
        self._finished = finished

    def install(self) -> None:
        """Be whom CrewAI and `input()` ask; on the thread that will kick off, and once."""
        set_provider(_Reviewer(self))
        provider = _FlowProvider(self)
        flow_config.hitl_provider = provider
        flow_config.input_provider = provider
        _ask_in_time(provider)
        _wait_for_feedback(provider)
        builtins.input = functools.partial(_input, self)

    def ask(
        self, prompt: str, output: str, patience: float | None = None, **also: Any
    ) -> str | None:
        """What a person says to it; None when nobody did in time. Raises HookAborted when the run
        is cancelled.

        `patience` is the asker's own, in seconds; `also` goes into input.requested as far as it is
        not None: `options` to choose from, a flow's `method` and `metadata`.
        """
        key = self._finished.question(prompt, output, str(also.get("method") or ""))
        if (before := self._finished.answer_to(key)) is not None:
            return before
        answer = self._ask(prompt, output, patience, also)
        if answer is not None:
            with contextlib.suppress(OSError):  # a full disk: a later attempt asks again
                self._finished.answered(key, answer)
        return answer

    def _ask(
        self, prompt: str, output: str, patience: float | None, also: Mapping[str, Any]
    ) -> str | None:
        until = None if patience is None else time.monotonic() + patience
        if not self._turn.acquire(timeout=-1 if patience is None else max(patience, 0)):
            return None  # it was never shown
        try:
            self._gates.stand("task")
            self._gates.check()
            asked = next(self._ids)
            left = None if until is None else max(until - time.monotonic(), 0.0)
            limits = [limit for limit in (left, self._timeout or None) if limit is not None]
            data = {
                "input": asked,
                "prompt": prompt,
                "output": output,
                "expires": now_ms() + min(limits) * 1000 if limits else None,
                **{name: value for name, value in also.items() if value is not None},
            }
            return self._gates.ask(
                asked,
                lambda: self._say("input.requested", data, None),
                left,
                lambda: self._say("input.expired", {"input": asked}, None),
            )
        finally:
            self._turn.release()


class _Reviewer(SyncHumanInputProvider):
    """Asks about a task's output until a person accepts it."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    def handle_feedback(self, formatted_answer: Any, context: Any) -> Any:
        answer = formatted_answer
        while text := self._ask(answer, context):
            context.messages.append(context._format_feedback_message(text))
            answer = context._invoke_loop()
        context.ask_for_human_input = False
        return answer

    async def handle_feedback_async(self, formatted_answer: Any, context: Any) -> Any:
        answer = formatted_answer
        # In a thread: other tasks on this event loop go on while a person thinks.
        while text := await asyncio.to_thread(self._ask, answer, context):
            context.messages.append(context._format_feedback_message(text))
            answer = await context._ainvoke_loop()
        context.ask_for_human_input = False
        return answer

    def _ask(self, answer: Any, context: Any) -> str:
        role = str(getattr(context.agent, "role", "") or "The agent").strip()
        prompt = f"{role} has finished. Accept it, or say what to change."
        # None, as nobody answered, is taken as accepted.
        return (self._questions.ask(prompt, self._get_output_string(answer)) or "").strip()


class _FlowProvider:
    """Asks for a Flow, by both of CrewAI's protocols."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    def request_feedback(self, context: Any, _flow: Any) -> str:
        return (
            self._questions.ask(
                str(context.message),
                text_of(context.method_output),
                options=_options(context.emit),
                method=str(context.method_name),
                metadata=json_of(context.metadata) or None,
            )
            or ""
        )

    def request_input(
        self, message: str, _flow: Any, metadata: dict[str, Any] | None = None
    ) -> str | None:
        try:
            return self._questions.ask(
                str(message), "", _patience.get(), metadata=json_of(metadata) or None
            )
        except HookAborted as aborted:
            # `ask()` would turn it into None, and the flow would go on with that.
            raise _Cancelled from aborted


class _Cancelled(BaseException):
    """Ends a cancelled crew; not an Exception, which `Flow.ask` and users' own code swallow."""


def _options(emit: Sequence[str] | None) -> list[str] | None:
    return [str(one) for one in emit] if emit else None


def _input(questions: Questions, prompt: object = "", /) -> str:
    """Python's `input()`: where nobody answers in time, an empty line."""
    try:
        return questions.ask(str(prompt).strip(), "") or ""
    except HookAborted as aborted:
        raise _Cancelled from aborted


def _ask_in_time(provider: _FlowProvider) -> None:
    """Have `provider` keep the time of `Flow.ask(timeout=)`.

    CrewAI would go on and leave it waiting in a thread (crewai/flow/runtime), with a question that
    is open in the browser and answers nothing.
    """
    ask = Flow.ask

    @functools.wraps(ask)
    def asking(
        self: Any,
        message: str,
        timeout: float | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> str | None:
        if timeout is None or self._resolve_input_provider() is not provider:
            return ask(self, message, timeout, metadata)
        token = _patience.set(timeout)
        try:
            return ask(self, message, metadata=metadata)
        finally:
            _patience.reset(token)

    Flow.ask = asking  # type: ignore[method-assign]


def _wait_for_feedback(provider: _FlowProvider) -> None:
    """Have a flow that is to hear its feedback later wait for it, and go on.

    CrewAI's kickoff returns the HumanFeedbackPending as a result then; whoever has the feedback
    some day is to load the flow and resume it. Here that is the person in the browser.
    """
    kickoff_async = Flow.kickoff_async

    @functools.wraps(kickoff_async)
    async def kicking_off(self: Any, *args: Any, **kwargs: Any) -> Any:
        result = await kickoff_async(self, *args, **kwargs)
        while isinstance(result, HumanFeedbackPending):
            text = await asyncio.to_thread(provider.request_feedback, result.context, self)
            # What `from_pending` gives a flow that is made anew; this one still has its state, and
            # its model, which the context names only.
            waiting = result.context
            waiting.llm = self._definition.methods[waiting.method_name].human_feedback.llm
            self._pending_feedback_context, self._is_execution_resuming = waiting, True
            result = await self.resume_async(text)
        return result

    Flow.kickoff_async = kicking_off  # type: ignore[method-assign]
