"""A run as a pure state machine: one table of steps, one fold of events into a snapshot.

::

    queued -> starting -> running <-> pausing -> paused        running <-> waiting
    any live state -> cancelling -> cancelled
    final: completed, failed, cancelled, interrupted

`Run` neither sleeps nor writes; the supervisor owns each instance and feeds it every event that it
appends. Feeding the same events again gives the same snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sidecar.codec import Draft
from sidecar.errors import IllegalTransition

__all__ = ["FINAL_STATES", "FINAL_TYPES", "LIVE_STATES", "Run", "State", "TaskView", "step"]

State = Literal[
    "queued",
    "starting",
    "running",
    "pausing",
    "paused",
    "waiting",
    "cancelling",
    "completed",
    "failed",
    "cancelled",
    "interrupted",
]

FINAL_STATES: Final[frozenset[State]] = frozenset(
    {"completed", "failed", "cancelled", "interrupted"}
)
LIVE_STATES: Final[frozenset[State]] = frozenset(
    {"queued", "starting", "running", "pausing", "paused", "waiting", "cancelling"}
)
FINAL_TYPES: Final[Mapping[str, State]] = {
    "run.completed": "completed",
    "run.failed": "failed",
    "run.cancelled": "cancelled",
    "run.interrupted": "interrupted",
}

_CREW_EVENTS: Final = frozenset(
    f"{noun}.{verb}"
    for noun in ("task", "agent", "llm", "tool")
    for verb in ("started", "completed", "failed")
) | {"llm.delta", "step", "log"}

_ANY_LIVE: Final[Mapping[str, State]] = {
    "run.cancelling": "cancelling",
    "run.failed": "failed",
    "run.interrupted": "interrupted",
}

_WORKING: Final[Mapping[str, State]] = {
    "run.completed": "completed",
    "input.requested": "waiting",
}


def _keeping(state: State, *types: str) -> dict[str, State]:
    return dict.fromkeys((*_CREW_EVENTS, "run.modified", *types), state)


# What may happen in each state, and the state it leads to. Anything not here is a bug that says so.
# `cancelling` knows one way out beside the gateway's own end: a cancel that was acknowledged is
# kept even when the crew finishes or dies in the same moment.
_TABLE: Final[Mapping[State, Mapping[str, State]]] = {
    "queued": {
        **_ANY_LIVE,
        "run.queued": "queued",
        "run.modifying": "queued",
        "run.starting": "starting",
    },
    "starting": {
        **_ANY_LIVE,
        "log": "starting",
        "run.modifying": "starting",
        "run.started": "running",
    },
    "running": {
        **_ANY_LIVE,
        **_WORKING,
        **_keeping("running", "run.modifying", "run.started"),
        "run.pausing": "pausing",
    },
    "pausing": {
        **_ANY_LIVE,
        **_WORKING,
        **_keeping("pausing", "run.modifying"),
        "run.paused": "paused",
        "run.resumed": "running",
    },
    "paused": {**_ANY_LIVE, "run.modifying": "paused", "run.resumed": "running"},
    "waiting": {
        **_ANY_LIVE,
        **_keeping("waiting", "run.modifying"),
        "input.answered": "running",
        "input.expired": "running",
    },
    "cancelling": {
        **_keeping("cancelling"),
        "run.cancelled": "cancelled",
        "run.interrupted": "interrupted",
    },
    "completed": {},
    "failed": {},
    "cancelled": {},
    "interrupted": {},
}


def step(state: State, type: str) -> State:
    """The state after an event of `type` in `state`. Raises IllegalTransition off the table."""
    try:
        return _TABLE[state][type]
    except KeyError:
        raise IllegalTransition(f"{type} cannot happen to a run that is {state}") from None


@dataclass(slots=True)
class TaskView:
    name: str
    agent: str
    state: Literal["pending", "running", "completed", "failed"] = "pending"
    output: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "agent": self.agent, "state": self.state, "output": self.output}


@dataclass(slots=True)
class Run:
    """One execution, as told by its events so far."""

    id: str
    crew: str
    created: float
    """Unix ms."""
    state: State = "queued"
    inputs: dict[str, Any] = field(default_factory=dict)
    started: float | None = None
    finished: float | None = None
    model: str | None = None
    attempt: int = 1
    tasks: list[TaskView] = field(default_factory=list)
    input: dict[str, Any] | None = None
    """The open question, as `input.requested` put it."""
    answered: list[str] = field(default_factory=list)
    """Questions that have had their answer."""
    usage: dict[str, int] = field(
        default_factory=lambda: {"prompt_tokens": 0, "completion_tokens": 0, "calls": 0}
    )
    output: str | None = None
    error: dict[str, Any] | None = None
    reason: str | None = None

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Run:
        """The run a stored snapshot tells of; what only the log knows (inputs) is left out."""
        return cls(
            id=snapshot["run"],
            crew=snapshot["crew"],
            created=snapshot["created"],
            state=snapshot["state"],
            started=snapshot["started"],
            finished=snapshot["finished"],
            model=snapshot["model"],
            tasks=[TaskView(**task) for task in snapshot["tasks"]],
            input=snapshot["input"],
            answered=list(snapshot["answered"]),
            usage=dict(snapshot["usage"]),
            output=snapshot["output"],
            error=snapshot["error"],
        )

    @property
    def live(self) -> bool:
        return self.state not in FINAL_STATES

    def allows(self, type: str) -> bool:
        return type in _TABLE[self.state]

    def begin(self) -> None:
        """A worker was taken: the one step that has no event, since nothing can be told yet."""
        self.state = step(self.state, "run.starting")

    def apply(self, event: Draft) -> bool:
        """Take one event in; True when the snapshot changed by more than its position.

        Raises IllegalTransition, and changes nothing, when the table has no such step.
        """
        self.state = step(self.state, event.type)
        if event.type in ("llm.delta", "log", "step"):
            return False
        noun, _, verb = event.type.partition(".")
        if noun == "run":
            self._on_run(verb, event)
        elif noun == "task":
            self._on_task(verb, event)
        elif noun == "input":
            self.input = dict(event.data) if verb == "requested" else None
            if verb == "answered":
                self.answered.append(str(event.data.get("input")))
        elif event.type == "llm.completed":
            self._count(event.data.get("usage"))
        else:
            return False
        return True

    def _on_run(self, verb: str, event: Draft) -> None:
        data = event.data
        if verb == "queued":
            self.inputs = data.get("inputs") or {}
        elif verb == "started":
            self._on_started(event)
        elif verb == "cancelling":
            self.reason = data.get("reason")
            self.input = None
        if event.type in FINAL_TYPES:
            self._on_final(event)

    def _on_final(self, event: Draft) -> None:
        data = event.data
        self.finished = event.ts
        self.input = None
        self.output = data.get("output")
        self.error = data.get("error")
        self.reason = data.get("reason", self.reason)
        self.usage = {**self.usage, **(data.get("usage") or {})}
        for told in data.get("tasks") or ():
            if told.get("output") is not None:
                task = self._task(told["name"], told.get("agent") or "")
                task.state, task.output = "completed", told["output"]
        for task in self.tasks:
            if task.state == "running":
                task.state = "completed" if self.state == "completed" else "failed"

    def _on_started(self, event: Draft) -> None:
        data = event.data
        if self.started is None:
            self.started = event.ts
        self.model = data.get("model")
        self.attempt = data.get("attempt", 1)
        kept = {t.name: t for t in self.tasks if t.name in (data.get("kept") or ())}
        self.tasks = [
            kept.get(t["name"]) or TaskView(t["name"], t.get("agent") or "")
            for t in data.get("tasks") or ()
        ]

    def _on_task(self, verb: str, event: Draft) -> None:
        task = self._task(event.data.get("name") or event.task or "", event.agent or "")
        if verb == "started":
            task.state = "running"
        elif verb == "completed":
            task.state = "completed"
            task.output = event.data.get("output")
        else:
            task.state = "failed"

    def _task(self, name: str, agent: str) -> TaskView:
        """The task of that name; a flow's crews come to light one by one, after run.started."""
        for task in self.tasks:
            if task.name == name:
                return task
        task = TaskView(name, agent)
        self.tasks.append(task)
        return task

    def _count(self, usage: Any) -> None:
        self.usage["calls"] += 1
        if isinstance(usage, dict):
            for key in ("prompt_tokens", "completion_tokens"):
                value = usage.get(key)
                if isinstance(value, int):
                    self.usage[key] += value

    def final_data(
        self, *, output: str | None, seconds: float, unapplied: Sequence[str] = ()
    ) -> dict[str, Any]:
        """What every final event carries, whichever way the run ended.

        `unapplied` are the ids of the modifications that never took effect.
        """
        return {
            "output": output,
            "tasks": [{"name": t.name, "agent": t.agent, "output": t.output} for t in self.tasks],
            "usage": dict(self.usage),
            "seconds": round(seconds, 3),
            "unapplied": list(unapplied),
        }

    def snapshot(self, *, epoch: str, seq: int) -> dict[str, Any]:
        """The run in the shape of PROTOCOL.md, with the cursor it holds good for."""
        return {
            "run": self.id,
            "crew": self.crew,
            "state": self.state,
            "id": f"{epoch}-{seq}",
            "seq": seq,
            "created": self.created,
            "started": self.started,
            "finished": self.finished,
            "model": self.model,
            "tasks": [task.as_dict() for task in self.tasks],
            "input": self.input,
            "answered": list(self.answered),
            "usage": dict(self.usage),
            "output": self.output,
            "error": self.error,
        }
