"""`SIDECAR_CREW`: the user's own Python crews."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker.harness import Child, spec_for

TARGETS = "tests.worker.targets"
ENTRIES = "tests.worker.entries"


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


def planned(child: Child) -> list[tuple[str, str]]:
    tasks = child.of("run.started")[0]["data"]["tasks"]
    return [(task["name"], task["agent"]) for task in tasks]


def say(child: Child) -> str:
    return "".join(fact["data"]["text"] for fact in child.of("llm.delta"))


@pytest.mark.parametrize(
    "target",
    ["an_async_factory", "with_inputs", "with_keywords", "with_a_name", "Plain", "a_class"],
)
def test_a_factory_gets_the_inputs_that_it_takes(
    worker: Child, tmp_path: Path, target: str
) -> None:
    last = worker.run(spec_for(tmp_path, "tulips", target=f"{ENTRIES}:{target}"))
    assert last["type"] == "run.completed", last
    assert "tulips" in last["data"]["output"]
    assert planned(worker) == [("first", "Writer")]


@pytest.mark.parametrize(
    "way", ["", "_among_inputs", "_among_others", "_by_name", "_and_a_callback"]
)
@pytest.mark.parametrize(("given", "seen"), [({}, "<>"), ({"history": "ships"}, "<ships>")])
def test_what_was_said_before_is_there_and_is_nothing_without_a_thread(
    worker: Child, tmp_path: Path, way: str, given: dict[str, Any], seen: str
) -> None:
    target = f"{ENTRIES}:with_a_history{way}"
    last = worker.run(spec_for(tmp_path, target=target, inputs={"message": "tulips", **given}))
    assert last["type"] == "run.completed", last
    assert f"tulips after {seen}" in last["data"]["output"]


@pytest.mark.parametrize(
    ("target", "given", "output"),
    [
        ("Chat", "ships", "on tulips after <ships>"),
        ("Chat", None, "on tulips after <none>"),
        ("StrictFlow", "ships", "on tulips"),
        ("ListedFlow", "ships", "on tulips after []"),
        ("ListedFlow", ["ships"], "on tulips after ['ships']"),
        ("Free", "ships", "on tulips after []"),
    ],
)
def test_a_flow_is_given_what_was_said_before_as_far_as_its_state_takes_it(
    worker: Child, tmp_path: Path, target: str, given: Any, output: str
) -> None:
    inputs = {"message": "tulips", **({} if given is None else {"history": given})}
    last = worker.run(spec_for(tmp_path, target=f"{ENTRIES}:{target}", inputs=inputs))
    assert last["type"] == "run.completed", last
    assert last["data"]["output"] == output


def test_an_agent_alone_hears_what_was_said_before_and_then_its_brief(
    worker: Child, tmp_path: Path
) -> None:
    inputs = {"message": "tulips", "history": "User: roses\n\nCrew: Red."}
    last = worker.run(spec_for(tmp_path, target=f"{ENTRIES}:an_agent", inputs=inputs))
    assert last["data"]["output"].startswith(
        "[offline model] Writer on “tulips”.\n\nYou asked before: roses.\n\n"
    )


def test_an_agent_is_asked_the_brief(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, "tulips", target=f"{ENTRIES}:an_agent"))
    assert last["type"] == "run.completed", last
    assert last["data"]["output"] == say(worker)
    assert "tulips" in say(worker)


@pytest.mark.parametrize(
    ("target", "output"),
    [("kicks_off", "{}"), ("kicks_off_silently", "{}"), ("kicks_off_later", "wrapped: {}")],
)
def test_a_function_that_kicks_off_by_itself_is_heard_from_its_first_line(
    worker: Child, tmp_path: Path, target: str, output: str
) -> None:
    last = worker.run(spec_for(tmp_path, "tulips", target=f"{ENTRIES}:{target}"))
    assert last["type"] == "run.completed", last
    types = [fact["type"] for fact in worker.facts if fact["type"] != "log"]
    assert types[1] == "run.started"
    assert {"task.started", "llm.delta", "task.completed"} <= set(types)
    assert planned(worker) == [("first", "Writer")]
    assert "tulips" in say(worker)
    assert last["data"]["output"] == output.format(say(worker))


def test_so_is_one_that_kicks_off_a_flow(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, "tulips", target=f"{ENTRIES}:kicks_off_a_flow"))
    types = [fact["type"] for fact in worker.facts if fact["type"] != "log"]
    assert types[1] == "run.started"
    assert {"flow.started", "method.completed"} <= set(types)
    assert last["type"] == "run.completed"


def test_what_such_a_function_raises_is_its_own(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, target=f"{ENTRIES}:kicks_off_and_fails"))
    assert last["data"]["error"] == {
        "code": "error",
        "message": "RuntimeError: nowhere to put it",
    }


def test_such_a_function_stops_at_its_next_token(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{ENTRIES}:kicks_off_silently"))
    worker.until("llm.delta")
    worker.order(order="cancel", cause="c-1")
    assert worker.rest()["type"] == "run.cancelled"
    assert not worker.of("task.completed")


def test_the_one_text_that_a_crew_wants_is_the_brief(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, "tulips", target=f"{ENTRIES}:one_text"))
    assert "tulips" in last["data"]["output"], last


def test_inputs_that_are_wanted_and_were_not_sent_are_named(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, target=f"{ENTRIES}:two_texts"))
    assert last["data"]["error"] == {
        "code": "bad_crew",
        "message": "this crew wants {subject}, {reader}; you sent {message}",
    }


def test_what_a_crew_adds_itself_is_not_missing(worker: Child, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, target=f"{ENTRIES}:with_a_callback", inputs={"subject": "tulips"})
    assert worker.run(spec)["type"] == "run.completed"


def test_a_flow_with_a_typed_state_gets_its_fields(worker: Child, tmp_path: Path) -> None:
    spec = spec_for(tmp_path, target=f"{ENTRIES}:Typed", inputs={"user_input": "tulips"})
    assert worker.run(spec)["data"]["output"] == "on tulips"


def test_a_mistake_in_a_users_file_is_told_with_its_line(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, target="tests.worker.broken_target:x"))
    assert last["data"]["error"]["message"].endswith("(tests/worker/broken_target.py, line 3)")
