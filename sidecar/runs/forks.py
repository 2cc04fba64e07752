"""Runs that begin at a task of another one: what they take over of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from sidecar.channel import Kept
from sidecar.errors import CommandError
from sidecar.inputs import HISTORY
from sidecar.protocol import MAX_COMMAND, Origin, Start, encode
from sidecar.runs.crews import Crews
from sidecar.runs.execution import Execution
from sidecar.runs.threads import Threads

__all__ = ["Fork", "Forks", "keep_of"]


class Fork(NamedTuple):
    start: Start
    """With all that it takes over: crew, inputs, and its place in the thread."""
    forked: dict[str, str]
    """{run, task}, as the snapshot has it."""
    kept: list[Kept]
    history: str | None
    """What the crew of that run was told; the fork's own thread may have another."""


class Forks:
    """Of any run that `snapshot` knows, in `live` as far as it is under way."""

    def __init__(
        self,
        snapshot: Callable[[str], Awaitable[dict[str, Any]]],
        live: Mapping[str, Execution],
        threads: Threads,
        crews: Crews,
    ) -> None:
        """`snapshot` raises CommandError `unknown_run`."""
        self._crews = crews
        self._snapshot = snapshot
        self._live = live
        self._threads = threads

    async def fork(self, start: Start, origin: Origin) -> Fork:
        """Raises CommandError `bad_request` where nothing can begin there, `too_large`, and
        `unknown_crew` where that run's crew is not there any more."""
        run = await self._find(origin.run)
        if run is None:
            raise CommandError("bad_request", f"'from': no run {origin.run[:80]!r}")
        crew = self._crews.name(run["crew"])
        if crew != run["crew"]:  # `default` is another one by now
            raise CommandError(
                "unknown_crew", f"the crew of run {run['run']} is not there any more"
            )
        names = self._crews.names
        by_default = start.crew == "default" and "default" not in names and crew == names[0]
        if start.crew not in ("", crew) and not by_default:
            raise CommandError(
                "bad_request",
                f"'crew': run {run['run']} is of crew {crew!r}, and so is a fork of it",
            )
        task, kept = keep_of(run, origin.task)
        inputs = {**run["inputs"], **start.inputs}
        if len(encode(inputs)) > MAX_COMMAND:  # else a fork of a fork of a fork has no bound
            raise CommandError(
                "too_large",
                f"the inputs of run {run['run']} and the given ones have more than {MAX_COMMAND} "
                "bytes together",
            )
        after = start.after
        if after is None and start.thread is not None and start.thread == run["thread"]:
            # Beside that run, not behind it: what it keeps was said after what that one followed.
            before = run["after"] and await self._find(run["after"])
            after = before["run"] if before else ""
        return Fork(
            replace(start, crew=crew, inputs=inputs, after=after),
            {"run": run["run"], "task": task},
            kept,
            None if HISTORY in inputs else await self._history(run),
        )

    async def _find(self, run: str) -> dict[str, Any] | None:
        try:
            return await self._snapshot(run)
        except CommandError:
            return None

    async def _history(self, run: dict[str, Any] | None) -> str | None:
        """Told again: the log of a run that is over has it no more."""
        while run is not None:
            if (live := self._live.get(run["run"])) is not None:
                return live.run.history
            if run["thread"] is not None:
                return await self._threads.history(run["after"])
            run = run["forked"] and await self._find(run["forked"]["run"])
        return None


def keep_of(run: Mapping[str, Any], asked: str) -> tuple[str, list[Kept]]:
    """The name of the task `asked` (a name or `tid`) of the run with that snapshot, and what a fork
    keeps that begins there. Pure.

    Their tids begin with 0, as none does that the fork's own worker mints: attempts are from 1.
    Raises CommandError `bad_request`.
    """
    plan = [task for task in run["tasks"] if not task.get("in")]
    at = next((n for n, task in enumerate(plan) if task["name"] == asked), None)
    if at is None:
        at = next((n for n, task in enumerate(plan) if task.get("tid") == asked), None)
    if at is None:
        raise _refusal(run, asked, [task["name"] for task in plan])
    kept: list[Kept] = []
    for number, task in enumerate(plan[:at], 1):
        if task["state"] != "completed" or task["output"] is None:
            raise CommandError(
                "bad_request",
                f"'from': task {task['name']!r}, before {plan[at]['name']!r}, has no output in run "
                f"{run['run']}; begin there, or at one before it",
            )
        source = task.get("tid") or task["name"]
        kept.append(
            {
                "tid": f"0.{number}",
                "name": task["name"],
                "output": task["output"],
                "source": source,
            }
        )
    return plan[at]["name"], kept


def _refusal(run: Mapping[str, Any], asked: str, plan: list[str]) -> CommandError:
    where = f"run {run['run']}"
    if any(asked in (task["name"], task.get("tid")) for task in run["tasks"]):
        why = (
            f"task {asked!r} of {where} is in a flow, or in a crew that came to light on the way: "
            "there is no plan by which to begin at it; start a new run"
        )
    elif plan:
        why = f"no task {asked[:80]!r} in {where}; there are {', '.join(plan)}"
    elif run["tasks"] or run["started"] is not None:
        why = f"{where} has no plan of tasks, as a flow has none; start a new run"
    else:
        why = f"{where} has not begun, so its tasks are not known; start a new run"
    return CommandError("bad_request", f"'from': {why}")
