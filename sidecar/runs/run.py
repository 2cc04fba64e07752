"""A run as a pure state machine: one fold of events into a snapshot, by the table of `states`.

`Run` neither sleeps nor writes; the supervisor owns each instance and feeds it every event that it
appends. Feeding the same events again gives the same snapshot.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final, Literal

import orjson

from sidecar.protocol import FINAL_STATES, FINAL_TYPES, TABLE, Draft, State, step

__all__ = ["Modification", "Run", "TaskView", "change_bytes"]


@dataclass(slots=True)
class TaskView:
    name: str
    agent: str
    state: Literal["pending", "running", "completed", "failed"] = "pending"
    output: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "agent": self.agent, "state": self.state, "output": self.output}


@dataclass(slots=True)
class Modification:
    """A change that was asked for, kept for as long as another attempt would need it again."""

    cause: str
    """Id of the command."""
    change: dict[str, Any]
    applied: bool = False
    task: str | None = None
    """Where it was applied; None also where it was not."""

    @property
    def place(self) -> str | None:
        """The one task that it has a meaning for; None for all."""
        if "inputs" in self.change:
            return None
        named: str | None = self.change.get("task")
        return named or self.task


def change_bytes(change: dict[str, Any]) -> int:
    """How large a modification is where it is stored."""
    return len(orjson.dumps(change))


_MAX_APPLIED: Final = 1_000
"""Applied modifications kept for another attempt; the oldest go first."""

_QUIET: Final = frozenset({"llm.delta", "log", "step"})
"""Types that move nothing but the position."""


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
    review: list[str] = field(default_factory=list)
    """Tasks whose output a person is asked about."""
    pause: str | None = None
    """The command whose pause is in force."""
    cancel: str | None = None
    """The command that cancels the run."""
    changes: list[Modification] = field(default_factory=list)
    planned: int = 0
    """How many tasks `run.started` told; the others of a Flow came to light later."""
    since: int = 0
    """Seq of the last `run.started`."""
    begun: dict[str, int] = field(default_factory=dict)
    """Seq of each task's `task.started` in this attempt."""

    @classmethod
    def restore(cls, record: dict[str, Any]) -> Run:
        """The run that `record` was made of."""
        journal = record.get("journal") or {}
        return cls(
            id=record["run"],
            crew=record["crew"],
            created=record["created"],
            state=record["state"],
            inputs=record["inputs"],
            started=record["started"],
            finished=record["finished"],
            model=record["model"],
            attempt=record["attempt"],
            tasks=[TaskView(**task) for task in record["tasks"]],
            input=record["input"],
            answered=list(record["answered"]),
            usage=dict(record["usage"]),
            output=record["output"],
            error=record["error"],
            reason=record["reason"],
            review=list(record["review"]),
            pause=journal.get("pause"),
            cancel=journal.get("cancel"),
            changes=[Modification(**change) for change in journal.get("changes", ())],
            planned=journal.get("planned", 0),
            since=journal.get("since", 0),
            begun=journal.get("begun", {}),
        )

    def fork(self) -> Run:
        """A copy that can go ahead on its own, to see where events lead before they are stored."""
        return replace(
            self,
            tasks=[replace(task) for task in self.tasks],
            answered=list(self.answered),
            usage=dict(self.usage),
            changes=[replace(change) for change in self.changes],
            begun=dict(self.begun),
        )

    def become(self, other: Run) -> None:
        """Take over the state of a fork."""
        for each in fields(self):
            setattr(self, each.name, getattr(other, each.name))

    @property
    def live(self) -> bool:
        return self.state not in FINAL_STATES

    def allows(self, type: str) -> bool:
        return type in TABLE[self.state]

    def begin(self) -> None:
        """An attempt begins: the one step that has no event, since nothing can be told yet.

        A question that an earlier attempt had open is void; the crew will ask again.
        """
        self.state = step(self.state, "run.starting")
        self.input = None

    def kept(self) -> dict[str, str]:
        """Output of each task that another attempt need not run again, by name, in order.

        Those before the first unfinished one: a crew goes on from there. None of a Flow's, whose
        tasks are its own to run.
        """
        kept: dict[str, str] = {}
        for task in self.tasks[: self.planned]:
            if task.state != "completed" or task.output is None:
                break
            kept[task.name] = task.output
        return kept

    def superseded(self, head: int) -> list[int] | None:
        """First and last seq of what this attempt told of tasks that another one begins again."""
        if self.planned == 0 and self.since:
            return [self.since + 1, head] if head > self.since else None
        kept = self.kept()
        again = [seq for name, seq in self.begun.items() if name not in kept]
        return [min(again), head] if again else None

    def outstanding(self) -> list[Modification]:
        """The modifications that another attempt has to know of, in the order they were asked."""
        kept = self.kept()
        return [change for change in self.changes if change.place not in kept]

    def unapplied(self) -> list[str]:
        """Ids of the modifications that were accepted and did not take effect so far."""
        return [change.cause for change in self.changes if not change.applied]

    def change_bytes(self) -> int:
        """Of all modifications that are kept, as JSON."""
        return sum(change_bytes(change.change) for change in self.changes)

    @staticmethod
    def is_quiet(event: Draft) -> bool:
        """Whether it changes nothing but the position."""
        return event.type in _QUIET

    def apply(self, event: Draft, seq: int) -> bool:
        """Take one event in; True when the snapshot changed by more than its position.

        Raises IllegalTransition, and changes nothing, when the table has no such step.
        """
        self.state = step(self.state, event.type)
        if event.type in _QUIET:
            return False
        noun, _, verb = event.type.partition(".")
        if noun == "run":
            self._on_run(verb, event, seq)
        elif noun == "task":
            self._on_task(verb, event, seq)
        elif noun == "input":
            self.input = dict(event.data) if verb == "requested" else None
            if verb == "answered":
                self.answered.append(str(event.data.get("input")))
        elif event.type == "llm.completed":
            self._count(event.data.get("usage"))
        else:
            return False
        return True

    def _on_run(self, verb: str, event: Draft, seq: int) -> None:
        data = event.data
        if verb == "queued":
            self.inputs = data.get("inputs") or {}
            self.review = list(data.get("review") or ())
        elif verb == "started":
            self._on_started(event, seq)
        elif verb == "pausing":
            self.pause = event.cause
        elif verb == "resumed":
            self.pause = None
        elif verb == "modifying":
            self.changes.append(Modification(event.cause or "", dict(data)))
        elif verb == "modified":
            self._on_modified(event)
        elif verb == "cancelling":
            self.reason = data.get("reason")
            self.cancel = event.cause
            self.input = self.pause = None
        if event.type in FINAL_TYPES:
            self._on_final(event)

    def _on_modified(self, event: Draft) -> None:
        for change in self.changes:
            if change.cause == event.cause:
                change.applied, change.task = True, event.task
        applied = [change for change in self.changes if change.applied]
        for change in applied[: len(applied) - _MAX_APPLIED]:
            self.changes.remove(change)

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

    def _on_started(self, event: Draft, seq: int) -> None:
        data = event.data
        self.since, self.begun = seq, {}
        self.input = None
        if self.started is None:
            self.started = event.ts
        self.model = data.get("model")
        self.attempt = data.get("attempt", 1)
        kept = {t.name: t for t in self.tasks if t.name in (data.get("kept") or ())}
        self.tasks = [
            kept.get(t["name"]) or TaskView(t["name"], t.get("agent") or "")
            for t in data.get("tasks") or ()
        ]
        self.planned = len(self.tasks)

    def _on_task(self, verb: str, event: Draft, seq: int) -> None:
        task = self._task(event.data.get("name") or event.task or "", event.agent or "")
        if verb == "started":
            task.state = "running"
            self.begun[task.name] = seq
        elif verb == "completed":
            task.state = "completed"
            task.output = event.data.get("output")
            # What was said to it alone has done its work.
            self.changes = [
                change for change in self.changes if not change.applied or change.place != task.name
            ]
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

    def final_data(self, *, output: str | None, seconds: float) -> dict[str, Any]:
        """What every final event carries, whichever way the run ended."""
        return {
            "output": output,
            "tasks": [{"name": t.name, "agent": t.agent, "output": t.output} for t in self.tasks],
            "usage": dict(self.usage),
            "seconds": round(seconds, 3),
            "unapplied": self.unapplied(),
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
            "attempt": self.attempt,
            "inputs": self.inputs,
            "review": list(self.review),
            "tasks": [task.as_dict() for task in self.tasks],
            "input": self.input,
            "answered": list(self.answered),
            "usage": dict(self.usage),
            "output": self.output,
            "error": self.error,
            "reason": self.reason,
        }

    def record(self, *, epoch: str, seq: int) -> dict[str, Any]:
        """What is stored: the snapshot, and while the run is live the `journal` beside it, which
        nobody outside sees: what another attempt must know."""
        record = self.snapshot(epoch=epoch, seq=seq)
        if self.live:
            record["journal"] = {
                "pause": self.pause,
                "cancel": self.cancel,
                "changes": [asdict(change) for change in self.changes],
                "planned": self.planned,
                "since": self.since,
                "begun": self.begun,
            }
        return record
