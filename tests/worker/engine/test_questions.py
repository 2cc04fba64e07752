"""Questions to a person, from a run in a worker."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from sidecar.channel import now_ms
from tests.support.openai_server import OpenAIServer
from tests.worker.harness import Child, spec_for

TARGETS = "tests.worker.targets"
FIRST = "create_content_plan"


def asked(child: Child) -> dict[str, Any]:
    """The next question."""
    data: dict[str, Any] = child.until("input.requested")["data"]
    assert data.keys() - {"method"} == {"input", "prompt", "output", "expires"}
    return data


def answer(child: Child, question: str, text: str) -> None:
    child.order(order="answer", cause="c-a", input=question, text=text)


def test_a_reviewed_task_asks_and_goes_on_when_it_is_accepted(
    worker: Child, tmp_path: Path
) -> None:
    worker.start(spec_for(tmp_path, review=[FIRST]))
    fact = worker.until("input.requested")
    assert (fact["task"], fact["agent"]) == (FIRST, "Content Planner")
    assert fact["data"]["output"] == worker.text()
    assert "Content Planner" in fact["data"]["prompt"]
    assert fact["data"]["expires"] is None
    assert worker.silent(0.5)
    answer(worker, fact["data"]["input"], "")
    last = worker.rest()
    assert last["type"] == "run.completed", last
    assert len(worker.of("input.requested")) == 1
    assert worker.of("task.completed")[0]["data"]["output"] == fact["data"]["output"]


def test_a_task_of_the_config_with_human_input_asks(worker: Child, tmp_path: Path) -> None:
    (tmp_path / "agents.yaml").write_text("a: {role: A, goal: B, backstory: C}\n")
    (tmp_path / "tasks.yaml").write_text(
        "t: {description: '{message}', expected_output: E, agent: a, human_input: true}\n"
    )
    worker.start(spec_for(tmp_path, config=str(tmp_path)))
    answer(worker, asked(worker)["input"], " \n")
    assert worker.rest()["type"] == "run.completed"


def test_feedback_makes_the_agent_revise_and_ask_again(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_worker.start(spec_for(tmp_path, review=[FIRST]))
    questions = []
    for text in ("Shorter, please.", "Friendlier, please.", ""):
        questions.append(asked(openai_worker)["input"])
        answer(openai_worker, questions[-1], text)
    last = openai_worker.rest()
    assert last["type"] == "run.completed"
    assert len(set(questions)) == 3
    sent = [json.dumps(one["body"]["messages"]) for one in openai_server.requests]
    assert [text.count("Shorter, please.") for text in sent] == [0, 1, 1, 0, 0]
    assert [text.count("Friendlier, please.") for text in sent] == [0, 0, 1, 0, 0]
    # Every revision is a call of the model's like any other.
    assert [fact["task"] for fact in openai_worker.of("llm.started")][:3] == [FIRST] * 3
    assert len(openai_worker.of("llm.completed")) == 5
    assert len(openai_worker.of("task.completed")) == 3


def test_an_expired_question_is_taken_as_accepted(worker: Child, tmp_path: Path) -> None:
    before = now_ms()
    worker.start(spec_for(tmp_path, review=[FIRST], input_timeout=30.0))
    question = asked(worker)
    assert before + 30_000 <= question["expires"] <= now_ms() + 30_000
    worker.order(order="expire", input=question["input"])
    assert worker.rest()["type"] == "run.completed"


def test_only_the_open_question_can_be_answered(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, review=[FIRST, "analyze_sentiment"]))
    answer(worker, "in_1_1", "before it was asked")
    first = asked(worker)["input"]
    answer(worker, "in_9", "to nothing")
    worker.order(order="expire", input="in_9")
    assert worker.silent(0.5)
    answer(worker, first, "")
    second = asked(worker)["input"]
    answer(worker, first, "to one that was answered")
    assert worker.silent(0.5)
    answer(worker, second, "")
    assert worker.rest()["type"] == "run.completed"
    assert len(worker.of("input.requested")) == 2


@pytest.mark.parametrize("target", [None, f"{TARGETS}:Asking", f"{TARGETS}:Reviewed"])
def test_a_run_that_waits_for_an_answer_can_be_cancelled(
    worker: Child, tmp_path: Path, target: str | None
) -> None:
    review = [] if target else [FIRST]
    worker.start(spec_for(tmp_path, target=target, review=review))
    asked(worker)
    at = time.monotonic()
    worker.order(order="cancel", cause="c-2")
    last = worker.rest()
    assert (last["type"], last["cause"]) == ("run.cancelled", "c-2")
    assert time.monotonic() - at < 0.5
    assert worker.exit_code() == 0


def test_a_pause_while_waiting_takes_hold_after_the_answer(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, review=[FIRST]))
    question = asked(worker)["input"]
    worker.order(order="pause", cause="c-1")
    answer(worker, question, "")
    assert worker.until("run.paused")["data"] == {"boundary": "task"}
    assert worker.of("task.completed") == []
    assert worker.silent(0.5)
    worker.order(order="resume")
    assert worker.rest()["type"] == "run.completed"


@pytest.mark.parametrize("target", [None, f"{TARGETS}:a_function"])
def test_a_review_of_an_unknown_task_names_the_known_ones(
    worker: Child, tmp_path: Path, target: str | None
) -> None:
    last = worker.run(spec_for(tmp_path, target=target, review=["nonsense"]))
    assert last["type"] == "run.failed"
    known = "first" if target else "create_content_plan, analyze_sentiment, research_trends"
    assert last["data"]["error"] == {
        "code": "bad_crew",
        "message": f"review: there is no task 'nonsense'; there are {known}",
    }
    assert worker.of("run.started") == []


def test_a_review_that_a_flow_never_came_to_is_said(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:AFlow", review=["first", "nonsense"]))
    answer(worker, asked(worker)["input"], "")
    assert worker.rest()["type"] == "run.completed"
    said = [fact["data"]["text"] for fact in worker.of("log")]
    assert "nobody was asked about 'nonsense': no task of this name came up" in said


def test_questions_of_parallel_tasks_come_one_at_a_time(worker: Child, tmp_path: Path) -> None:
    target = f"{TARGETS}:parallel"
    worker.start(spec_for(tmp_path, target=target, review=["task_1", "task_2"]))
    first = asked(worker)
    answer(worker, first["input"], "")
    second = asked(worker)
    assert second["input"] != first["input"]
    answer(worker, second["input"], "")
    assert worker.rest()["type"] == "run.completed"
    tasks = {fact["task"] for fact in worker.of("input.requested")}
    assert tasks == {"task_1", "task_2"}


def test_a_crew_in_a_flow_asks_too(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:AFlow", review=["first"]))
    answer(worker, asked(worker)["input"], "")
    assert worker.rest()["type"] == "run.completed"


@pytest.mark.parametrize("text", ["blue", ""])
def test_a_flow_asks(worker: Child, tmp_path: Path, text: str) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:Asking"))
    question = asked(worker)
    assert (question["prompt"], question["output"]) == ("Which colour?", "")
    answer(worker, question["input"], text)
    assert worker.rest()["data"] == {"output": f"asked: {text}"}


@pytest.mark.parametrize("text", ["more colour", ""])
def test_a_flow_has_a_method_reviewed(worker: Child, tmp_path: Path, text: str) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:Reviewed"))
    question = asked(worker)
    assert (question["prompt"], question["output"]) == ("Is it good?", "a draft")
    answer(worker, question["input"], text)
    assert worker.rest()["data"] == {"output": f"a draft, told: {text}"}


def test_a_flow_that_asks_in_vain_goes_on_when_the_gateway_has_heard_of_it(
    worker: Child, tmp_path: Path
) -> None:
    before = now_ms()
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:Impatient"))
    question = worker.until("input.requested")["data"]
    assert question["metadata"] == {"why": "paint"}
    assert before < question["expires"] <= now_ms() + 50
    assert worker.until("input.expired")["data"] == {"input": question["input"]}
    assert worker.silent(0.3)
    worker.order(order="expire", input=question["input"])
    assert worker.rest()["data"] == {"output": "asked: None"}


def test_an_answer_in_the_moment_in_which_a_flow_gives_up_counts(
    worker: Child, tmp_path: Path
) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:Impatient"))
    question = worker.until("input.expired")["data"]["input"]
    answer(worker, question, "blue")
    assert worker.rest()["data"] == {"output": "asked: blue"}


@pytest.mark.parametrize("text", ["blue", ""])
def test_pythons_input_asks_the_browser(worker: Child, tmp_path: Path, text: str) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:FromTheKeyboard"))
    question = asked(worker)
    assert (question["prompt"], question["output"]) == ("Which colour?", "")
    answer(worker, question["input"], text)
    assert worker.rest()["data"] == {"output": f"typed: {text}"}
    printed = "".join(fact["data"]["text"] for fact in worker.of("log"))
    assert "There are two colours." in printed


def test_a_run_that_waits_at_pythons_input_can_be_cancelled(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:FromTheKeyboard"))
    asked(worker)
    worker.order(order="cancel", cause="c-2")
    assert worker.rest()["type"] == "run.cancelled"


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("approved", {"output": '{"published": "yes"}', "json": {"published": "yes"}}),
        ("rejected", {"output": None}),
        ("", {"output": None}),
    ],
)
def test_a_flow_whose_feedback_comes_later_waits_for_it_and_goes_on(
    worker: Child, tmp_path: Path, text: str, last: dict[str, Any]
) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:PutOff"))
    question = worker.until("input.requested")["data"]
    expected = {
        "prompt": "Is it good?",
        "output": '{"draft": "a draft"}',
        "expires": None,
        "options": ["approved", "rejected"],
        "method": "write",
        "metadata": {"who": "the boss"},
    }
    assert {name: question[name] for name in expected} == expected
    answer(worker, question["input"], text)
    assert worker.rest()["data"] == last
