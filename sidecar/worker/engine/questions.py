"""Questions to a person: reviews of tasks, and a Flow's `@human_feedback` and `ask()`.

CrewAI asks whoever is registered instead of the terminal. For tasks that is the provider of
`crewai.core.providers.human_input`, a context variable (undocumented); for Flows `flow_config`. A
provider that the user's own code gives a Flow goes before ours.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from typing import Any

from crewai.core.providers.human_input import SyncHumanInputProvider, set_provider
from crewai.flow.flow_config import flow_config
from crewai.hooks import HookAborted

from sidecar.channel import now_ms
from sidecar.worker.engine.gates import Gates

__all__ = ["Questions"]


class Questions:
    """Asks one question at a time, whichever of the crew's threads has it."""

    def __init__(
        self,
        gates: Gates,
        say: Callable[[str, dict[str, Any], str | None], None],
        timeout: float,
        attempt: int,
    ) -> None:
        """`timeout` in seconds is only told; the gateway keeps the time. 0 = none."""
        self._gates = gates
        self._say = say
        self._timeout = timeout
        # With the attempt in it, so that it names one question in the whole log of a run.
        self._ids = (f"in_{attempt}_{number}" for number in itertools.count(1))
        self._turn = threading.Lock()

    def install(self) -> None:
        """Be whom CrewAI asks; on the thread that will kick off."""
        set_provider(_Reviewer(self))
        provider = _FlowProvider(self)
        flow_config.hitl_provider = provider
        flow_config.input_provider = provider

    def ask(self, prompt: str, output: str) -> str:
        """What a person says to it; "" accepts. Raises HookAborted when the run is cancelled."""
        with self._turn:
            self._gates.stand("task")
            self._gates.check()
            asked = next(self._ids)
            expires = now_ms() + self._timeout * 1000 if self._timeout > 0 else None
            data = {"input": asked, "prompt": prompt, "output": output, "expires": expires}
            return self._gates.ask(asked, lambda: self._say("input.requested", data, None))


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
        prompt = f"{role} has finished. Leave the answer empty to accept, or say what to change."
        return self._questions.ask(prompt, self._get_output_string(answer)).strip()


class _FlowProvider:
    """Asks for a Flow, by both of CrewAI's protocols."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions

    def request_feedback(self, context: Any, _flow: Any) -> str:
        return self._questions.ask(str(context.message), str(context.method_output))

    def request_input(
        self, message: str, _flow: Any, metadata: dict[str, Any] | None = None
    ) -> str:
        try:
            return self._questions.ask(str(message), "")
        except HookAborted as aborted:
            # `ask()` would turn it into None, and the flow would go on with that.
            raise _Cancelled from aborted


class _Cancelled(BaseException):
    """Ends a cancelled flow; not an Exception, which `Flow.ask` swallows."""
