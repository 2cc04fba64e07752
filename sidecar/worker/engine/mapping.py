"""CrewAI's events in the vocabulary of PROTOCOL.md. Pure: it reads attributes, imports no crewai.

Fields are picked one by one per type: CrewAI's own serialisation of events raises for tools made
with `@tool` and repeats whole message lists (crewai/events/types/).
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sidecar.channel import Fact, fact
from sidecar.worker.engine.usage import tokens

__all__ = ["Mapper", "Place", "task_names"]

_MAX_OPEN_TOOLS: Final = 1_000


@dataclass(frozen=True)
class Place:
    """Where in a crew something happens. `index` counts from 1."""

    task: str | None = None
    agent: str | None = None
    index: int = 1
    of: int = 1


def task_names(tasks: Sequence[Any]) -> list[str]:
    """A short unique name for each of CrewAI's tasks: its own, or `task_<n>`."""
    names: list[str] = []
    for number, task in enumerate(tasks, 1):
        name = wanted = getattr(task, "name", None) or f"task_{number}"
        copy = 2
        while name in names:
            name, copy = f"{wanted}_{copy}", copy + 1
        names.append(name)
    return names


class Mapper:
    """One run's events to facts. Holds what an event does not say itself: names, start times."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._places: dict[str, Place] = {}
        """By CrewAI's task id."""
        self._tools: dict[str, tuple[float, str]] = {}
        """Start time and tool of each open tool call, by the id of its starting event."""
        self._here: contextvars.ContextVar[Place] = contextvars.ContextVar("crew_place")
        self._stepped: set[Place] = set()
        """Agents at work whose answer the step_callback has told. Not in a context variable: the
        callback runs in a copy of the context, whose changes nobody would see."""
        self._map: Final[Mapping[str, Callable[[Any, Any], list[Fact]]]] = {
            "crew_kickoff_started": self._crew_started,
            "task_started": self._task_started,
            "task_completed": self._task_completed,
            "task_failed": self._task_failed,
            "agent_execution_started": self._agent_started,
            "agent_execution_completed": self._agent_completed,
            "agent_execution_error": self._agent_failed,
            "lite_agent_execution_started": self._agent_started,
            "lite_agent_execution_completed": self._agent_completed,
            "lite_agent_execution_error": self._agent_failed,
            "llm_call_started": self._llm_started,
            "llm_stream_chunk": self._llm_chunk,
            "llm_thinking_chunk": self._llm_thinking,
            "llm_call_completed": self._llm_completed,
            "llm_call_failed": self._llm_failed,
            "tool_usage_started": self._tool_started,
            "tool_usage_finished": self._tool_finished,
            "tool_usage_error": self._tool_failed,
        }

    def facts(self, source: Any, event: Any) -> list[Fact]:
        """The facts that `event` stands for; none for types that PROTOCOL.md has no word for.

        Call it on the thread and in the context that emitted the event.
        """
        convert = self._map.get(event.type)
        return convert(source, event) if convert else []

    def plan(self, tasks: Sequence[Any]) -> list[dict[str, str | None]]:
        """Learn a crew's tasks; returns them as `run.started` shows them: [{name, agent}]."""
        names = task_names(tasks)
        for index, (name, task) in enumerate(zip(names, tasks, strict=True), 1):
            self._places[str(task.id)] = Place(name, _role(task.agent), index, len(names))
        return [
            {"name": name, "agent": _role(task.agent)}
            for name, task in zip(names, tasks, strict=True)
        ]

    def name_of(self, task: Any) -> str | None:
        """The name of one of CrewAI's tasks, once it is known."""
        return self._of_task(task.id).task

    def said(self, type: str, data: dict[str, Any], cause: str | None) -> Fact:
        """A fact of the calling thread's place that no event stands for."""
        place = self._place()
        return fact(type, data, task=place.task, agent=place.agent, cause=cause)

    def step(self, answer: Any) -> list[Fact]:
        """What the crew's step_callback was given: an AgentAction or AgentFinish.

        A ToolResult is passed over: the AgentAction that follows carries it.
        """
        place = self._place()
        if hasattr(answer, "tool"):
            return [
                self._step(place, answer.thought, answer.tool, answer.tool_input, answer.result)
            ]
        if hasattr(answer, "output"):
            self._stepped.add(place)
            return [self._step(place, answer.thought, output=_text(answer.output))]
        return []

    # A step is told once, whichever way CrewAI ran it: its step_callback is silent on native tool
    # calls and on agents without tools (crewai/agents/agent_executor.py), so those steps are told
    # from the events.

    def _step(
        self,
        place: Place,
        thought: str = "",
        tool: str | None = None,
        tool_input: Any = None,
        result: Any = None,
        output: str | None = None,
    ) -> Fact:
        return _fact(
            "step",
            place,
            thought=thought,
            tool=tool,
            tool_input=tool_input,
            result=None if result is None else _text(result),
            output=output,
        )

    def _crew_started(self, source: Any, _event: Any) -> list[Fact]:
        self.plan(source.tasks)
        return []

    def _task_started(self, source: Any, _event: Any) -> list[Fact]:
        known = self._places.get(str(source.id)) or Place(task_names([source])[0])
        # Read anew: a role with {inputs} in it was filled in after the crew had been planned.
        place = Place(known.task, _role(source.agent) or known.agent, known.index, known.of)
        self._places[str(source.id)] = place
        self._here.set(place)
        return [_fact("task.started", place, name=place.task, index=place.index, of=place.of)]

    def _task_completed(self, source: Any, event: Any) -> list[Fact]:
        place = self._of_task(source.id)
        return [_fact("task.completed", place, name=place.task, output=_text(event.output.raw))]

    def _task_failed(self, source: Any, event: Any) -> list[Fact]:
        place = self._of_task(source.id)
        return [_fact("task.failed", place, name=place.task, error=event.error)]

    def _agent_started(self, _source: Any, event: Any) -> list[Fact]:
        place = self._of_agent(event)
        # Whoever really does the task: in a hierarchical crew not the one it names.
        self._here.set(place)
        self._stepped.discard(place)
        return [_fact("agent.started", place, role=place.agent)]

    def _agent_completed(self, _source: Any, event: Any) -> list[Fact]:
        place = self._of_agent(event)
        output = _text(event.output)
        steps = [] if place in self._stepped else [self._step(place, output=output)]
        return [*steps, _fact("agent.completed", place, role=place.agent, output=output)]

    def _agent_failed(self, _source: Any, event: Any) -> list[Fact]:
        place = self._of_agent(event)
        return [_fact("agent.failed", place, role=place.agent, error=event.error)]

    def _llm_started(self, _source: Any, event: Any) -> list[Fact]:
        return [_fact("llm.started", self._place(event), call=event.call_id, model=event.model)]

    def _llm_chunk(self, _source: Any, event: Any) -> list[Fact]:
        kind = "tool" if event.tool_call is not None else "text"
        return self._delta(event, kind)

    def _llm_thinking(self, _source: Any, event: Any) -> list[Fact]:
        return self._delta(event, "thinking")

    def _delta(self, event: Any, kind: str) -> list[Fact]:
        if not event.chunk:
            return []
        place = self._place(event)
        return [_fact("llm.delta", place, call=event.call_id, text=event.chunk, kind=kind)]

    def _llm_completed(self, _source: Any, event: Any) -> list[Fact]:
        return [
            _fact(
                "llm.completed",
                self._place(event),
                call=event.call_id,
                usage=tokens(event.usage),
                finish_reason=event.finish_reason,
            )
        ]

    def _llm_failed(self, _source: Any, event: Any) -> list[Fact]:
        return [_fact("llm.failed", self._place(event), call=event.call_id, error=event.error)]

    def _tool_started(self, _source: Any, event: Any) -> list[Fact]:
        if len(self._tools) >= _MAX_OPEN_TOOLS:
            self._tools.pop(next(iter(self._tools)))
        self._tools[event.event_id] = (self._clock(), event.tool_name)
        place = self._place(event)
        args = event.tool_args
        return [_fact("tool.started", place, call=event.event_id, tool=event.tool_name, args=args)]

    def _tool_finished(self, source: Any, event: Any) -> list[Fact]:
        failure = getattr(event, "failure", None)
        if failure is not None:
            return self._tool_ended(source, event, "tool.failed", error=_text(failure.message))
        output = _text(event.output)
        return self._tool_ended(source, event, "tool.completed", output=output)

    def _tool_failed(self, source: Any, event: Any) -> list[Fact]:
        return self._tool_ended(source, event, "tool.failed", error=_text(event.error))

    def _tool_ended(self, source: Any, event: Any, type: str, **said: str) -> list[Fact]:
        call = event.started_event_id or event.event_id
        started, tool = self._tools.pop(call, (self._clock(), event.tool_name))
        place = self._place(event)
        seconds = round(self._clock() - started, 6)
        ended = _fact(type, place, call=call, tool=tool, **said)
        ended["data"]["seconds"] = seconds
        # Native calls come from the executor (a Flow); ReAct's from ToolUsage, whose step the
        # step_callback tells.
        if _class_name(source) == "ToolUsage":
            return [ended]
        result = said.get("output", said.get("error"))
        return [ended, self._step(place, "", tool, event.tool_args, result)]

    def _of_task(self, task_id: Any) -> Place:
        return self._places.get(str(task_id), Place())

    def _of_agent(self, event: Any) -> Place:
        """The place of an agent's event: its task's, with the agent that really works."""
        task = getattr(event, "task", None)
        place = self._of_task(task.id) if task is not None else Place()
        info = getattr(event, "agent_info", None)
        role = _role(getattr(event, "agent", None)) or (info or {}).get("role")
        return Place(place.task, role or place.agent, place.index, place.of)

    def _place(self, event: Any = None) -> Place:
        """Where `event` says it happens, else where its context was last seen."""
        here = self._here.get(Place())
        if event is None:
            return here
        known = self._places.get(event.task_id or "", here)
        role = event.agent_role or known.agent
        return known if role == known.agent else Place(known.task, role, known.index, known.of)


def _class_name(value: Any) -> str:
    return type(value).__name__


def _fact(type: str, place: Place, **data: Any) -> Fact:
    return fact(type, data, task=place.task, agent=place.agent)


def _role(agent: Any) -> str | None:
    role = getattr(agent, "role", None)
    return role.strip() if isinstance(role, str) else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)
