"""`SIDECAR_CREW`: the user's own Python crews."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.worker.harness import Child, spec_for

TARGETS = "tests.worker.targets"


@pytest.mark.parametrize(
    ("target", "task"),
    [
        ("a_function", "first"),
        ("a_crew", "first"),
        ("Decorated", "write"),
        ("Remembering", "first"),
    ],
)
def test_each_kind_of_target_runs_and_streams(
    worker: Child, tmp_path: Path, target: str, task: str
) -> None:
    last = worker.run(spec_for(tmp_path, "tulips", target=f"{TARGETS}:{target}"))
    assert last["type"] == "run.completed", last
    output = worker.of("task.completed")[0]["data"]["output"]
    text = "".join(fact["data"]["text"] for fact in worker.of("llm.delta"))
    assert text == output
    assert "tulips" in output
    wrapped = f"wrapped: {output}" if target == "Remembering" else output
    assert last["data"]["output"] == wrapped
    assert worker.of("task.started")[0]["task"] == task
    known = [] if target == "Remembering" else [{"name": task, "agent": "Writer", "tid": "1.1"}]
    assert worker.of("run.started")[0]["data"]["tasks"] == known
    assert len(worker.of("agent.started")) == 1


def test_unnamed_tasks_get_names_of_their_own(worker: Child, tmp_path: Path) -> None:
    worker.run(spec_for(tmp_path, target=f"{TARGETS}:unnamed"))
    names = [task["name"] for task in worker.of("run.started")[0]["data"]["tasks"]]
    assert names == ["task_1", "task_2"]
    assert [fact["task"] for fact in worker.of("task.completed")] == names


def test_the_users_step_callback_is_kept(worker: Child, tmp_path: Path) -> None:
    worker.run(spec_for(tmp_path, target=f"{TARGETS}:with_callback"))
    said = "\n".join(fact["data"]["text"] for fact in worker.of("log"))
    assert "mine saw AgentFinish" in said
    assert [fact["data"]["tool"] for fact in worker.of("step")] == ["shout", None]


def test_a_react_step_is_told_once(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, target=f"{TARGETS}:talks_react"))
    assert last["data"] == {"output": "SPRING"}
    first, second = (fact["data"] for fact in worker.of("step"))
    assert (first["tool"], first["result"], first["thought"]) == (
        "shout",
        "SPRING",
        "Thought: louder",
    )
    assert (second["tool"], second["output"]) == (None, "SPRING")


def test_crewais_default_model_without_a_key_becomes_the_offline_one(
    worker: Child, tmp_path: Path
) -> None:
    last = worker.run(spec_for(tmp_path, target=f"{TARGETS}:no_model"))
    assert last["type"] == "run.completed", last
    assert last["data"]["output"].startswith("[offline model]")
    assert worker.of("run.started")[0]["data"]["model"] == "offline"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("tests.worker.nothing:crew", "there is no module 'tests.worker.nothing'"),
        (f"{TARGETS}:nothing", f"'{TARGETS}' has no 'nothing'"),
        (f"{TARGETS}:not_a_crew", f"{TARGETS}:not_a_crew is a int; it must be a @CrewBase class"),
        (f"{TARGETS}:returns_nothing", f"{TARGETS}:returns_nothing is None; it must be"),
        (f"{TARGETS}:raises", f"{TARGETS}:raises failed to make a crew: ValueError: no luck today"),
        (
            "tests.worker.broken_target:x",
            "importing 'tests.worker.broken_target' failed: NameError",
        ),
        ("no_colon", "'no_colon' must look like package.module:attribute"),
    ],
)
def test_a_target_that_is_no_crew_says_why(
    worker: Child, tmp_path: Path, target: str, message: str
) -> None:
    last = worker.run(spec_for(tmp_path, target=target))
    assert last["type"] == "run.failed"
    assert last["data"]["error"]["code"] == "bad_crew"
    assert message in last["data"]["error"]["message"]
