"""What an attempt owes to the earlier ones, and a fork to its run. Pure; needs no crewai."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sidecar.channel import Fact, Kept, RunSpec, fact

__all__ = ["kept_of", "planned", "started"]


def kept_of(spec: RunSpec, tasks: Sequence[str]) -> list[Kept]:
    """The tasks that are not run again, of a crew with these tasks in this order.

    Those of the spec, as far as they are the crew's first: its owner may have put another task
    before them since, and nothing that comes after what is still to do can be skipped.
    """
    known = {task["name"]: task for task in spec["kept"]}
    kept: list[Kept] = []
    for name in tasks:
        if name not in known:
            break
        kept.append(known[name])
    return kept


def planned(
    tasks: Sequence[Mapping[str, Any]], kept: Sequence[Kept], new: Callable[[], str]
) -> list[dict[str, Any]]:
    """The tasks {name, agent} of a run's own crew with the `tid` of each: a kept one's is what it
    was, another's is `new`."""
    known = {task["name"]: task["tid"] for task in kept}
    return [{**task, "tid": known.get(task["name"]) or new()} for task in tasks]


def started(
    spec: RunSpec, model: str, tasks: Sequence[Mapping[str, Any]], kept: Sequence[Kept]
) -> Fact:
    """The fact run.started; `tasks` are {name, agent, tid}."""
    attempt = spec["attempt"]
    data: dict[str, Any] = {"model": model, "attempt": attempt, "tasks": list(tasks)}
    if forked := spec["forked"]:
        outputs = {task["name"]: task["output"] for task in kept}
        data["forked"] = forked
        data["tasks"] = [
            {**task, "output": outputs[task["name"]]} if task["name"] in outputs else task
            for task in tasks
        ]
    if attempt > 1 or forked:
        data["kept"] = [task["name"] for task in kept]
        if spec["superseded"] is not None:
            data["superseded"] = spec["superseded"]
    return fact("run.started", data)
