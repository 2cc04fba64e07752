from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.codec import Draft
from sidecar.errors import IllegalTransition
from sidecar.run import FINAL_STATES, FINAL_TYPES, LIVE_STATES, Run, State, step

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "runs.json").read_text())
STATES: tuple[State, ...] = get_args(State)
_RUN = [
    "queued",
    "starting",
    "started",
    "pausing",
    "paused",
    "resumed",
    "modifying",
    "modified",
    "cancelling",
]
_FINAL = ["completed", "failed", "cancelled", "interrupted"]
TYPES = [
    *(f"run.{verb}" for verb in _RUN + _FINAL),
    *(f"input.{verb}" for verb in ("requested", "answered", "expired")),
    *(f"task.{verb}" for verb in ("started", "completed", "failed")),
    *("agent.started", "llm.started", "llm.delta", "llm.completed", "tool.started", "step", "log"),
]


def fold(events: list[dict[str, Any]]) -> Run:
    run = Run("r_01jd", "default", created=0.0)
    for event in events:
        if event["type"] == "run.started" and run.state == "queued":
            run.begin()
        run.apply(
            Draft(
                event["type"],
                event["ts"],
                event["data"],
                event.get("task"),
                event.get("agent"),
                event.get("cause"),
                event.get("final", False),
            )
        )
    return run


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if not v.get("reader")], ids=lambda v: v["name"]
)
def test_a_log_folds_to_its_golden_snapshot(vector: dict[str, Any]) -> None:
    seq = vector["events"][-1]["seq"] if vector["events"] else 0
    snapshot = fold(vector["events"]).snapshot(epoch="k3f9", seq=seq)
    assert {key: snapshot[key] for key in vector["snapshot"]} == vector["snapshot"]


def test_every_state_has_a_row_and_only_final_ones_are_empty() -> None:
    assert set(STATES) == LIVE_STATES | FINAL_STATES
    for state in STATES:
        ways_out = [t for t in TYPES if _allowed(state, t)]
        assert bool(ways_out) == (state in LIVE_STATES)


def test_every_live_state_can_be_cancelled_and_interrupted() -> None:
    for state in LIVE_STATES - {"cancelling"}:
        assert step(state, "run.cancelling") == "cancelling"
        assert step(state, "run.interrupted") == "interrupted"


def test_a_cancel_that_was_logged_is_not_overtaken_by_the_crew() -> None:
    for type in ("run.completed", "run.failed", "run.cancelling", "run.paused"):
        assert not _allowed("cancelling", type)
    assert step("cancelling", "llm.delta") == "cancelling"


def test_nothing_of_the_crew_appears_while_paused() -> None:
    for type in ("llm.delta", "task.completed", "tool.started", "step", "log"):
        assert not _allowed("paused", type)


def test_a_step_off_the_table_changes_nothing() -> None:
    run = Run("r", "default", created=0.0)
    with pytest.raises(IllegalTransition, match=r"task\.started cannot happen to a run that is"):
        run.apply(Draft("task.started", 1.0, {"name": "t"}))
    assert run.state == "queued"
    assert run.tasks == []


@given(st.lists(st.sampled_from(TYPES), max_size=60))
def test_no_order_of_events_leaves_the_table_or_ends_a_run_twice(types: list[str]) -> None:
    run = Run("r", "default", created=0.0)
    finals = 0
    for type in types:
        was_live = run.live
        try:
            if type == "run.starting":
                run.begin()
            else:
                run.apply(Draft(type, 1.0, {"name": "t", "tasks": []}))
        except IllegalTransition:
            continue
        assert was_live
        finals += type in FINAL_TYPES
    assert finals == (0 if run.live else 1)


@given(st.lists(st.sampled_from(TYPES), max_size=40))
def test_a_run_restored_from_its_snapshot_tells_the_same(types: list[str]) -> None:
    run = Run("r", "default", created=0.0)
    run.begin()
    for type in types:
        if run.allows(type):
            run.apply(Draft(type, 1.0, {"name": "t", "usage": {"prompt_tokens": 2}}))
    snapshot = run.snapshot(epoch="e", seq=9)
    assert Run.restore(snapshot).snapshot(epoch="e", seq=9) == snapshot


def test_usage_is_summed_over_the_calls() -> None:
    run = fold(VECTORS[0]["events"])
    run.state = "running"
    for _ in range(3):
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        run.apply(Draft("llm.completed", 1.0, {"call": "c", "usage": usage}))
    run.apply(Draft("llm.completed", 1.0, {"call": "c", "usage": None}))
    assert run.usage == {"prompt_tokens": 30, "completion_tokens": 15, "calls": 4}


def _allowed(state: State, type: str) -> bool:
    try:
        step(state, type)
    except IllegalTransition:
        return False
    return True
