"""The executions of a run: crews, their tasks, flows and their methods, from begin to end. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sidecar.channel import Fact
from sidecar.worker import outputs
from sidecar.worker.engine.noise import is_internal
from sidecar.worker.engine.places import Place, Places, Planned, role_of

__all__ = ["Executions", "task_list", "task_names"]

_HELPER: Final = "planning"
"""What a task is called that a crew does and that is none of its own: `planning=True` has one."""
_ALONE: Final = "task"
"""What one is called that has no name and no crew."""


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


def task_list(tasks: Sequence[Any]) -> list[dict[str, Any]]:
    """CrewAI's tasks as a run shows them: [{name, agent}]."""
    return [
        {"name": name, "agent": role_of(getattr(task.agent, "role", None))}
        for name, task in zip(task_names(tasks), tasks, strict=True)
    ]


class Executions:
    """Begins and ends executions, each with a tid of its own, and says so.

    The run's own crew is the exception: its tasks are told by `run.started`, and its end is the
    run's.
    """

    def __init__(self, places: Places) -> None:
        self._places = places
        self._own: Any = None
        self._kept_told = True
        self._own_plan: Mapping[str, Planned] = {}
        self.words: Final[Mapping[str, Callable[[Any, Any], list[Fact]]]] = {
            "crew_kickoff_started": self._crew_started,
            "crew_kickoff_completed": self._crew_completed,
            "crew_kickoff_failed": self._crew_failed,
            "task_started": self._task_started,
            "task_completed": self._task_completed,
            "task_failed": self._task_failed,
            "flow_started": self._flow_started,
            "flow_finished": self._flow_completed,
            "flow_failed": self._flow_failed,
            "method_execution_started": self._method_started,
            "method_execution_finished": self._method_completed,
            "method_execution_failed": self._method_failed,
        }

    def own(self, crew: Any, tids: Sequence[str], *, kept_told: bool = True) -> None:
        """The run's own crew, before its kickoff, and the tids that its tasks were told with.

        `kept_told` is whether it was told then which of them are kept.
        """
        self._kept_told = kept_told
        self._own, self._own_plan = crew, _plan(crew.tasks, iter(tids).__next__)
        self._places.learn(self._own_plan)

    def _crew_started(self, crew: Any, event: Any) -> list[Fact]:
        key = ("crew", id(crew))
        around = self._places.of(event)
        if crew is self._own:
            # Kicked off once more, as from a callback, it is a crew like any other.
            self._own = None
            place = self._places.open(event, Place(plan=self._own_plan), key)
            return [] if self._kept_told else self._kept(crew, place)
        plan = _plan(crew.tasks, self._places.new_tid)
        self._places.learn(plan)
        place = self._places.open(event, self._inside(around, plan=plan), key)
        tasks = [{"name": p.name, "agent": p.agent, "tid": p.tid} for p in plan.values()]
        started = place.fact("crew.started", {"name": event.crew_name, "tasks": tasks})
        return [started, *self._kept(crew, place)]

    def _kept(self, crew: Any, place: Place) -> list[Fact]:
        """Tasks that an earlier attempt finished, which CrewAI tells nothing of."""
        if getattr(crew, "checkpoint_kickoff_event_id", None) is None:
            return []
        facts = []
        for task in itertools.takewhile(lambda task: task.output is not None, crew.tasks):
            planned = place.plan[str(task.id)]
            planned.begun = True
            of = Place(planned.name, planned.agent, place.method, planned.tid, place.tid)
            data = {"name": planned.name, "output": _text(task.output.raw), "kept": True}
            facts.append(of.fact("task.completed", data))
        return facts

    def _crew_completed(self, crew: Any, event: Any) -> list[Fact]:
        return self._ended(event, ("crew", id(crew)), "crew.completed", output=_text(event.output))

    def _crew_failed(self, crew: Any, event: Any) -> list[Fact]:
        return self._ended(event, ("crew", id(crew)), "crew.failed", error=event.error)

    def _task_started(self, task: Any, event: Any) -> list[Fact]:
        around = self._places.of(event)
        planned = around.plan.get(str(task.id)) or self._places.planned(task)
        if planned is None or planned.begun:
            name = planned.name if planned else task.name or (_HELPER if around.plan else _ALONE)
            planned = Planned(name, None, self._places.new_tid(), 1, 1)
        planned.begun = True
        place = Place(
            task=planned.name,
            # Read anew: a role with {inputs} in it was filled in after the crew had been planned.
            agent=role_of(getattr(task.agent, "role", None)) or planned.agent,
            method=around.method,
            tid=planned.tid,
            inside=around.tid,
            index=planned.index,
            of=planned.of,
        )
        self._places.open_task(event, task, place)
        data = {"name": place.task, "index": place.index, "of": place.of}
        return [place.fact("task.started", data)]

    def _task_completed(self, task: Any, event: Any) -> list[Fact]:
        output = _text(event.output.raw)
        return self._ended(event, ("task", str(task.id)), "task.completed", output=output)

    def _task_failed(self, task: Any, event: Any) -> list[Fact]:
        return self._ended(event, ("task", str(task.id)), "task.failed", error=event.error)

    def _flow_started(self, flow: Any, event: Any) -> list[Fact]:
        around = self._places.of(event)
        if is_internal(flow):
            self._places.open(event, around)
            return []
        place = self._places.open(event, self._inside(around), ("flow", id(flow)))
        return [place.fact("flow.started", {"name": event.flow_name})]

    def _flow_completed(self, flow: Any, event: Any) -> list[Fact]:
        output = _text(event.result)
        return self._flow_ended(flow, event, "flow.completed", output=output)

    def _flow_failed(self, flow: Any, event: Any) -> list[Fact]:
        return self._flow_ended(flow, event, "flow.failed", error=_text(event.error))

    def _flow_ended(self, flow: Any, event: Any, type: str, **data: Any) -> list[Fact]:
        if is_internal(flow):
            self._places.close(event)
            return []
        return self._ended(event, ("flow", id(flow)), type, name=event.flow_name, **data)

    def _method_started(self, flow: Any, event: Any) -> list[Fact]:
        name = str(event.method_name)
        place = self._inside(self._places.of(event), method=name)
        self._places.open(event, place, ("method", id(flow), name))
        return [place.fact("method.started", {"name": name})]

    def _method_completed(self, flow: Any, event: Any) -> list[Fact]:
        data: dict[str, Any] = {"output": _text(event.result)}
        if _is_router(flow, event.method_name):
            data["route"] = _text(event.result)
        return self._method_ended(flow, event, "method.completed", **data)

    def _method_failed(self, flow: Any, event: Any) -> list[Fact]:
        return self._method_ended(flow, event, "method.failed", error=_text(event.error))

    def _method_ended(self, flow: Any, event: Any, type: str, **data: Any) -> list[Fact]:
        name = str(event.method_name)
        return self._ended(event, ("method", id(flow), name), type, name=name, **data)

    def _ended(self, event: Any, key: Any, type: str, **data: Any) -> list[Fact]:
        place = self._places.close(event, key)
        if place is None:
            place = self._places.of(event)
        elif place.tid is None:
            return []
        if key[0] == "task":
            data = {"name": place.task, **data}
        return [place.fact(type, data)]

    def _inside(
        self,
        around: Place,
        *,
        method: str | None = None,
        plan: Mapping[str, Planned] | None = None,
    ) -> Place:
        """A new execution inside another, of what the other is of until a task says otherwise."""
        return Place(
            around.task,
            around.agent,
            method or around.method,
            self._places.new_tid(),
            around.tid,
            plan=plan or {},
        )


def _plan(tasks: Sequence[Any], new_tid: Callable[[], str]) -> dict[str, Planned]:
    names = task_names(tasks)
    return {
        str(task.id): Planned(
            name, role_of(getattr(task.agent, "role", None)), new_tid(), index, len(names)
        )
        for index, (name, task) in enumerate(zip(names, tasks, strict=True), 1)
    }


def _is_router(flow: Any, method: str) -> bool:
    # CrewAI's own answer (crewai/flow/runtime); its `router=` is not on the event.
    return bool(flow._is_router(method))


def _text(value: Any) -> str | None:
    """What a crew, a flow, a method or a tool gave back; None for None."""
    if value is None or isinstance(value, str):
        return value
    try:
        return outputs.text_of(value)
    except Exception:  # of a user's own class; its end is told all the same
        return f"<{type(value).__name__}>"
