"""A later attempt at a run: what was finished is not done again, and nobody is told it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sidecar.channel import MAX_STRING, Kept
from sidecar.worker.journal import JOURNAL
from tests.support.openai_server import OpenAIServer, Script
from tests.worker.harness import Child, Zygote, spec_for

TARGETS = "tests.worker.targets"
TASKS = ["create_content_plan", "analyze_sentiment", "research_trends"]
KEPT = "KEPT a plan of the first attempt"
CREW_FACTS = ("task.", "agent.", "llm.", "tool.", "step")


def later(directory: Path, kept: dict[str, str], **more: Any) -> Any:
    """A second attempt, after a first that finished tasks with these outputs."""
    tasks: list[Kept] = [
        {"tid": f"1.{number}", "name": name, "output": output}
        for number, (name, output) in enumerate(kept.items(), 1)
    ]
    return spec_for(directory, attempt=2, kept=tasks, **more)


def prompts(server: OpenAIServer) -> list[str]:
    return [json.dumps(one["body"]["messages"]) for one in server.requests]


def told_of(child: Child) -> set[str | None]:
    """The tasks that the crew's facts are of."""
    return {fact.get("task") for fact in child.facts if fact["type"].startswith(CREW_FACTS)}


def test_a_kept_task_costs_no_model_call_and_is_in_the_context_of_later_ones(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    last = openai_worker.run(later(tmp_path, {TASKS[0]: KEPT}, superseded=[17, 42]))
    assert last["data"] == {"output": "A real client heard this."}
    assert [KEPT in prompt for prompt in prompts(openai_server)] == [True, True]
    started = openai_worker.of("run.started")[0]["data"]
    tasks = started.pop("tasks")
    assert [task["name"] for task in tasks] == TASKS
    assert [task["tid"] for task in tasks] == ["1.1", "2.1", "2.2"]
    assert started == {
        "model": "openai/any-model",
        "attempt": 2,
        "kept": [TASKS[0]],
        "superseded": [17, 42],
    }
    assert told_of(openai_worker) == set(TASKS[1:])
    assert [fact["data"] for fact in openai_worker.of("task.started")] == [
        {"name": TASKS[1], "index": 2, "of": 3},
        {"name": TASKS[2], "index": 3, "of": 3},
    ]


def test_when_all_tasks_are_kept_the_run_completes_without_a_model(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    kept = {name: f"output of {name}" for name in TASKS}
    last = openai_worker.run(later(tmp_path, kept))
    assert (last["type"], last["data"]) == (
        "run.completed",
        {"output": "output of research_trends"},
    )
    assert openai_server.requests == []
    types = [fact["type"] for fact in openai_worker.facts]
    assert types == ["worker.ready", "run.started", "run.completed"]
    assert openai_worker.of("run.started")[0]["data"]["kept"] == TASKS


def test_an_attempt_that_keeps_nothing_says_so_and_does_all(worker: Child, tmp_path: Path) -> None:
    assert worker.run(later(tmp_path, {}))["type"] == "run.completed"
    started = worker.of("run.started")[0]["data"]
    assert (started["attempt"], started["kept"]) == (2, [])
    assert "superseded" not in started
    assert [fact["data"]["name"] for fact in worker.of("task.completed")] == TASKS


def test_a_crew_in_python_goes_on_as_well(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    inputs = {"message": "teapots", "reader": "sailors"}
    target = f"{TARGETS}:hosted"
    openai_worker.run(later(tmp_path, {"draft": KEPT}, target=target, inputs=inputs))
    (prompt,) = prompts(openai_server)
    assert "polish on teapots for sailors" in prompt
    assert KEPT in prompt
    assert openai_worker.of("run.started")[0]["data"]["kept"] == ["draft"]
    assert told_of(openai_worker) == {"polish"}


def test_a_decorated_crew_that_was_done_completes(worker: Child, tmp_path: Path) -> None:
    last = worker.run(later(tmp_path, {"write": KEPT}, target=f"{TARGETS}:Decorated"))
    assert (last["type"], last["data"]) == ("run.completed", {"output": KEPT})
    assert told_of(worker) == set()


def test_asynchronous_tasks_that_were_not_finished_are_done(worker: Child, tmp_path: Path) -> None:
    worker.run(later(tmp_path, {"task_1": KEPT}, target=f"{TARGETS}:parallel"))
    assert told_of(worker) == {"task_2", "task_3"}


@pytest.mark.parametrize(
    ("kept", "done"),
    [('{"more": true}', {"more", "last"}), ('{"more": false}', {"last"}), ("unclear", {"last"})],
)
def test_a_condition_reads_the_structure_of_a_kept_output(
    worker: Child, tmp_path: Path, kept: str, done: set[str]
) -> None:
    worker.run(later(tmp_path, {"first": kept}, target=f"{TARGETS}:conditional"))
    assert told_of(worker) == done


def test_a_flow_of_which_no_crew_had_finished_runs_from_its_start(
    worker: Child, tmp_path: Path
) -> None:
    last = worker.run(later(tmp_path, {}, target=f"{TARGETS}:AFlow"))
    assert last["data"]["output"].startswith("wrapped: [offline model]")
    assert worker.of("run.started")[0]["data"]["kept"] == []


def test_only_the_first_tasks_of_a_crew_that_was_changed_are_kept(
    worker: Child, tmp_path: Path
) -> None:
    """Another task was put before the second one that was finished, which depends on it now."""
    kept = {TASKS[0]: KEPT, TASKS[2]: "not after the first", "gone": "of a task that is no more"}
    worker.run(later(tmp_path, kept))
    assert worker.of("run.started")[0]["data"]["kept"] == [TASKS[0]]
    assert told_of(worker) == set(TASKS[1:])


def test_a_review_of_a_kept_task_is_not_asked_for_again(worker: Child, tmp_path: Path) -> None:
    last = worker.run(later(tmp_path, {TASKS[0]: KEPT}, review=[TASKS[0]]))
    assert last["type"] == "run.completed"
    assert worker.of("input.requested") == []


def test_each_output_is_in_the_journal_when_its_task_is_told_as_completed(
    worker: Child, tmp_path: Path
) -> None:
    worker.start(spec_for(tmp_path))
    for number, name in enumerate(TASKS, 1):
        told = worker.until("task.completed", name=name)["data"]
        lines = (tmp_path / "run" / JOURNAL).read_text().splitlines()
        assert len(lines) == number
        assert json.loads(lines[-1]) == {"tid": f"1.{number}", "output": told["output"]}


def test_an_output_that_the_log_cut_goes_on_whole_after_a_crash(
    openai_worker: Child,
    openai_environment: dict[str, str],
    openai_server: OpenAIServer,
    zygote: Zygote,
    tmp_path: Path,
) -> None:
    words = tuple(f"word{number} " * 10 for number in range(2_000))
    openai_server.script = Script(tokens=(*words, "sk-test-0123456789 THE END"))
    openai_worker.start(spec_for(tmp_path))
    cut = openai_worker.until("task.completed")["data"]
    openai_worker.kill()
    assert cut["truncated"]
    assert len(cut["output"]) == MAX_STRING
    openai_server.requests.clear()
    openai_server.script = Script()
    second = zygote.make(openai_environment)
    assert second.run(later(tmp_path, {TASKS[0]: cut["output"]}))["type"] == "run.completed"
    second.kill()
    whole = "".join(words) + "*** THE END"
    assert [whole in prompt for prompt in prompts(openai_server)] == [True, True]


def test_a_disk_that_is_full_does_not_harm_the_run(worker: Child, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / JOURNAL).symlink_to("/dev/full")
    assert worker.run(spec_for(tmp_path))["type"] == "run.completed"
    said = [fact["data"] for fact in worker.of("log")]
    assert [one["stream"] for one in said] == ["sidecar"] * 3
    assert "No space left on device" in said[0]["text"]


def test_what_was_modified_before_is_applied_again_in_silence(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_worker.start(later(tmp_path, {TASKS[0]: KEPT}))
    new = {"task": TASKS[1], "description": "Sing of {message}."}
    for change in ({"instruction": "Mention the river."}, new, {"inputs": {"message": "kettles"}}):
        openai_worker.order(order="modify", change=change)
    openai_worker.order(order="modify", cause="c-1", change={"instruction": "And the sea."})
    assert openai_worker.rest()["type"] == "run.completed"
    first, second = prompts(openai_server)
    for text in ("Mention the river.", "Sing of kettles.", "And the sea."):
        assert text in first
    assert "<brief>\\nkettles\\n</brief>" in second
    assert [fact["cause"] for fact in openai_worker.of("run.modified")] == ["c-1"]


@pytest.mark.parametrize("target", [None, "Pausing", "hosted", "chatty_from_the_start"])
def test_a_run_that_is_paused_at_its_start_says_nothing_of_the_crew(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path, target: str | None
) -> None:
    of_python = {"target": f"{TARGETS}:{target}"} if target else {}
    inputs = {"message": "teapots", "reader": "sailors"}
    openai_worker.start(later(tmp_path, {}, inputs=inputs, **of_python))
    openai_worker.order(order="pause", cause="c-p")
    paused = openai_worker.until("run.paused")
    assert (paused["data"], paused["cause"]) == ({"boundary": "task"}, "c-p")
    # What was printed while the crew was made is heard, what it does is not.
    types = [fact["type"] for fact in openai_worker.facts if fact["type"] != "log"]
    assert types == ["worker.ready", "run.started", "run.paused"]
    assert "ready" not in [fact["data"]["text"] for fact in openai_worker.of("log")]
    assert openai_worker.silent(0.5)
    assert openai_server.requests == []
    openai_worker.order(order="resume")
    assert openai_worker.rest()["type"] == "run.completed"
