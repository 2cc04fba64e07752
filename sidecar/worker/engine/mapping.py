"""CrewAI's events in the vocabulary of PROTOCOL.md. Pure: it reads attributes, imports no crewai.

Fields are picked one by one per type: CrewAI's own serialisation of events raises for tools made
with `@tool` and repeats whole message lists (crewai/events/types/).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sidecar.channel import Fact
from sidecar.worker.engine.digest import digest
from sidecar.worker.engine.executions import Executions
from sidecar.worker.engine.noise import NOISE
from sidecar.worker.engine.places import Place, Places, role_of
from sidecar.worker.engine.usage import tokens
from sidecar.worker.engine.words import WORDS

__all__ = ["Mapper"]

_MAX_OPEN_TOOLS: Final = 1_000
_MAX_STEPPED: Final = 1_000


class Mapper:
    """One run's events to facts. Holds what an event does not say itself: places, start times."""

    def __init__(
        self,
        attempt: int = 1,
        current: Callable[[], str | None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`current` gives the id of the event that began the innermost thing of this context."""
        self._clock = clock
        self.places = Places(attempt, current)
        self.executions = Executions(self.places)
        self._tools: dict[str, tuple[float, str]] = {}
        """Start time and tool of each open tool call, by the id of its starting event."""
        self._stepped: dict[Place, None] = {}
        """Agents at work whose answer the step_callback has told."""
        self._words: Final[Mapping[str, Callable[[Any, Any], list[Fact]]]] = {
            **self.executions.words,
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
            **dict.fromkeys(WORDS, self._worded),
            **dict.fromkeys(NOISE, self._noise),
        }

    def facts(self, source: Any, event: Any) -> list[Fact]:
        """The facts that `event` stands for; none for noise.

        Call it on the thread and in the context that emitted the event.
        """
        return self._words.get(event.type, self._other)(source, event)

    @property
    def types(self) -> frozenset[str]:
        """CrewAI's, that have a word of their own or are noise."""
        return frozenset(self._words)

    def own(self, crew: Any, tids: Sequence[str], *, kept_told: bool = True) -> None:
        """The run's own crew, before its kickoff, and the tids that its tasks were told with."""
        self.executions.own(crew, tids, kept_told=kept_told)

    def known_as(self, task: Any) -> tuple[str, ...]:
        """Name and tid of one of CrewAI's tasks, once its crew has been kicked off."""
        planned = self.places.planned(task)
        return (planned.name, planned.tid) if planned else ()

    def said(self, type: str, data: dict[str, Any], cause: str | None) -> Fact:
        """A fact of the calling thread's place that no event stands for."""
        said = self.places.here().fact(type, data)
        if cause:
            said["cause"] = cause
        return said

    def step(self, answer: Any) -> list[Fact]:
        """What the crew's step_callback was given: an AgentAction or AgentFinish.

        A ToolResult is passed over: the AgentAction that follows carries it.
        """
        place = self.places.here()
        if hasattr(answer, "tool"):
            return [_step(place, answer.thought, answer.tool, answer.tool_input, answer.result)]
        if hasattr(answer, "output"):
            self._stepped[place] = None
            if len(self._stepped) > _MAX_STEPPED:
                self._stepped.pop(next(iter(self._stepped)))
            return [_step(place, answer.thought, output=_text(answer.output))]
        return []

    def _worded(self, _source: Any, event: Any) -> list[Fact]:
        word = WORDS[event.type]
        return [self._place_of(event).fact(word.type_of(event), word.data(event))]

    def _noise(self, _source: Any, event: Any) -> list[Fact]:
        self._place_of(event)
        return []

    def _other(self, _source: Any, event: Any) -> list[Fact]:
        data = {**digest(event), "kind": event.type}
        return [self._place_of(event).fact("event", data)]

    def _place_of(self, event: Any) -> Place:
        """Of an event that may begin or end something that is no execution of its own."""
        if event.started_event_id is not None:
            return self.places.close(event) or self.places.of(event)
        place = self.places.of(event)
        if event.type.endswith("_started"):
            self.places.open(event, place)
        return place

    def _agent_started(self, _source: Any, event: Any) -> list[Fact]:
        # Whoever really does the task: in a hierarchical crew not the one it names.
        around = self.places.of(event)
        place = Place(
            around.task, _agent_of(event) or around.agent, around.method, around.tid, around.inside
        )
        self.places.open(event, place)
        return [place.fact("agent.started", {"role": place.agent})]

    def _agent_completed(self, _source: Any, event: Any) -> list[Fact]:
        place = self._agent_ended(event)
        output = _text(event.output)
        told = place in self._stepped
        self._stepped.pop(place, None)
        steps = [] if told else [_step(place, output=output)]
        return [*steps, place.fact("agent.completed", {"role": place.agent, "output": output})]

    def _agent_failed(self, _source: Any, event: Any) -> list[Fact]:
        place = self._agent_ended(event)
        self._stepped.pop(place, None)
        return [place.fact("agent.failed", {"role": place.agent, "error": event.error})]

    def _agent_ended(self, event: Any) -> Place:
        return self.places.close(event) or self.places.of(event).by(_agent_of(event))

    def _llm_started(self, _source: Any, event: Any) -> list[Fact]:
        place = self.places.open(event, self.places.of(event))
        return [place.fact("llm.started", {"call": event.call_id, "model": event.model})]

    def _llm_chunk(self, _source: Any, event: Any) -> list[Fact]:
        return self._delta(event, "text" if event.tool_call is None else "tool")

    def _llm_thinking(self, _source: Any, event: Any) -> list[Fact]:
        return self._delta(event, "thinking")

    def _delta(self, event: Any, kind: str) -> list[Fact]:
        if not event.chunk:
            return []
        data = {"call": event.call_id, "text": event.chunk, "kind": kind}
        return [self.places.of(event).fact("llm.delta", data)]

    def _llm_completed(self, _source: Any, event: Any) -> list[Fact]:
        data = {
            "call": event.call_id,
            "usage": tokens(event.usage),
            "finish_reason": event.finish_reason,
        }
        return [self._llm_ended(event).fact("llm.completed", data)]

    def _llm_failed(self, _source: Any, event: Any) -> list[Fact]:
        data = {"call": event.call_id, "error": event.error}
        return [self._llm_ended(event).fact("llm.failed", data)]

    def _llm_ended(self, event: Any) -> Place:
        return self.places.close(event) or self.places.of(event)

    def _tool_started(self, _source: Any, event: Any) -> list[Fact]:
        if len(self._tools) >= _MAX_OPEN_TOOLS:
            self._tools.pop(next(iter(self._tools)))
        self._tools[event.event_id] = (self._clock(), event.tool_name)
        place = self.places.open(event, self.places.of(event))
        data = {"call": event.event_id, "tool": event.tool_name, "args": event.tool_args}
        return [place.fact("tool.started", data)]

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
        place = self.places.close(event) or self.places.of(event)
        seconds = round(self._clock() - started, 6)
        ended = place.fact(type, {"call": call, "tool": tool, **said, "seconds": seconds})
        # Native calls come from the executor (a Flow); ReAct's from ToolUsage, whose step the
        # step_callback tells.
        if _class_name(source) == "ToolUsage":
            return [ended]
        result = said.get("output", said.get("error"))
        return [ended, _step(place, "", tool, event.tool_args, result)]


# A step is told once, whichever way CrewAI ran it: its step_callback is silent on native tool
# calls and on agents without tools (crewai/agents/agent_executor.py), so those steps are told from
# the events.


def _step(
    place: Place,
    thought: str = "",
    tool: str | None = None,
    tool_input: Any = None,
    result: Any = None,
    output: str | None = None,
) -> Fact:
    return place.fact(
        "step",
        {
            "thought": thought,
            "tool": tool,
            "tool_input": tool_input,
            "result": None if result is None else _text(result),
            "output": output,
        },
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _class_name(value: Any) -> str:
    return type(value).__name__


def _agent_of(event: Any) -> str | None:
    info = getattr(event, "agent_info", None)
    return role_of(getattr(getattr(event, "agent", None), "role", None)) or role_of(
        (info or {}).get("role")
    )
