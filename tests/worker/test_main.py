"""One run in a worker, driven over its channel; no gateway."""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from pathlib import Path

import pytest

from sidecar.channel import now_ms
from tests.worker.harness import Child, Zygote, gone, spec_for

TASKS = ["create_content_plan", "analyze_sentiment", "research_trends"]
ROLES = ["Content Planner", "Sentiment Analyst", "Trend Researcher"]
TARGETS = "tests.worker.targets"


def test_a_run_tells_its_whole_story_in_order(either: Child, tmp_path: Path) -> None:
    last = either.run(spec_for(tmp_path))
    assert last["type"] == "run.completed"
    assert either.exit_code() == 0
    types = [fact["type"] for fact in either.facts if fact["type"] != "llm.delta"]
    answered = ["llm.started", "llm.completed", "step", "agent.completed", "task.completed"]
    assert types == [
        "worker.ready",
        "run.started",
        *(["task.started", "agent.started", *answered] * 2),
        *("task.started", "agent.started", "llm.started", "llm.completed"),
        *("tool.started", "tool.completed", "step", *answered),
        "run.completed",
    ]
    started = either.of("run.started")[0]["data"]
    assert started == {
        "model": "offline",
        "attempt": 1,
        "tasks": [
            {"name": name, "agent": role, "tid": f"1.{number}"}
            for number, (name, role) in enumerate(zip(TASKS, ROLES, strict=True), 1)
        ],
    }
    tids = {task["name"]: task["tid"] for task in started["tasks"]}
    crews = [
        fact
        for fact in either.facts
        if fact["type"].startswith(("task", "agent", "llm", "tool", "step"))
    ]
    assert [fact["tid"] for fact in crews] == [tids[fact["task"]] for fact in crews]
    assert not any("in" in fact for fact in crews)
    placed = [(fact["data"], fact["agent"]) for fact in either.of("task.started")]
    assert placed == [
        ({"name": name, "index": index, "of": 3}, role)
        for index, (name, role) in enumerate(zip(TASKS, ROLES, strict=True), 1)
    ]


def test_the_deltas_of_a_call_join_to_the_tasks_output(worker: Child, tmp_path: Path) -> None:
    worker.run(spec_for(tmp_path))
    texts: dict[str, str] = defaultdict(str)
    for delta in worker.of("llm.delta"):
        if delta["data"]["kind"] == "text":
            texts[delta["task"]] += delta["data"]["text"]
    outputs = {fact["task"]: fact["data"]["output"] for fact in worker.of("task.completed")}
    assert texts == outputs
    assert list(outputs) == TASKS
    assert all(text.startswith("[offline model] ") for text in texts.values())
    assert worker.facts[-1]["data"] == {"output": outputs["research_trends"]}


def test_each_fact_says_where_and_when_it_was_born(worker: Child, tmp_path: Path) -> None:
    before = now_ms()
    worker.run(spec_for(tmp_path))
    inside = [fact for fact in worker.facts if not fact["type"].startswith(("run.", "worker."))]
    assert {(fact["task"], fact["agent"]) for fact in inside} == set(zip(TASKS, ROLES, strict=True))
    times = [fact["ts"] for fact in worker.facts if fact["type"] != "llm.delta"]
    assert times == sorted(times)
    assert before - 60_000 < times[0]
    assert before <= times[1] <= times[-1] <= now_ms()


def test_the_tool_is_called_with_the_brief_and_timed(worker: Child, tmp_path: Path) -> None:
    worker.run(spec_for(tmp_path, "Nine words about a small café by the sea"))
    started, completed = worker.of("tool.started")[0], worker.of("tool.completed")[0]
    assert started["data"]["tool"] == "text_statistics"
    assert started["data"]["args"] == {"text": "Nine words about a small café by the sea"}
    assert completed["data"]["call"] == started["data"]["call"]
    assert completed["data"]["output"].startswith("9 words in 1 sentence\n")
    assert 0 <= completed["data"]["seconds"] < 5


def test_a_step_is_told_for_each_tool_call_and_each_answer(worker: Child, tmp_path: Path) -> None:
    worker.run(spec_for(tmp_path))
    steps = [(fact["task"], fact["data"]) for fact in worker.of("step")]
    assert [(task, data["tool"], bool(data["output"])) for task, data in steps] == [
        ("create_content_plan", None, True),
        ("analyze_sentiment", None, True),
        ("research_trends", "text_statistics", False),
        ("research_trends", None, True),
    ]
    assert steps[2][1]["result"] == worker.of("tool.completed")[0]["data"]["output"]


def test_usage_is_what_was_streamed(worker: Child, tmp_path: Path) -> None:
    worker.run(spec_for(tmp_path))
    usages = [fact["data"]["usage"] for fact in worker.of("llm.completed")]
    assert [usage["completion_tokens"] for usage in usages][:2] == [60, 60]
    assert all(usage["prompt_tokens"] > 50 for usage in usages)


@pytest.mark.parametrize(
    "message",
    [
        "Grüße 春のカップ 👩‍👩‍👧 \u202e",
        "\ud83d lone surrogate",
        "{message} {unknown}",
        "a\0b\r\n\x1b[31m",
    ],
)
def test_any_brief_survives(worker: Child, tmp_path: Path, message: str) -> None:
    last = worker.run(spec_for(tmp_path, message))
    assert last["type"] == "run.completed", last


def test_what_the_crew_prints_is_told_before_the_end(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, target=f"{TARGETS}:prints"))
    assert last["type"] == "run.completed"
    heard: dict[str, str] = defaultdict(str)
    for fact in worker.of("log"):
        heard[fact["data"]["stream"]] += fact["data"]["text"] + "\n"
    assert heard["stderr"] == "to stderr\n"
    assert heard["stdout"] == "from print: grüße\nfrom a descriptor\nfrom a child\nno newline\n"


def test_no_secret_leaves_the_process(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, target=f"{TARGETS}:leaks"))
    assert last["type"] == "run.completed"
    everything = repr(worker.facts)
    assert "canary-" not in everything
    assert "hunter2" not in everything
    assert worker.of("log")[0]["data"]["text"] == "key: ***"
    assert "***" in worker.of("tool.completed")[0]["data"]["output"]


def test_cancel_ends_a_streaming_run_within_half_a_second(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:slow_model"))
    worker.until("llm.delta")
    worker.until("llm.delta")
    asked = time.monotonic()
    worker.order(order="cancel", cause="c-7")
    last = worker.rest()
    took = time.monotonic() - asked
    assert (last["type"], last["cause"], last["data"]) == ("run.cancelled", "c-7", {})
    assert took < 0.5
    assert worker.exit_code() == 0
    # It came out through CrewAI rather than over it: the layers have said how they ended.
    assert {"llm.failed", "task.failed"} <= {fact["type"] for fact in worker.facts}


def test_cancel_lets_a_working_tool_finish(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:slow_tool"))
    worker.until("log", text="begun")
    worker.order(order="cancel", cause="c-1")
    last = worker.rest()
    assert last["type"] == "run.cancelled"
    assert (tmp_path / "run" / "tool-finished").exists()


def test_cancel_does_not_wait_for_a_stuck_tool(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:stuck_tool"))
    worker.until("tool.started")
    asked = time.monotonic()
    worker.order(order="cancel", cause="c-1")
    assert worker.rest()["type"] == "run.cancelled"
    assert time.monotonic() - asked < 3.5


def test_cancel_before_anything_has_happened_still_cancels(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:slow_model"))
    worker.order(order="cancel", cause="c-1")
    assert worker.rest()["type"] == "run.cancelled"


def test_a_worker_does_not_outlive_its_gateway(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:slow_model"))
    worker.until("llm.delta")
    worker.hang_up()
    assert gone(worker.pid)


def test_a_worker_without_a_run_leaves_with_its_gateway(worker: Child) -> None:
    worker.hang_up()
    assert gone(worker.pid)


def test_sigterm_ends_a_worker_at_once(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:stuck_tool"))
    worker.until("tool.started")
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.rest()["type"] == "tool.started"
    assert worker.exit_code() == -signal.SIGTERM


def test_a_crash_closes_the_channel_without_a_last_word(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:dies"))
    assert worker.rest()["type"] == "tool.started"
    assert worker.exit_code() == -signal.SIGKILL


def test_a_worker_leads_its_own_process_group(worker: Child) -> None:
    assert os.getpgid(worker.pid) == worker.pid


def test_running_out_of_memory_is_named(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, target=f"{TARGETS}:hungry_tool", memory_mb=2048))
    assert last["type"] == "run.failed"
    assert last["data"]["error"] == {
        "code": "out_of_memory",
        "message": "the crew used more than its 2048 MiB of memory",
    }


def test_a_limit_that_leaves_no_room_at_all_is_named_too(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, memory_mb=16))
    assert last["type"] == "run.failed"
    assert last["data"]["error"]["code"] == "out_of_memory"


def test_a_tool_that_fails_is_told_and_the_crew_goes_on(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, target=f"{TARGETS}:failing_tool"))
    assert last["type"] == "run.completed"
    assert "the tool broke" in worker.of("tool.failed")[0]["data"]["error"]


def test_a_tool_that_exits_fails_the_run(worker: Child, tmp_path: Path) -> None:
    last = worker.run(spec_for(tmp_path, target=f"{TARGETS}:exits"))
    assert last["type"] == "run.failed"
    assert last["data"]["error"] == {"code": "error", "message": "SystemExit: 3"}


def test_a_traceback_stays_in_the_runs_directory(worker: Child, tmp_path: Path) -> None:
    worker.run(spec_for(tmp_path, target=f"{TARGETS}:exits"))
    assert "Traceback" not in repr(worker.facts)
    assert "SystemExit: 3" in (tmp_path / "run" / "worker.log").read_text()


def test_a_bad_config_is_told_with_its_place(worker: Child, tmp_path: Path) -> None:
    (tmp_path / "agents.yaml").write_text("agents:\n  a: {role: R, goal: G, backstory: B}\n")
    (tmp_path / "tasks.yaml").write_text(
        "tasks:\n  t:\n    description: D\n    expected_output: E\n    agent: b\n"
    )
    last = worker.run(spec_for(tmp_path, config=str(tmp_path)))
    assert last["type"] == "run.failed"
    error = last["data"]["error"]
    assert error["code"] == "bad_crew"
    place = f"{tmp_path}/tasks.yaml:5:12: tasks.t.agent"
    assert error["message"].startswith(f"{place}: unknown agent 'b'; agents.yaml has a\n")
    assert not worker.of("run.started")


def test_an_output_file_lands_in_the_runs_directory(worker: Child, tmp_path: Path) -> None:
    (tmp_path / "agents.yaml").write_text("a: {role: R, goal: G, backstory: B}\n")
    (tmp_path / "tasks.yaml").write_text(
        "t: {description: D, expected_output: E, agent: a, output_file: 'out/{message}.md'}\n"
    )
    last = worker.run(spec_for(tmp_path, "plan", config=str(tmp_path)))
    assert (tmp_path / "run/out/plan.md").read_text() == last["data"]["output"]


@pytest.mark.parametrize(
    ("message", "wrong"),
    [
        ("../escaped.md", "leads out of the run's directory"),
        ("x/../journal.ndjson", "is a file of the run's own"),
    ],
)
def test_an_input_cant_lead_an_output_file_where_it_must_not_be(
    worker: Child, tmp_path: Path, message: str, wrong: str
) -> None:
    (tmp_path / "agents.yaml").write_text("a: {role: R, goal: G, backstory: B}\n")
    (tmp_path / "tasks.yaml").write_text(
        "t: {description: D, expected_output: E, agent: a, output_file: '{message}'}\n"
    )
    last = worker.run(spec_for(tmp_path, message, config=str(tmp_path)))
    assert last["type"] == "run.failed"
    assert wrong in last["data"]["error"]["message"]
    assert not (tmp_path / "escaped.md").exists()


@pytest.mark.parametrize("target", ["talkative", "AFlow"])
def test_crewais_panels_are_no_output_of_the_crews(
    worker: Child, tmp_path: Path, target: str
) -> None:
    worker.run(spec_for(tmp_path, target=f"tests.worker.targets:{target}"))
    assert not [fact for fact in worker.of("log") if "╭" in fact["data"]["text"]]


def test_crewais_own_files_stay_in_the_runs_directory(worker: Child, tmp_path: Path) -> None:
    worker.run(spec_for(tmp_path))
    assert list((tmp_path / "run" / "crewai").glob("*.db"))


def test_runs_at_once_do_not_mix(zygote: Zygote, tmp_path: Path) -> None:
    children = [zygote.make() for _ in range(4)]
    briefs = [f"subject{letter * 5}" for letter in "abcd"]
    for number, (child, brief) in enumerate(zip(children, briefs, strict=True)):
        child.start(spec_for(tmp_path / str(number), brief))
    for child, brief in zip(children, briefs, strict=True):
        assert child.rest()["type"] == "run.completed"
        text = "".join(fact["data"]["text"] for fact in child.of("llm.delta"))
        assert brief in text
        assert not any(other in text for other in briefs if other != brief)
        child.kill()
