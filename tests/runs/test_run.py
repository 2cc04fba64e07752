from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.errors import IllegalTransition
from sidecar.protocol.events import Draft
from sidecar.protocol.states import FINAL_STATES, FINAL_TYPES, LIVE_STATES, TABLE, State, step
from sidecar.runs.run import Run
from tests.support.long import examples

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
    *(
        "agent.started",
        "llm.started",
        "llm.retrying",
        "llm.delta",
        "llm.completed",
        "tool.started",
        "step",
        "log",
    ),
]


def fold(events: list[dict[str, Any]]) -> Run:
    run = Run("r_01jd", "default", created=0.0)
    for event in events:
        if event["type"] == "run.started":
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
                event.get("method"),
                event.get("tid"),
                event.get("in"),
            ),
            event["seq"],
        )
    return run


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if not v.get("reader")], ids=lambda v: v["name"]
)
def test_a_log_folds_to_its_golden_snapshot(vector: dict[str, Any]) -> None:
    seq = vector["events"][-1]["seq"] if vector["events"] else 0
    snapshot = fold(vector["events"]).snapshot(epoch="k3f9", seq=seq)
    assert {key: snapshot[key] for key in vector["snapshot"]} == vector["snapshot"]


def test_a_run_knows_its_thread_and_another_attempt_what_was_said_in_it() -> None:
    [vector] = [v for v in VECTORS if v["name"] == "queued in a thread, behind another run"]
    run = fold(vector["events"])
    run.history = "User: tea\n\nCrew: a plan"
    record = run.record(epoch="k3f9", seq=1)
    assert (record["thread"], record["after"]) == ("t_1", "r_01jc")
    assert "history" not in run.snapshot(epoch="k3f9", seq=1)
    again = Run.restore(json.loads(json.dumps(record)))
    assert again == run
    assert again.given == {"message": "Shorter", "history": run.history}
    run.state = "completed"
    assert "a plan" not in json.dumps(run.record(epoch="k3f9", seq=2))


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


def test_what_is_quiet_changes_nothing_and_needs_no_copy_of_the_run() -> None:
    quiet = {type for row in TABLE.values() for type in row if Run.is_quiet(Draft(type, 1.0, {}))}
    assert {"llm.delta", "agent.started", "crew.completed", "memory.failed", "event"} <= quiet
    assert not quiet & {"task.started", "llm.completed", "run.modified", "input.requested"}
    for state in LIVE_STATES:
        run = Run("r", "default", created=0.0, state=state)
        before = run.record(epoch="e", seq=1)
        for type in quiet & TABLE[state].keys():
            assert not run.apply(Draft(type, 1.0, {"name": "n"}, task="t", tid="1.1"), 2)
            assert run.record(epoch="e", seq=1) == before


def test_a_step_off_the_table_changes_nothing() -> None:
    run = Run("r", "default", created=0.0)
    with pytest.raises(IllegalTransition, match=r"task\.started cannot happen to a run that is"):
        run.apply(Draft("task.started", 1.0, {"name": "t"}), 1)
    assert run.state == "queued"
    assert run.tasks == []


@examples(100, 5_000)
@given(st.lists(st.sampled_from(TYPES), max_size=60))
def test_no_order_of_events_leaves_the_table_or_ends_a_run_twice(types: list[str]) -> None:
    run = Run("r", "default", created=0.0)
    finals = 0
    for seq, type in enumerate(types, 1):
        was_live = run.live
        try:
            if type == "run.starting":
                run.begin()
            else:
                run.apply(Draft(type, 1.0, {"name": "t", "tasks": []}), seq)
        except IllegalTransition:
            continue
        assert was_live
        finals += type in FINAL_TYPES
    assert finals == (0 if run.live else 1)


@examples(100, 5_000)
@given(st.lists(st.sampled_from(TYPES), max_size=40))
def test_a_run_restored_from_its_snapshot_tells_the_same(types: list[str]) -> None:
    run = Run("r", "default", created=0.0)
    run.begin()
    for seq, type in enumerate(types, 1):
        if run.allows(type):
            data = {"name": "t", "usage": {"prompt_tokens": 2}}
            run.apply(Draft(type, 1.0, data, task="t", cause=f"c-{seq // 2}"), seq)
    record = run.record(epoch="e", seq=9)
    restored = Run.restore(orjson.loads(orjson.dumps(record)))
    assert restored.record(epoch="e", seq=9) == record
    if run.live:
        assert restored == run


@examples(100, 5_000)
@given(st.lists(st.sampled_from(TYPES), max_size=40), st.integers(0, 40))
def test_a_fork_goes_ahead_without_its_original(types: list[str], at: int) -> None:
    run = Run("r", "default", created=0.0)
    run.begin()
    for seq, type in enumerate(types, 1):
        if not run.allows(type):
            continue
        event = Draft(type, 1.0, {"name": f"t{seq % 3}", "input": "i"}, task="t0", cause="c")
        before = run.record(epoch="e", seq=seq)
        fork = run.fork()
        fork.apply(event, seq)
        assert run.record(epoch="e", seq=seq) == before
        run.become(fork)


CREW = {"model": "m", "tasks": [{"name": n, "agent": "a"} for n in ("one", "two", "three")]}


def told(*events: tuple[str, dict[str, Any]], attempt: int = 1) -> Run:
    """A run of three tasks, begun, and what it told then; seq counts from 2."""
    run = Run("r", "default", created=0.0)
    run.begin()
    run.apply(Draft("run.started", 1.0, {**CREW, "attempt": attempt}), 1)
    for seq, (type, data) in enumerate(events, 2):
        run.apply(Draft(type, 1.0, data, task=data.get("task"), cause=data.get("cause")), seq)
    return run


def test_another_attempt_keeps_the_finished_tasks_and_supersedes_the_unfinished_one() -> None:
    run = told(
        ("task.started", {"name": "one"}),
        ("task.completed", {"name": "one", "output": "1"}),
        ("task.started", {"name": "two"}),
        ("llm.delta", {}),
    )
    assert run.kept() == [{"tid": "one", "name": "one", "output": "1"}]
    assert run.superseded(5) == [4, 5]


def test_a_task_finished_behind_an_unfinished_one_is_begun_again() -> None:
    run = told(
        ("task.started", {"name": "one"}),
        ("task.started", {"name": "two"}),
        ("task.completed", {"name": "two", "output": "2"}),
    )
    assert run.kept() == []
    assert run.superseded(4) == [2, 4]


def test_between_two_tasks_nothing_is_superseded() -> None:
    run = told(("task.started", {"name": "one"}), ("task.completed", {"name": "one", "output": ""}))
    assert run.kept() == [{"tid": "one", "name": "one", "output": ""}]
    assert run.superseded(3) is None


def test_of_a_flow_everything_is_begun_again() -> None:
    run = Run("r", "default", created=0.0)
    run.begin()
    assert run.superseded(0) is None
    run.apply(Draft("run.started", 1.0, {"model": "m", "attempt": 1, "tasks": []}), 1)
    assert run.superseded(1) is None
    run.apply(Draft("task.started", 1.0, {"name": "one"}), 2)
    run.apply(Draft("task.completed", 1.0, {"name": "one", "output": "1"}), 3)
    assert run.kept() == []
    assert run.superseded(3) == [2, 3]


def test_another_attempt_is_told_what_still_counts_of_what_was_asked() -> None:
    run = told(
        ("task.started", {"name": "one"}),
        ("run.modifying", {"instruction": "only for one", "cause": "c1"}),
        ("run.modified", {"instruction": "only for one", "cause": "c1", "task": "one"}),
        ("run.modifying", {"inputs": {"a": 1}, "cause": "c2"}),
        ("run.modifying", {"task": "two", "description": "d", "cause": "c3"}),
        ("run.modifying", {"task": "three", "description": "e", "cause": "c4"}),
        ("task.completed", {"name": "one", "output": "1"}),
        ("run.modified", {"inputs": {"a": 1}, "cause": "c2"}),
        ("run.modified", {"task": "two", "description": "d", "cause": "c3"}),
        ("task.started", {"name": "two"}),
        ("run.modifying", {"instruction": "for whoever comes", "cause": "c5"}),
    )
    told_again = [(change.cause, change.applied) for change in run.outstanding()]
    assert told_again == [("c2", True), ("c3", True), ("c4", False), ("c5", False)]
    assert run.unapplied() == ["c4", "c5"]
    run.apply(Draft("task.completed", 1.0, {"name": "two", "output": "2"}), 13)
    assert [change.cause for change in run.outstanding()] == ["c2", "c4", "c5"]


def test_a_question_is_void_once_another_attempt_begins() -> None:
    run = told(("input.requested", {"input": "in_1_1", "prompt": "?"}))
    assert run.state == "waiting"
    run.begin()
    assert (run.state, run.input) == ("starting", None)


def test_usage_is_summed_over_the_calls() -> None:
    run = fold(VECTORS[0]["events"])
    run.state = "running"
    for seq in range(3):
        usage = {"prompt_tokens": 10, "completion_tokens": 5}
        run.apply(Draft("llm.completed", 1.0, {"call": "c", "usage": usage}), seq)
    run.apply(Draft("llm.completed", 1.0, {"call": "c", "usage": None}), 4)
    assert run.usage == {"prompt_tokens": 30, "completion_tokens": 15, "calls": 4}


def _allowed(state: State, type: str) -> bool:
    try:
        step(state, type)
    except IllegalTransition:
        return False
    return True
