"""Where in a run something happens: executions of tasks, methods, crews and flows, each inside
another. Pure: it reads attributes, imports no crewai.

CrewAI chains its events: whatever happens has the id of the event that began the innermost thing
around it (`parent_event_id`; crewai/events/event_context.py). That chain is kept in a context
variable of CrewAI's, so parallel branches each have their own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sidecar.channel import Fact, now_ms

__all__ = ["NOWHERE", "Place", "Places", "Planned", "role_of"]

_MAX_OPEN: Final = 10_000
"""Beginnings whose end has not come; the oldest go. CrewAI allows 100 inside one another."""
_MAX_ENDED: Final = 1_000
"""Ended ones that a straggler may still name, as what a memory is saving in the background."""


@dataclass(slots=True)
class Planned:
    """A task of a crew that has been kicked off. `index` counts from 1."""

    name: str
    agent: str | None
    tid: str
    index: int
    of: int
    begun: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """An execution, and who works in it; one object per agent at work.

    `inside` is the tid of the execution that this one is in.
    """

    task: str | None = None
    agent: str | None = None
    method: str | None = None
    tid: str | None = None
    inside: str | None = None
    index: int = 1
    of: int = 1
    plan: Mapping[str, Planned] = field(default_factory=dict)
    """Of the crew that this is an execution of: its tasks, by CrewAI's id."""
    fields: dict[str, str] = field(init=False)
    """What a fact says of it: only what there is. Made once, since each token needs it."""

    def __post_init__(self) -> None:
        named = {
            "task": self.task,
            "agent": self.agent,
            "method": self.method,
            "tid": self.tid,
            "in": self.inside,
        }
        object.__setattr__(self, "fields", {key: value for key, value in named.items() if value})

    def fact(self, type: str, data: dict[str, Any]) -> Fact:
        """A fact of this place, born now."""
        return {"type": type, "ts": now_ms(), "data": data, **self.fields}  # type: ignore[typeddict-item]

    def by(self, agent: str | None) -> Place:
        """The same with that one at work, or itself."""
        if agent is None or agent == self.agent:
            return self
        return Place(
            self.task, agent, self.method, self.tid, self.inside, self.index, self.of, self.plan
        )


NOWHERE: Final = Place()


class Places:
    """What has begun and not ended, by the id of the event that began it."""

    def __init__(self, attempt: int, current: Callable[[], str | None]) -> None:
        """`current` gives the id of the innermost beginning in the calling context."""
        self._current = current
        self._tids = (f"{attempt}.{number}" for number in itertools.count(1))
        self._open: dict[str, tuple[Place, Any]] = {}
        self._executions: dict[str, tuple[Place, Any]] = {}
        """Apart, so that no number of the others can drive them out."""
        self._ended: dict[str, tuple[Place, Any]] = {}
        self._planned: dict[str, Planned] = {}
        """Tasks of all crews that have been kicked off, by CrewAI's id: for who has no chain."""
        self._tasks: dict[str, Place] = {}
        """The same for those at work."""

    def new_tid(self) -> str:
        """Unique in the run, over its attempts."""
        return next(self._tids)

    def here(self) -> Place:
        """Of the calling context."""
        return self._at(self._current() or "") or NOWHERE

    def of(self, event: Any) -> Place:
        """Where `event` happened. O(1): this is asked for every token."""
        place = self._at(event.parent_event_id or "") or NOWHERE
        if place.task is None and event.task_id is not None:
            # Off the chain: in a thread of the user's, or where CrewAI closed one thing too many.
            place = self._tasks.get(event.task_id, place)
        return place if place.agent is not None else place.by(role_of(event.agent_role))

    def planned(self, task: Any) -> Planned | None:
        """What is known of one of CrewAI's tasks ahead of its start."""
        return self._planned.get(str(task.id))

    def learn(self, plan: Mapping[str, Planned]) -> None:
        """A crew's tasks, by CrewAI's id."""
        for id, planned in plan.items():
            _put(self._planned, id, planned, _MAX_OPEN)

    def open(self, event: Any, place: Place, key: Any = None) -> Place:
        """`event` is the beginning of something at `place`: of an execution, if it has a `key` by
        which its end can be told."""
        into = self._open if key is None else self._executions
        _put(into, event.event_id, (place, key), _MAX_OPEN)
        return place

    def open_task(self, event: Any, task: Any, place: Place) -> Place:
        _put(self._tasks, str(task.id), place, _MAX_OPEN)
        return self.open(event, place, ("task", str(task.id)))

    def close(self, event: Any, key: Any = None) -> Place | None:
        """What has ended with `event`; None if its beginning is not known.

        CrewAI pairs an end with the latest beginning of its context (`started_event_id`), which is
        another's where one has been left open: then the latest with that `key` is meant.
        """
        began = event.started_event_id
        if key is None:
            # Of an execution it is no end: a method that pauses, or an end that has gone astray.
            entry = self._open.pop(began, None) or self._executions.get(began)
        else:
            entry = self._executions.get(began)
            if entry is None or entry[1] != key:
                keys = ((id, one[1]) for id, one in reversed(self._executions.items()))
                began = next((id for id, its in keys if its == key), None)
            entry = self._executions.pop(began, None)
            if key[0] == "task":
                self._tasks.pop(key[1], None)
        if entry is None:
            return None
        _put(self._ended, began, entry, _MAX_ENDED)
        return entry[0]

    def _at(self, id: str) -> Place | None:
        entry = self._open.get(id) or self._executions.get(id) or self._ended.get(id)
        return entry[0] if entry is not None else None


def role_of(given: Any) -> str | None:
    """An agent's label. CrewAI fills blanks in at kickoff and keeps the newline of YAML's `>`."""
    return given.strip() if isinstance(given, str) else None


def _put(into: dict[str, Any], key: str, value: Any, most: int) -> None:
    into[key] = value
    if len(into) > most:
        into.pop(next(iter(into)))
