"""Modifications of a running crew: what goes into its conversations, and into tasks to come.

An instruction is a message of the user's before the next model call. CrewAI hands the hook the
executor's own list of messages, so it stays in that agent's conversation. `now` cuts the reply
that is being written off (asking.py), which is then asked for again with the instruction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crewai.hooks import InterceptionPoint, register_hook

from sidecar.worker.engine.asking import asking
from sidecar.worker.engine.build import fill
from sidecar.worker.engine.gates import Change, Gates

__all__ = ["Modifications"]


class Modifications:
    """Applies the changes that `gates` keeps, where they apply, and says so.

    `say(type, data, cause)` tells a fact of the calling thread's place in the crew; `known_as`
    gives what the outside knows one of CrewAI's tasks by, its name and its tid.
    """

    def __init__(
        self,
        gates: Gates,
        say: Callable[[str, dict[str, Any], str | None], None],
        known_as: Callable[[Any], tuple[str, ...]],
    ) -> None:
        self._gates = gates
        self._say = say
        self._known_as = known_as
        self._inputs: dict[str, Any] = {}
        """Inputs that were modified; they hold for every task to come."""
        self._given: dict[str, list[str]] = {}
        """The instructions that each task's conversation was given, by CrewAI's task id."""

    def install(self) -> None:
        """Register with CrewAI's hooks; after the gates, so that what is ordered during a pause
        is applied by the call that the pause held up."""
        register_hook(InterceptionPoint.PRE_MODEL_CALL, self._before_model_call)
        register_hook(InterceptionPoint.PRE_STEP, self._before_step)

    def interrupt(self) -> None:
        """Cut the reply that this thread is hearing off, when an instruction says `now`."""
        if (one := asking()) is None or not self._gates.urgent():
            return
        wanted = self._said_to(one.task)
        if self._gates.urgent(wanted):
            changes = self._gates.take(wanted)
            if changes:
                one.cut_off(lambda messages: self._again(messages, one.task, changes))

    def _again(self, messages: Any, task: Any, changes: list[Change]) -> list[Any]:
        # No hook comes between: CrewAI ran those of this call before the first attempt.
        self._gates.stand("llm")
        self._gates.check()
        asked: list[Any] = (
            [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        )
        self._instruct(asked, task, [*changes, *self._gates.take(self._said_to(task))])
        return asked

    def _before_model_call(self, context: Any) -> None:
        wanted = self._said_to(context.task)
        self._instruct(context.messages, context.task, self._gates.take(wanted))

    def _said_to(self, task: Any) -> Callable[[Mapping[str, Any]], bool]:
        """Which changes are instructions for a conversation of `task`, or of none."""
        names = (None, *(() if task is None else self._known_as(task)))
        return lambda body: "instruction" in body and body.get("task") in names

    def _instruct(self, messages: list[Any], task: Any, changes: list[Change]) -> None:
        given = self._given.setdefault(str(task.id), []) if task is not None else []
        # A task that is tried again, as after a guardrail, starts its conversation anew; one that
        # outgrew the model's window was summarised. Neither may forget what it was told.
        said = [message.get("content") for message in messages] if given else []
        forgotten = [text for text in given if text not in said]
        fresh = [change.body["instruction"] for change in changes]
        given += fresh
        messages += [{"role": "user", "content": text} for text in [*forgotten, *fresh]]
        for change in changes:
            self._applied(change, "model_call")

    def _before_step(self, context: Any) -> None:
        if context.kind != "task":
            return
        task, names = context.task, self._known_as(context.task)
        # Of several descriptions the last one holds; the others were never applied.
        described = self._gates.take(lambda body: "description" in body and body["task"] in names)[
            -1:
        ]
        inputs = self._gates.take(lambda body: "inputs" in body)
        for change in inputs:
            self._inputs.update(change.body["inputs"])
        for change in described:
            task._original_description = change.body["description"]
        if described or self._inputs:
            known = {**_inputs_of(context.agent), **self._inputs}
            _fill_in(task, "description", known)
            if self._inputs:
                _fill_in(task, "expected_output", known)
                # Not its role: that is the name by which the outside knows the agent.
                _fill_in(context.agent, "goal", known)
                _fill_in(context.agent, "backstory", known)
        for change in [*described, *inputs]:
            self._applied(change, "task")

    def _applied(self, change: Change, where: str) -> None:
        if change.cause is not None:  # else an earlier attempt has said so
            self._say("run.modified", {**change.body, "applied": where}, change.cause)


def _inputs_of(agent: Any) -> dict[str, Any]:
    """What the crew of `agent` was kicked off with."""
    return getattr(getattr(agent, "crew", None), "_inputs", None) or {}


def _fill_in(owner: Any, name: str, inputs: Mapping[str, Any]) -> None:
    """Fill a task's or an agent's text in again from its template, which CrewAI keeps."""
    template = getattr(owner, f"_original_{name}", None)
    setattr(owner, name, fill(getattr(owner, name) if template is None else template, inputs))
