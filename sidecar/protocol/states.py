"""The states of a run and the one table of steps between them. Pure.

::

    queued -> starting -> running <-> pausing -> paused        running <-> waiting
    running, waiting -> starting    its worker or gateway died, and the next attempt begins
    any live state -> cancelling -> cancelled
    final: completed, failed, cancelled, interrupted
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from sidecar.errors import IllegalTransition

__all__ = ["FINAL_STATES", "FINAL_TYPES", "LIVE_STATES", "TABLE", "State", "step"]

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
    for noun in (
        *("task", "agent", "llm", "tool", "crew", "flow", "method", "guardrail"),
        *("memory", "knowledge", "mcp", "reasoning", "skill", "a2a"),
    )
    for verb in ("started", "completed", "failed")
) | {"llm.delta", "llm.retrying", "step", "log", "event"}

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
TABLE: Final[Mapping[State, Mapping[str, State]]] = {
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
        "run.starting": "starting",
        "run.started": "running",
    },
    "running": {
        **_ANY_LIVE,
        **_WORKING,
        **_keeping("running", "run.modifying"),
        "run.pausing": "pausing",
        "run.starting": "starting",
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
        "run.starting": "starting",
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
        return TABLE[state][type]
    except KeyError:
        raise IllegalTransition(f"{type} cannot happen to a run that is {state}") from None
