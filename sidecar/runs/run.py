"""A run as a pure state machine: one fold of events into a snapshot, by the table of `states`.

`Run` neither sleeps nor writes; the supervisor owns each instance and feeds it every event that it
appends. Feeding the same events again gives the same snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

import orjson

from sidecar.channel import Kept
from sidecar.inputs import HISTORY
from sidecar.protocol import FINAL_STATES, FINAL_TYPES, TABLE, Draft, State, step
from sidecar.runs.taskviews import TaskView, TaskViews

__all__ = ["Modification", "Run", "change_bytes"]


@dataclass(slots=True)
class Modification:
    """A change that was asked for, kept for as long as another attempt would need it again."""

    cause: str
    """Id of the command."""
    change: dict[str, Any]
    applied: bool = False
    task: str | None = None
    """The task, by its key, where it was applied; None also where it was not."""

    def is_only_for(self, key: str, name: str) -> bool:
        """Whether it has a meaning for this task and for no other."""
        if "inputs" in self.change:
            return False
        named: str | None = self.change.get("task")
        return named in (name, key) if named else self.task == key


def change_bytes(change: dict[str, Any]) -> int:
    """How large a modification is where it is stored."""
    return len(orjson.dumps(change))


_MAX_APPLIED: Final = 1_000
"""Applied modifications kept for another attempt; the oldest go first."""

_MOVING: Final = frozenset({"run", "task", "input"})
"""Nouns of types that move more than the position, beside `llm.completed`."""


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
    work: TaskViews = field(default_factory=TaskViews)
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
    thread: str | None = None
    after: str | None = None
    """The run of its thread that it follows."""
    history: str | None = None
    """What was said on the way to it, for its crew; None where there is no thread, or its inputs
    have one."""
    forked: dict[str, str] | None = None
    """{run, task} that it began at, of a fork."""
    seed: list[Kept] = field(default_factory=list)
    """What a fork keeps of that run, until it has started."""

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
            work=TaskViews.restore(record["tasks"], journal),
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
            thread=record["thread"],
            after=record["after"],
            history=journal.get("history"),
            forked=record["forked"],
            seed=journal.get("seed", []),
        )

    def fork(self) -> Run:
        """A copy that can go ahead on its own, to see where events lead before they are stored."""
        return replace(
            self,
            work=self.work.fork(),
            answered=list(self.answered),
            usage=dict(self.usage),
            changes=[replace(change) for change in self.changes],
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

    @property
    def given(self) -> dict[str, Any]:
        """The inputs that its crew gets."""
        return self.inputs if self.history is None else {**self.inputs, HISTORY: self.history}

    @property
    def tasks(self) -> Sequence[TaskView]:
        """Those of the run so far: the planned ones, then the others as they came to light."""
        return self.work.views

    @property
    def planned(self) -> Sequence[TaskView]:
        """Those of the run's own crew; none before it has started, and none of a Flow's."""
        return self.work.planned

    def kept(self) -> list[Kept]:
        """The tasks that the next attempt need not run."""
        return self.seed or self.work.kept()

    def superseded(self, head: int) -> list[int] | None:
        """First and last seq of what this attempt told of tasks that another one begins again."""
        return self.work.superseded(head)

    def outstanding(self) -> list[Modification]:
        """The modifications that another attempt has to know of, in the order they were asked."""
        kept = self.kept()
        return [
            change
            for change in self.changes
            if not any(change.is_only_for(task["tid"], task["name"]) for task in kept)
        ]

    def unapplied(self) -> list[str]:
        """Ids of the modifications that were accepted and did not take effect so far."""
        return [change.cause for change in self.changes if not change.applied]

    def change_bytes(self) -> int:
        """Of all modifications that are kept, as JSON."""
        return sum(change_bytes(change.change) for change in self.changes)

    @staticmethod
    def is_quiet(event: Draft) -> bool:
        """Whether it changes nothing but the position."""
        return event.type.partition(".")[0] not in _MOVING and event.type != "llm.completed"

    def apply(self, event: Draft, seq: int) -> bool:
        """Take one event in; True when the snapshot changed by more than its position.

        Raises IllegalTransition, and changes nothing, when the table has no such step.
        """
        self.state = step(self.state, event.type)
        if self.is_quiet(event):
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
        else:
            self._count(event.data.get("usage"))
        return True

    def _on_run(self, verb: str, event: Draft, seq: int) -> None:
        data = event.data
        if verb == "queued":
            self.inputs = data.get("inputs") or {}
            self.review = list(data.get("review") or ())
            self.thread, self.after = data.get("thread"), data.get("after")
            self.forked = data.get("forked")
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
                change.applied, change.task = True, event.tid or event.task
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
            task = self.work.find(
                told.get("tid"), told["name"], told.get("agent") or "", told.get("in")
            )
            if task is not None and told.get("output") is not None:
                task.state, task.output = "completed", told["output"]
        self.work.end_all("completed" if self.state == "completed" else "failed")

    def _on_started(self, event: Draft, seq: int) -> None:
        data = event.data
        self.input = None
        if self.started is None:
            self.started = event.ts
        self.model = data.get("model")
        self.attempt = data.get("attempt", 1)
        self.seed = []
        self.work.plan(data.get("tasks") or (), data.get("kept") or (), seq)

    def _on_task(self, verb: str, event: Draft, seq: int) -> None:
        name, agent = event.data.get("name") or event.task or "", event.agent or ""
        if verb == "started":
            self.work.started(event.tid, name, agent, event.inside, seq)
            return
        task = self.work.find(event.tid, name, agent, event.inside)
        if task is None:
            return
        if verb == "failed":
            task.state = "failed"
            return
        task.state, task.output = "completed", event.data.get("output")
        self.work.make_room()
        # What was said to it alone has done its work.
        self.changes = [
            change
            for change in self.changes
            if not (change.applied and change.is_only_for(task.key, name))
        ]

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
            "tasks": [task.as_dict(state=False) for task in self.tasks],
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
            "thread": self.thread,
            "after": self.after,
            "forked": self.forked,
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
                "planned": self.work.plan_size,
                "since": self.work.since,
                "begun": self.work.begun,
                "history": self.history,
                "seed": self.seed,
            }
        return record
