"""Pause and resume of a run in a worker: the crew really stands still, and loses nothing by it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.openai_server import OpenAIServer, Script
from tests.worker.harness import Child, Zygote, clean_environment, spec_for

TARGETS = "tests.worker.targets"
QUIET = 0.5
"""Seconds of silence that count as standing still; at 1 ms per token a run would be over."""
WORDS = tuple(f"word{number} " for number in range(50))


def pause(child: Child, cause: str = "c-p") -> str:
    """Pause and wait for it; the boundary."""
    child.order(order="pause", cause=cause)
    paused = child.until("run.paused")
    assert paused["cause"] == cause
    assert paused["data"].keys() == {"boundary"}
    return str(paused["data"]["boundary"])


def resume(child: Child) -> None:
    child.order(order="resume", cause="c-r")


def test_a_paused_run_is_silent_and_its_text_is_that_of_an_unpaused_one(
    worker: Child, zygote: Zygote, tmp_path: Path
) -> None:
    other = zygote.make()
    unpaused = other.run(spec_for(tmp_path / "other"))
    other.kill()
    worker.start(spec_for(tmp_path))
    worker.until("llm.delta")
    assert pause(worker) == "token"
    assert worker.silent(QUIET)
    resume(worker)
    last = worker.rest()
    assert last == {**unpaused, "ts": last["ts"]}
    assert worker.text() == other.text()
    assert len(worker.of("run.paused")) == 1


def test_a_run_can_be_paused_again_and_again(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path))
    worker.until("llm.delta")
    for number in range(10):
        assert pause(worker, f"c-{number}") in ("token", "llm", "task", "tool")
        resume(worker)
    assert worker.rest()["type"] == "run.completed"
    assert len(worker.of("run.paused")) == 10


def test_before_the_first_step_a_run_stands_at_the_task(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path))
    assert pause(worker) == "task"
    assert worker.silent(QUIET)
    resume(worker)
    assert worker.rest()["type"] == "run.completed"


def test_a_tool_is_heard_out_and_then_the_run_stands(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:slow_tool"))
    worker.until("log", text="begun")
    assert pause(worker) == "tool"
    assert worker.of("tool.completed")[0]["data"]["output"] == "done"
    assert worker.silent(QUIET)
    resume(worker)
    assert worker.rest()["type"] == "run.completed"


def test_a_run_at_work_between_calls_stands_before_the_model(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:Pausing"))
    while "ready" not in worker.until("log")["data"]["text"]:
        pass  # the banner that CrewAI prints for a flow
    assert pause(worker) == "llm"
    assert worker.silent(QUIET)
    resume(worker)
    assert worker.rest()["type"] == "run.completed"


def test_a_resume_before_the_gate_takes_the_pause_back(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:slow_tool"))
    worker.until("log", text="begun")
    worker.order(order="pause", cause="c-1")
    resume(worker)
    assert worker.rest()["type"] == "run.completed"
    assert worker.of("run.paused") == []


def test_no_thread_speaks_while_the_run_is_paused(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:parallel"))
    heard: set[str] = set()
    while len(heard) < 2:
        heard.add(worker.until("llm.delta")["task"])
    pause(worker)
    assert worker.silent(QUIET)
    resume(worker)
    assert worker.rest()["type"] == "run.completed"
    for fact in worker.of("task.completed"):
        assert worker.text(fact["task"]) == fact["data"]["output"]


def test_what_a_child_process_prints_is_held_back_and_not_lost(
    zygote: Zygote, tmp_path: Path
) -> None:
    # Slow, so that the crew is still at work when the child has begun.
    worker = zygote.make(clean_environment(CREW_MODEL="offline", OFFLINE_TOKEN_MS="50"))
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:chatty_child"))
    worker.until("log", stream="stdout")
    pause(worker)
    assert worker.silent(QUIET)
    resume(worker)
    while len(numbers := printed(worker)) < 100:
        worker.until("log", stream="stdout")
    worker.order(order="cancel", cause="c-9")
    worker.rest()
    assert numbers == list(range(len(numbers)))
    worker.kill()


def printed(worker: Child) -> list[int]:
    """The numbers that have been heard."""
    return [int(line) for fact in worker.of("log") for line in fact["data"]["text"].splitlines()]


@pytest.mark.parametrize("boundary", ["token", "tool", "task"])
def test_a_paused_run_can_be_cancelled(worker: Child, tmp_path: Path, boundary: str) -> None:
    target = f"{TARGETS}:slow_tool" if boundary == "tool" else f"{TARGETS}:slow_model"
    worker.start(spec_for(tmp_path, target=target))
    if boundary == "tool":
        worker.until("log", text="begun")
    elif boundary == "token":
        worker.until("llm.delta")
    assert pause(worker) == boundary
    asked = time.monotonic()
    worker.order(order="cancel", cause="c-9")
    last = worker.rest()
    assert (last["type"], last["cause"]) == ("run.cancelled", "c-9")
    assert time.monotonic() - asked < 0.5
    assert worker.exit_code() == 0


def test_a_cancel_before_the_gate_of_a_pause_wins(worker: Child, tmp_path: Path) -> None:
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:slow_tool"))
    worker.until("log", text="begun")
    worker.order(order="pause", cause="c-1")
    worker.order(order="cancel", cause="c-2")
    worker.order(order="pause", cause="c-3")
    assert worker.rest()["cause"] == "c-2"
    assert worker.of("run.paused") == []


def test_a_reply_that_streams_over_http_survives_a_pause(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(tokens=WORDS, delay=0.005)
    openai_worker.start(spec_for(tmp_path))
    openai_worker.until("llm.delta")
    assert pause(openai_worker) == "token"
    assert openai_worker.silent(QUIET)
    resume(openai_worker)
    assert openai_worker.rest()["data"] == {"output": "".join(WORDS)}
    assert openai_worker.text("create_content_plan") == "".join(WORDS)
    assert len(openai_server.requests) == 3


def test_a_long_pause_reads_the_reply_to_its_end_and_tells_it_afterwards(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(tokens=WORDS, delay=0.005)
    openai_worker.start(spec_for(tmp_path, target=f"{TARGETS}:slow_and_impatient"))
    openai_worker.until("llm.delta")
    assert pause(openai_worker) == "token"
    before = openai_worker.text()
    assert openai_server.finished.wait(30)
    assert openai_worker.silent(QUIET)
    resume(openai_worker)
    assert openai_worker.rest()["type"] == "run.completed"
    assert openai_worker.text() == "".join(WORDS)
    assert len(before) < len(openai_worker.text())
    # What was held back comes together: it has been waiting.
    assert len(openai_worker.of("llm.delta")) < len(WORDS)


def test_a_long_pause_still_stands_at_the_next_gate(worker: Child, tmp_path: Path) -> None:
    """The reply is a tool's call: it is read to its end, and the tool is not run."""
    worker.start(spec_for(tmp_path, target=f"{TARGETS}:impatient"))
    worker.until("llm.delta", kind="tool")
    pause(worker)
    assert worker.silent(QUIET)
    assert worker.of("llm.completed") == []
    worker.order(order="cancel", cause="c-2")
    worker.rest()
    assert len(worker.of("llm.completed")) == 1
    (blocked,) = worker.of("tool.completed")
    assert "blocked by hook" in blocked["data"]["output"]


def test_the_crew_stands_within_one_token(zygote: Zygote, tmp_path: Path) -> None:
    """50 ms per token, so that the noise of a busy machine is small beside it; the median."""
    child = zygote.make(clean_environment(CREW_MODEL="offline", OFFLINE_TOKEN_MS="50"))
    try:
        child.start(spec_for(tmp_path))
        child.until("llm.delta")
        late = []
        for _ in range(5):
            child.until("llm.delta")
            said = len(child.of("llm.delta"))
            pause(child)
            resume(child)
            late.append(len(child.of("llm.delta")) - said)
        assert sorted(late)[2] <= 1, late
    finally:
        child.kill()
