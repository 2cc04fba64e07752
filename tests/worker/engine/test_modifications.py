"""Modifications of a run in a worker, seen from the model's side: what a real server was sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sidecar.channel import RunSpec
from tests.support.openai_server import OpenAIServer, Script
from tests.worker.harness import Child, spec_for

TARGETS = "tests.worker.targets"
INSTRUCTION = "Mention the word lighthouse."
TASKS = ("create_content_plan", "analyze_sentiment", "research_trends")
TOKENS = tuple(f"word{number} " for number in range(40))
SLOW = Script(TOKENS, delay=0.01, slow_call=1)
"""The first reply takes 0.4 s, so that what is ordered comes while it is written."""


def modify(child: Child, cause: str = "c-m", **change: Any) -> None:
    child.order(order="modify", cause=cause, change=change)


def counts(server: OpenAIServer, text: str = INSTRUCTION) -> list[int]:
    """How often each request's messages contain `text`."""
    needle = json.dumps(text)[1:-1]
    return [json.dumps(one["body"]["messages"]).count(needle) for one in server.requests]


def modified(child: Child) -> list[tuple[str, dict[str, Any]]]:
    return [(fact["cause"], fact["data"]) for fact in child.of("run.modified")]


def begin_to_write(child: Child, server: OpenAIServer, spec: RunSpec) -> None:
    """Start a run; its first reply, which is slow, is being written then."""
    server.script = SLOW
    child.start(spec)
    child.until("llm.delta")


def between_pauses(child: Child) -> None:
    """Stand still in the reply that is being written, so that what follows has an order."""
    child.order(order="pause", cause="c-p")
    child.until("run.paused")


def modify_in_a_pause(child: Child, **change: Any) -> None:
    between_pauses(child)
    modify(child, **change)
    assert child.silent(0.5)
    child.order(order="resume")


def test_an_instruction_is_in_the_next_call_and_stays_in_that_conversation(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(TOKENS, delay=0.01, slow_call=2, tool_first=True)
    openai_worker.start(spec_for(tmp_path, review=["research_trends"]))
    openai_worker.until("task.started", name="analyze_sentiment")
    openai_worker.until("llm.delta")
    modify(openai_worker, instruction=INSTRUCTION)
    fact = openai_worker.until("run.modified")
    assert (fact["task"], fact["agent"]) == ("research_trends", "Trend Researcher")
    question = openai_worker.until("input.requested")["data"]["input"]
    openai_worker.order(order="answer", cause="c-a", input=question, text="Shorter.")
    question = openai_worker.until("input.requested")["data"]["input"]
    openai_worker.order(order="answer", cause="c-a", input=question, text="")
    assert openai_worker.rest()["type"] == "run.completed"
    # The tool's call, the answer after it, and the answer after the feedback.
    assert counts(openai_server) == [0, 0, 1, 1, 1]
    assert modified(openai_worker) == [
        ("c-m", {"instruction": INSTRUCTION, "applied": "model_call"})
    ]


def test_an_instruction_is_kept_when_a_guardrail_has_the_task_done_again(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    begin_to_write(openai_worker, openai_server, spec_for(tmp_path, target=f"{TARGETS}:guarded"))
    modify(openai_worker, instruction=INSTRUCTION)
    assert openai_worker.rest()["type"] == "run.completed"
    assert counts(openai_server) == [0, 1, 1]
    assert len(modified(openai_worker)) == 1


def test_the_offline_model_hears_an_instruction(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path))
    worker.until("llm.delta")
    modify(worker, instruction=INSTRUCTION)
    assert worker.until("run.modified")["task"] == "analyze_sentiment"
    assert worker.rest()["type"] == "run.completed"
    said = f"You asked for: {INSTRUCTION}"
    assert [said in worker.text(name) for name in TASKS] == [False, True, False]


def test_several_instructions_come_in_the_order_they_were_given(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    begin_to_write(openai_worker, openai_server, spec_for(tmp_path))
    for number in range(3):
        modify(openai_worker, f"c-{number}", instruction=f"Instruction {number}.")
    openai_worker.rest()
    last = openai_server.requests[1]["body"]["messages"][-3:]
    assert last == [{"role": "user", "content": f"Instruction {n}."} for n in range(3)]
    assert [cause for cause, _ in modified(openai_worker)] == ["c-0", "c-1", "c-2"]


def test_an_instruction_given_during_a_pause_is_applied_after_it(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    begin_to_write(openai_worker, openai_server, spec_for(tmp_path))
    modify_in_a_pause(openai_worker, instruction=INSTRUCTION)
    openai_worker.rest()
    assert counts(openai_server) == [0, 1, 0]


def test_an_instruction_that_comes_too_late_is_not_told_as_applied(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(TOKENS, delay=0.01, slow_call=3)
    openai_worker.start(spec_for(tmp_path))
    openai_worker.until("task.started", name="research_trends")
    openai_worker.until("llm.delta")
    modify(openai_worker, instruction=INSTRUCTION)
    assert openai_worker.rest()["type"] == "run.completed"
    assert counts(openai_server) == [0, 0, 0]
    assert modified(openai_worker) == []


@pytest.mark.parametrize("tool_first", [False, True], ids=["an-answer", "a-tool-call"])
def test_now_cuts_the_reply_off_and_asks_again(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path, tool_first: bool
) -> None:
    arguments = {"text": " ".join(TOKENS)}
    openai_server.script = Script(TOKENS, 0.02, 3, tool_first, arguments)
    openai_worker.start(spec_for(tmp_path))
    openai_worker.until("task.started", name="research_trends")
    openai_worker.until("llm.delta")
    first = openai_worker.facts[-1]["data"]["call"]
    modify(openai_worker, instruction=INSTRUCTION, now=True)
    failed = openai_worker.until("llm.failed")
    assert failed["data"]["call"] == first
    assert "cut off" in failed["data"]["error"]
    assert [next(iter(openai_worker))["type"] for _ in range(2)] == ["run.modified", "llm.started"]
    last = openai_worker.rest()
    assert last["type"] == "run.completed", last
    assert last["data"]["output"] == "".join(TOKENS)
    # Two tasks before; then the cut call, the same again, and the answer after the tool.
    assert counts(openai_server) == [0, 0, 0, 1, *([1] if tool_first else [])]
    assert modified(openai_worker) == [
        ("c-m", {"instruction": INSTRUCTION, "now": True, "applied": "model_call"})
    ]
    failures = ("agent.failed", "task.failed", "run.failed")
    assert [fact for fact in openai_worker.facts if fact["type"] in failures] == []


def test_now_cuts_the_offline_model_off_as_well(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:slow_model"))
    for number in range(3):
        worker.until("llm.delta")
        modify(worker, f"c-{number}", instruction=f"Again {number}.", now=True)
        worker.until("llm.failed")
        assert worker.until("run.modified")["cause"] == f"c-{number}"
    worker.until("llm.delta")
    worker.order(order="cancel", cause="c-9")
    assert worker.rest()["type"] == "run.cancelled"


def test_now_without_a_reply_being_written_waits_for_the_next_call(
    worker: Child, tmp_path: Path
) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:slow_tool"))
    worker.until("log", text="begun")
    modify(worker, instruction=INSTRUCTION, now=True)
    assert worker.rest()["type"] == "run.completed"
    assert worker.of("llm.failed") == []
    assert len(modified(worker)) == 1


def test_now_during_a_pause_cuts_off_when_it_ends(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    begin_to_write(openai_worker, openai_server, spec_for(tmp_path))
    modify_in_a_pause(openai_worker, instruction=INSTRUCTION, now=True)
    assert openai_worker.rest()["type"] == "run.completed"
    assert counts(openai_server) == [0, 1, 0, 0]
    assert len(openai_worker.of("llm.failed")) == 1


def test_a_new_description_is_what_the_model_sees(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    begin_to_write(openai_worker, openai_server, spec_for(tmp_path, "teapots"))
    old = "Judge the tone of the content plan"
    change = {"task": "analyze_sentiment", "description": "Sing of {message}, {unknown} too."}
    modify(openai_worker, "c-1", **{**change, "description": "Overtaken."})
    modify(openai_worker, "c-2", **change)
    modify(openai_worker, "c-3", task="create_content_plan", description="Too late.")
    assert openai_worker.rest()["type"] == "run.completed"
    assert counts(openai_server, "Sing of teapots, {unknown} too.") == [0, 1, 0]
    for text in (old, "Overtaken.", "Too late."):
        assert counts(openai_server, text) == [0, 0, 0]
    assert modified(openai_worker) == [("c-2", {**change, "applied": "task"})]
    assert openai_worker.of("run.modified")[0]["task"] == "analyze_sentiment"


def test_new_inputs_are_filled_into_the_tasks_to_come(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = SLOW
    inputs = {"message": "teapots", "reader": "children"}
    target = f"{TARGETS}:hosted"
    openai_worker.start(spec_for(tmp_path, inputs=inputs, target=target))
    openai_worker.until("llm.delta")
    modify(openai_worker, "c-1", inputs={"message": "kettles"})
    modify(openai_worker, "c-2", inputs={"reader": "sailors"})
    assert openai_worker.rest()["type"] == "run.completed"
    assert counts(openai_server, "draft on teapots for children") == [1, 0]
    assert counts(openai_server, "polish on kettles for sailors") == [0, 1]
    assert counts(openai_server, "Text about kettles") == [0, 1]
    assert counts(openai_server, "Knows sailors.") == [0, 1]
    # Its role is the agent's name to the outside, and stays.
    assert {fact["agent"] for fact in openai_worker.of("agent.started")} == {"Writer for children"}
    assert modified(openai_worker) == [
        ("c-1", {"inputs": {"message": "kettles"}, "applied": "task"}),
        ("c-2", {"inputs": {"reader": "sailors"}, "applied": "task"}),
    ]


def test_new_inputs_hold_for_every_later_task(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    begin_to_write(openai_worker, openai_server, spec_for(tmp_path, "teapots"))
    modify(openai_worker, inputs={"message": "kettles {message}"})
    assert openai_worker.rest()["type"] == "run.completed"
    assert counts(openai_server, "<brief>\nteapots\n</brief>") == [1, 0, 0]
    assert counts(openai_server, "<brief>\nkettles {message}\n</brief>") == [0, 1, 1]
    assert len(modified(openai_worker)) == 1


def test_a_crew_on_an_event_loop_is_steered_like_any_other(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = SLOW
    inputs = {"message": "teapots", "reader": "children"}
    target = f"{TARGETS}:Asynchronous"
    openai_worker.start(spec_for(tmp_path, inputs=inputs, target=target, review=["draft"]))
    openai_worker.until("llm.delta")
    between_pauses(openai_worker)
    assert openai_worker.silent(0.5)
    modify(openai_worker, "c-1", instruction=INSTRUCTION, now=True)
    modify(openai_worker, "c-2", inputs={"message": "kettles"})
    openai_worker.order(order="resume")
    for text in ("Shorter.", ""):
        question = openai_worker.until("input.requested")["data"]["input"]
        openai_worker.order(order="answer", cause="c-a", input=question, text=text)
    last = openai_worker.rest()
    assert last["type"] == "run.completed", last
    # The cut call, the same again, the revision, and the second task.
    assert counts(openai_server) == [0, 1, 1, 0]
    assert counts(openai_server, "polish on kettles for children") == [0, 0, 0, 1]
    assert [cause for cause, _ in modified(openai_worker)] == ["c-1", "c-2"]


@pytest.mark.parametrize("by", ["name", "tid"])
def test_an_instruction_for_one_task_reaches_no_other(
    worker: Child, tmp_path: Path, by: str
) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:parallel"))
    worker.until("task.started", name="task_2")
    tasks = {task["name"]: task[by] for task in worker.of("run.started")[0]["data"]["tasks"]}
    modify(worker, "c-3", instruction="Third.", task=tasks["task_3"])
    modify(worker, "c-2", instruction="Second.", task=tasks["task_2"], now=True)
    assert worker.rest()["type"] == "run.completed"
    said = {
        name: [text for text in ("Second.", "Third.") if f"asked for: {text}" in worker.text(name)]
        for name in tasks
    }
    assert said == {"task_1": [], "task_2": ["Second."], "task_3": ["Third."]}
    assert [(fact["task"], fact["cause"]) for fact in worker.of("run.modified")] == [
        ("task_2", "c-2"),
        ("task_3", "c-3"),
    ]


def test_a_task_of_a_flow_s_crew_is_changed_before_it_starts(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = SLOW
    inputs = {"message": "teapots", "reader": "children"}
    openai_worker.start(spec_for(tmp_path, inputs=inputs, target=f"{TARGETS}:Asynchronous"))
    openai_worker.until("llm.delta")
    modify(openai_worker, task="polish", description="Sing of {message}.")
    assert openai_worker.rest()["type"] == "run.completed"
    assert counts(openai_server, "Sing of teapots.") == [0, 1]
