"""Model calls in a worker: which of them stream, and what becomes of a reply that is cut off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.openai_server import OpenAIServer, Script
from tests.support.wires import WireServer
from tests.worker.harness import Child, Zygote, clean_environment, spec_for

STEERED = "tests.worker.steered"
TOKENS = tuple(f"word{number} " for number in range(40))
ENDLESS = Script(TOKENS, delay=0.01, ending="stall")


def cut_off(child: Child, times: int) -> None:
    """`now`, so many times in a row, each while a reply is being written."""
    for number in range(times):
        child.until("llm.delta")
        change = {"instruction": f"Again {number}.", "now": True}
        child.order(order="modify", cause=f"c-{number}", change=change)
        assert child.until("run.modified")["cause"] == f"c-{number}"


def test_a_cut_reply_leaves_nothing_that_a_collection_of_garbage_trips_over(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = Script(TOKENS, delay=0.01)
    openai_worker.start(spec_for(tmp_path, target=f"{STEERED}:collected_in_the_pool"))
    cut_off(openai_worker, 3)
    assert openai_worker.rest()["data"] == {"output": "".join(TOKENS)}
    assert len(openai_server.requests) == 4


@pytest.mark.parametrize("crew", ["never_collected", "NeverCollected"], ids=["sync", "async"])
def test_a_cut_reply_is_closed_at_once(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path, crew: str
) -> None:
    openai_server.script = ENDLESS
    openai_worker.start(spec_for(tmp_path, target=f"{STEERED}:{crew}"))
    cut_off(openai_worker, 1)
    assert openai_server.left.wait(10)
    openai_worker.until("llm.delta")
    openai_worker.order(order="cancel", cause="c-x")
    assert openai_worker.rest()["type"] == "run.cancelled"


def test_a_call_whose_event_has_no_usage_counts_as_its_model_counted(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    plan = {"plan": "Write.", "steps": [], "ready": True}
    openai_server.script = Script(tool_first=True, tool_arguments=plan)
    last = openai_worker.run(spec_for(tmp_path, target=f"{STEERED}:Planning"))
    usage = [fact["data"]["usage"] for fact in openai_worker.of("llm.completed")]
    assert len(usage) == len(openai_server.requests) == 2
    sums = [sum(one[name] for one in usage) for name in ("prompt_tokens", "completion_tokens")]
    assert last["data"] == {"output": f"{sums[0]} {sums[1]}"}


def test_a_manager_and_a_planner_whose_model_is_only_named_stream_too(
    openai_worker: Child, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    plans = {"list_of_plans_per_task": [{"task_number": 1, "task": "Write", "plan": "Write."}]}
    text = json.dumps(plans)
    openai_server.script = Script((text[:9], text[9:]))
    assert openai_worker.run(spec_for(tmp_path, target=f"{STEERED}:named_only"))["data"] == {
        "output": text
    }
    assert [request["body"]["stream"] for request in openai_server.requests] == [True, True]
    told = {fact["agent"] for fact in openai_worker.of("llm.delta")}
    assert told == {"Task Execution Planner", "Crew Manager"}


def test_the_offline_model_stands_in_for_models_that_are_only_named(
    worker: Child, tmp_path: Path
) -> None:
    last = worker.run(spec_for(tmp_path, target=f"{STEERED}:named_only"))
    assert last["type"] == "run.completed", last
    assert last["data"]["output"].startswith("[offline model]")
    assert {fact["data"]["model"] for fact in worker.of("llm.started")} == {"offline"}


def test_a_model_that_swallows_what_cuts_it_off_is_asked_again_all_the_same(
    worker: Child, tmp_path: Path
) -> None:
    worker.start(spec_for(tmp_path, target=f"{STEERED}:swallows"))
    cut_off(worker, 2)
    last = worker.rest()
    assert "You asked for: Again 1." in last["data"]["output"], last


def test_a_model_that_chat_turns_out_not_to_have_keeps_its_tool_calls(
    zygote: Zygote, tmp_path: Path
) -> None:
    """CrewAI asks the other API then, within the call (completion.py: `_call_completions`)."""
    script = Script(TOKENS, tool_first=True, tool_arguments={"text": "tea"})
    with WireServer(script) as server:
        server.lacks_chat = True
        environment = clean_environment(
            OPENAI_API_KEY="sk-test-0123456789", OPENAI_BASE_URL=server.base_url
        )
        child = zygote.make(environment)
        last = child.run(spec_for(tmp_path, target=f"{STEERED}:responses_only"))
        child.kill()
    assert last["data"] == {"output": "".join(TOKENS)}
    assert [fact["data"]["output"] for fact in child.of("tool.completed")] == ["TEA"]
    paths = [request["path"].rpartition("/")[2] for request in server.requests]
    assert paths == ["completions", "responses", "responses"]
