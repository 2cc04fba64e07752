"""The tasks of one run, as its events told them: each execution of a task is one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from sidecar.channel import Kept

__all__ = ["TaskView", "TaskViews"]

_MAX_UNPLANNED: Final = 500
"""Tasks beside the planned ones: a flow that loops has one more with each round."""

_UNPLANNED_CHARACTERS: Final = 1024 * 1024
"""Of their outputs together: each event that moves the run stores them again."""


@dataclass(slots=True)
class TaskView:
    name: str
    agent: str
    state: Literal["pending", "running", "completed", "failed"] = "pending"
    output: str | None = None
    tid: str | None = None
    inside: str | None = None
    """The execution (of a crew, mostly) that it is in; None in the run's own crew."""

    @property
    def key(self) -> str:
        """What tells it from the run's others; a worker that gives no tid has one task a name."""
        return self.tid or self.name

    def as_dict(self, *, state: bool = True) -> dict[str, Any]:
        """In the shape of a snapshot, or without `state` in that of a final event."""
        told: dict[str, Any] = {"name": self.name, "agent": self.agent}
        if state:
            told["state"] = self.state
        told["output"] = self.output
        if self.tid:
            told["tid"] = self.tid
        if self.inside:
            told["in"] = self.inside
        return told


@dataclass(slots=True)
class TaskViews:
    """The planned ones first, in the crew's order, then the others as they come to light.

    The plan is that of the run's own crew. In a run that has one, a task that is neither planned
    nor inside anything is a helper of the crew's, as its planner is: it is no task of the run.
    """

    views: list[TaskView] = field(default_factory=list)
    plan_size: int = 0
    since: int = 0
    """Seq of the last `run.started`."""
    begun: dict[str, int] = field(default_factory=dict)
    """Seq of each planned task's `task.started` in this attempt, and of the first of all."""

    @classmethod
    def restore(cls, tasks: Iterable[Mapping[str, Any]], journal: Mapping[str, Any]) -> TaskViews:
        views = [
            TaskView(**{"inside" if key == "in" else key: value for key, value in task.items()})
            for task in tasks
        ]
        return cls(
            views,
            journal.get("planned", 0),
            journal.get("since", 0),
            dict(journal.get("begun") or {}),
        )

    def fork(self) -> TaskViews:
        return replace(self, views=[replace(view) for view in self.views], begun=dict(self.begun))

    def plan(self, tasks: Sequence[Mapping[str, Any]], kept: Iterable[str], seq: int) -> None:
        """An attempt has begun: with these tasks, of which the ones named `kept` are finished."""
        finished, old = set(kept), {view.key: view for view in self.planned}
        new = [
            TaskView(task["name"], task.get("agent") or "", tid=task.get("tid")) for task in tasks
        ]
        for view, told in zip(new, tasks, strict=True):
            if view.name in finished and told.get("output") is not None:
                # Of the run that was forked: this log has it nowhere else.
                view.state, view.output = "completed", told["output"]
        self.views = [old.get(view.key, view) if view.name in finished else view for view in new]
        self.plan_size, self.since, self.begun = len(self.views), seq, {}

    @property
    def planned(self) -> list[TaskView]:
        """Those of the plan: none before `run.started`, and none in a Flow."""
        return self.views[: self.plan_size]

    def kept(self) -> list[Kept]:
        """Those that another attempt need not run again: the planned ones before the first
        unfinished, since a crew goes on from there. None of a Flow's, whose tasks are its own to
        run."""
        kept: list[Kept] = []
        for view in self.planned:
            if view.state != "completed" or view.output is None:
                break
            kept.append({"tid": view.key, "name": view.name, "output": view.output})
        return kept

    def superseded(self, head: int) -> list[int] | None:
        """First and last seq of what this attempt told of tasks that another one begins again."""
        if not self.plan_size and self.since:
            return [self.since + 1, head] if head > self.since else None
        kept = {one["tid"] for one in self.kept()}
        # What happened inside a kept task stays, and of the crew's helpers nobody knows.
        again = self.begun if not kept else self.begun.keys() & self._plan_keys() - kept
        return [min(self.begun[key] for key in again), head] if again else None

    def started(self, tid: str | None, name: str, agent: str, inside: str | None, seq: int) -> None:
        view = self.find(tid, name, agent, inside)
        if view is not None:
            view.state = "running"
        key = tid or name
        if not self.begun or key in self._plan_keys():
            self.begun[key] = seq

    def find(
        self, tid: str | None, name: str, agent: str = "", inside: str | None = None
    ) -> TaskView | None:
        """The one of that tid, which may just have come to light; None if it is none of the run's.
        One that gets to work is shown with whoever does."""
        key = tid or name
        for view in reversed(self.views):
            if view.key == key:
                view.agent = agent or view.agent
                return view
        if self.plan_size and not inside:
            return None
        view = TaskView(name, agent, tid=tid, inside=inside)
        self.views.append(view)
        self.make_room()
        return view

    def end_all(self, state: Literal["completed", "failed"]) -> None:
        """Those that are at work have ended with the run."""
        for view in self.views:
            if view.state == "running":
                view.state = state

    def make_room(self) -> None:
        """Let the oldest go that were not planned and are not at work, beyond the bounds."""
        others = self.views[self.plan_size :]
        size = sum(len(view.output or "") for view in others)
        over = len(others) - _MAX_UNPLANNED
        if over <= 0 and size <= _UNPLANNED_CHARACTERS:
            return
        left = []
        for view in others:
            if view.state != "running" and (over > 0 or size > _UNPLANNED_CHARACTERS):
                over, size = over - 1, size - len(view.output or "")
            else:
                left.append(view)
        self.views[self.plan_size :] = left

    def _plan_keys(self) -> set[str]:
        return {view.key for view in self.planned}
