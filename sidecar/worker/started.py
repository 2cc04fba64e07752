"""What a later attempt at a run owes to the earlier ones. Pure; needs no crewai."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from sidecar.channel import Fact, RunSpec, fact

__all__ = ["kept_of", "started"]


def kept_of(spec: RunSpec, tasks: Sequence[str]) -> dict[str, str]:
    """The outputs of the tasks that are not run again, of a crew with these tasks in this order.

    Those of the spec, as far as they are the crew's first: its owner may have put another task
    before them since, and nothing that comes after what is still to do can be skipped.
    """
    if spec["attempt"] == 1:
        return {}
    kept = spec["kept"]
    return {name: kept[name] for name in itertools.takewhile(kept.__contains__, tasks)}


def started(
    spec: RunSpec, model: str, tasks: Sequence[Mapping[str, Any]], kept: Mapping[str, str]
) -> Fact:
    """The fact run.started; `tasks` are {name, agent}."""
    attempt = spec["attempt"]
    data: dict[str, Any] = {"model": model, "attempt": attempt, "tasks": list(tasks)}
    if attempt > 1:
        data["kept"] = list(kept)
        if spec["superseded"] is not None:
            data["superseded"] = spec["superseded"]
    return fact("run.started", data)
