"""Where each thing of a nested crew is told to have happened, on real crews."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.openai_server import OpenAIServer, Script
from tests.worker.executions import outputs, path, well_formed
from tests.worker.harness import Child, spec_for

TARGETS = "tests.worker.nested"
Fact = dict[str, Any]
OF_THE_CREW = ("task.", "agent.", "llm.", "tool.", "step", "crew.", "flow.", "method.")


def run(worker: Child, directory: Path, target: str, **more: Any) -> str:
    """Runs it to its end; its output."""
    last = worker.run(spec_for(directory, "tea", target=f"{TARGETS}:{target}", **more))
    assert last["type"] == "run.completed", last
    return str(last["data"]["output"])


def test_parallel_branches_of_a_flow_do_not_mix(worker: Child, tmp_path: Path) -> None:
    run(worker, tmp_path, "Branches")
    well_formed(worker)
    who = sorted(agent for _, agent in outputs(worker))
    assert who == ["Judge", "Judge", "Left", "Right"]
    for fact in worker.of("task.started"):
        crew = f"{fact['agent']}'s crew"
        method = {"Left": "left", "Right": "right", "Judge": "decide"}[fact["agent"]]
        assert path(worker, fact["tid"]) == ["Branches", method, crew, "work"]
        assert fact["method"] == method


def test_methods_are_told_with_the_route_of_routers(worker: Child, tmp_path: Path) -> None:
    output = run(worker, tmp_path, "Branches")
    told = [
        (fact["data"]["name"], fact["data"].get("route")) for fact in worker.of("method.completed")
    ]
    assert set(told[:2]) == {("left", None), ("right", None)}
    assert told[2:] == [("join", None), ("decide", "again"), ("decide", "done"), ("finish", None)]
    (flow,) = worker.of("flow.completed")
    assert flow["data"] == {"name": "Branches", "output": output}
    assert worker.of("run.started")[0]["data"]["tasks"] == []


def test_a_models_call_of_a_methods_own_is_told_in_that_method(
    worker: Child, tmp_path: Path
) -> None:
    output = run(worker, tmp_path, "Branches")
    said = [fact for fact in worker.of("llm.delta") if fact.get("task") is None]
    assert "".join(fact["data"]["text"] for fact in said) == output
    assert {fact["method"] for fact in said} == {"finish"}
    assert path(worker, said[0]["tid"]) == ["Branches", "finish"]


@pytest.mark.parametrize(
    ("target", "method", "authors"),
    [
        ("Parallel", "chapters", ["Author 0", "Author 1", "Author 2"]),
        ("ForEach", "items", ["Writer"] * 3),
    ],
)
def test_crews_of_one_method_are_executions_of_their_own(
    worker: Child, tmp_path: Path, target: str, method: str, authors: list[str]
) -> None:
    run(worker, tmp_path, target)
    well_formed(worker)
    assert sorted(agent for _, agent in outputs(worker)) == authors
    crews = {fact["tid"]: fact for fact in worker.of("crew.started")}
    assert len(crews) == 3
    for fact in worker.of("task.started"):
        assert path(worker, fact["tid"]) == [
            target,
            method,
            crews[fact["in"]]["data"]["name"],
            "work",
        ]
        assert crews[fact["in"]]["data"]["tasks"] == [
            {"name": "work", "agent": fact["agent"], "tid": fact["tid"]}
        ]


def test_crews_in_the_users_threads_are_heard_whole_and_in_order(
    worker: Child, tmp_path: Path
) -> None:
    run(worker, tmp_path, "Threads")
    well_formed(worker)
    assert sorted(agent for _, agent in outputs(worker)) == ["One", "Three", "Two"]


def test_a_flow_in_a_flow_is_inside_the_method_that_runs_it(worker: Child, tmp_path: Path) -> None:
    run(worker, tmp_path, "Outer")
    well_formed(worker)
    (task,) = worker.of("task.started")
    wanted = ["Outer", "inner", "Inner", "write", "Writer's crew", "work"]
    assert path(worker, task["tid"]) == wanted


def test_a_method_that_fails_is_told_with_its_flow(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, target=f"{TARGETS}:Broken"))
    assert last["type"] == "run.failed"
    types = [fact["type"] for fact in worker.facts if fact["type"].startswith(OF_THE_CREW)]
    assert types == ["flow.started", "method.started", "method.failed", "flow.failed"]
    assert worker.of("method.failed")[0]["data"] == {"name": "breaks", "error": "no tea today"}


@pytest.mark.parametrize("target", ["asks_a_critic", "asks_in_a_thread"])
def test_a_crew_in_a_tool_shares_no_task_with_the_one_that_called_it(
    worker: Child, tmp_path: Path, target: str
) -> None:
    output = run(worker, tmp_path, target)
    well_formed(worker)
    ((outer, _),) = [one for one in outputs(worker) if one[1] == "Poet"]
    ((inner, _),) = [one for one in outputs(worker) if one[1] == "Critic"]
    assert worker.of("run.started")[0]["data"]["tasks"][0]["tid"] == outer == "1.1"
    names = [fact["data"]["name"] for fact in worker.of("task.completed")]
    assert names == ["task_1", "task_1"]
    assert worker.of("task.completed")[-1]["data"]["output"] == output
    if target == "asks_a_critic":  # a thread knows nothing of the tool that began it
        assert path(worker, inner) == ["task_1", "Critic's crew", "task_1"]


def planned_in_the_journal(directory: Path) -> list[Fact]:
    """Its lines of tasks of the run's own crew; other crews are in it by what was asked of them."""
    lines = (directory / "run" / "journal.ndjson").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if "tid" in entry]


def test_only_tasks_of_the_runs_own_crew_are_kept_by_their_tid(
    worker: Child, tmp_path: Path
) -> None:
    output = run(worker, tmp_path, "asks_a_critic")
    assert planned_in_the_journal(tmp_path) == [{"tid": "1.1", "output": output}]


@pytest.mark.parametrize("target", ["managed", "delegates"])
def test_delegated_work_stands_under_who_does_it_and_for_which_task(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path, target: str
) -> None:
    order = {"task": "Write it", "context": "A brief", "coworker": "Helper"}
    openai_server.script = Script(tool_first=True, tool_arguments=order)
    run(openai_worker, tmp_path, target)
    calls = [(fact["agent"], fact["task"], fact["tid"]) for fact in openai_worker.of("llm.started")]
    assert calls == [(who, "deliver", "1.1") for who in ("Boss", "Helper", "Boss")]
    assert len(openai_server.requests) == 3
    agents = [
        (f["type"], f["agent"]) for f in openai_worker.facts if f["type"].startswith("agent.")
    ]
    assert agents == [
        ("agent.started", "Boss"),
        ("agent.started", "Helper"),
        ("agent.completed", "Helper"),
        ("agent.completed", "Boss"),
    ]
    (done,) = openai_worker.of("tool.completed")
    assert (done["agent"], done["task"], done["tid"]) == ("Boss", "deliver", "1.1")


def test_an_agent_has_one_label_whatever_tells_of_it(worker: Child, tmp_path: Path) -> None:
    run(worker, tmp_path, "folded_role")
    labels = {fact["agent"] for fact in worker.facts if "agent" in fact}
    labels |= {task["agent"] for task in worker.of("run.started")[0]["data"]["tasks"]}
    labels |= {fact["data"]["role"] for fact in worker.of("agent.started")}
    assert labels == {"Writer"}
    assert worker.of("tool.started")


def test_a_crews_planner_is_none_of_its_tasks(worker: Child, tmp_path: Path) -> None:
    run(worker, tmp_path, "plans")
    well_formed(worker)
    started = worker.of("run.started")[0]["data"]["tasks"]
    assert [(task["name"], task["tid"]) for task in started] == [
        ("first", "1.1"),
        ("second", "1.2"),
    ]
    told = [(fact["data"]["name"], fact["tid"]) for fact in worker.of("task.started")]
    assert told == [("planning", "1.3"), ("first", "1.1"), ("second", "1.2")]
    assert [entry["tid"] for entry in planned_in_the_journal(tmp_path)] == ["1.1", "1.2"]


def test_crews_in_the_users_threads_stand_still_and_stop_like_any(
    worker: Child, tmp_path: Path
) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:SlowThreads"))
    writing: set[str] = set()
    while writing != {"One", "Two"}:
        writing.add(worker.until("llm.delta")["agent"])
    worker.order(order="pause", cause="c-p")
    assert worker.until("run.paused")["data"] == {"boundary": "token"}
    assert worker.silent(0.5)
    worker.order(order="resume", cause="c-r")
    worker.until("llm.delta")
    worker.order(order="cancel", cause="c-c")
    last = worker.rest()
    assert (last["type"], last["cause"]) == ("run.cancelled", "c-c")
