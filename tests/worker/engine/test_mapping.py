"""CrewAI's events to facts, on look-alikes; test_contract.py holds the look-alikes to the real."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sidecar.channel import Fact
from sidecar.worker.engine.executions import task_list, task_names
from sidecar.worker.engine.mapping import Mapper

AGENT = SimpleNamespace(role="Writer")


def task(id: str, name: str | None = None, agent: Any = AGENT) -> SimpleNamespace:
    return SimpleNamespace(id=id, name=name, agent=agent, description="D")


def event(type: str, **fields: Any) -> SimpleNamespace:
    base = {
        "task_id": None,
        "agent_role": None,
        "event_id": "e1",
        "started_event_id": None,
        "parent_event_id": None,
    }
    return SimpleNamespace(**{**base, "type": type, **fields})


def crew(*tasks: Any) -> SimpleNamespace:
    return SimpleNamespace(tasks=tasks)


def begun(*tasks: Any) -> Mapper:
    """A run whose own crew has been kicked off, with event `crew`."""
    mapper = Mapper()
    own = crew(*tasks)
    mapper.own(own, [mapper.places.new_tid() for _ in tasks])
    assert mapper.facts(own, event("crew_kickoff_started", event_id="crew")) == []
    return mapper


def at_work(work: Any) -> Mapper:
    """The same in its only task, begun with event `task`."""
    mapper = begun(work)
    mapper.facts(work, event("task_started", event_id="task", parent_event_id="crew"))
    return mapper


def place(fact: Fact) -> tuple[str | None, str | None]:
    return fact.get("task"), fact.get("agent")


class ToolUsage:
    """What CrewAI's ReAct path names its source."""


def test_tasks_are_numbered_from_one_and_placed_by_id() -> None:
    first, second = task("1", "plan"), task("2", "check")
    assert task_list([first, second]) == [
        {"name": "plan", "agent": "Writer"},
        {"name": "check", "agent": "Writer"},
    ]
    mapper = begun(first, second)
    start = event("task_started", event_id="t", parent_event_id="crew")
    (started,) = mapper.facts(second, start)
    assert started["data"] == {"name": "check", "index": 2, "of": 2}
    assert place(started) == ("check", "Writer")
    assert started["tid"] == "1.2"
    assert "in" not in started
    end = event("task_completed", started_event_id="t", output=SimpleNamespace(raw="out"))
    (done,) = mapper.facts(second, end)
    assert (done["type"], done["data"]) == ("task.completed", {"name": "check", "output": "out"})
    assert done["tid"] == "1.2"


def test_a_task_that_runs_again_is_another_execution() -> None:
    mapper, work = Mapper(), task("1", "plan")
    again = crew(work)
    tids = []
    for number in range(2):
        start = event("crew_kickoff_started", event_id=f"c{number}", crew_name="loop")
        (crewed,) = mapper.facts(again, start)
        started = event("task_started", event_id=f"t{number}", parent_event_id=f"c{number}")
        (fact,) = mapper.facts(work, started)
        assert fact["in"] == crewed["tid"]
        assert crewed["data"]["tasks"][0]["tid"] == fact["tid"]
        tids.append(fact["tid"])
    assert tids == ["1.1", "1.3"]


def test_an_end_that_crewai_pairs_with_another_beginning_ends_what_it_says() -> None:
    """As where a tool's thread leaves something open."""
    work = task("1", "plan")
    mapper = at_work(work)
    end = event("task_completed", started_event_id="crew", output=SimpleNamespace(raw="out"))
    assert mapper.facts(work, end)[0]["tid"] == "1.1"


def test_names_are_short_and_unique() -> None:
    assert task_names([task("1", "a"), task("2"), task("3", "a"), task("4", "a")]) == [
        "a",
        "task_2",
        "a_2",
        "a_3",
    ]


def test_a_role_filled_in_at_kickoff_replaces_the_planned_one() -> None:
    mapper = begun(task("1", "plan", SimpleNamespace(role="{topic} Writer")))
    started = mapper.facts(
        task("1", "plan", SimpleNamespace(role="Tea Writer\n")),
        event("task_started", parent_event_id="crew"),
    )
    assert place(started[0]) == ("plan", "Tea Writer")


def test_a_model_call_is_told_with_its_call_and_usage() -> None:
    mapper = at_work(task("1", "plan"))
    here: dict[str, Any] = {"agent_role": "Writer\n", "call_id": "c", "parent_event_id": "task"}
    (started,) = mapper.facts(None, event("llm_call_started", model="m", **here))
    assert started["data"] == {"call": "c", "model": "m"}
    (delta,) = mapper.facts(None, event("llm_stream_chunk", chunk="Hi", tool_call=None, **here))
    assert delta["data"] == {"call": "c", "text": "Hi", "kind": "text"}
    (tool,) = mapper.facts(None, event("llm_stream_chunk", chunk='{"', tool_call=object(), **here))
    assert tool["data"]["kind"] == "tool"
    (thought,) = mapper.facts(None, event("llm_thinking_chunk", chunk="Hm", **here))
    assert thought["data"]["kind"] == "thinking"
    assert mapper.facts(None, event("llm_stream_chunk", chunk="", tool_call=object(), **here)) == []
    usage = {"input_tokens": 3, "output_tokens": 2, "details": {}}
    (done,) = mapper.facts(
        None, event("llm_call_completed", usage=usage, finish_reason="stop", **here)
    )
    assert done["data"] == {
        "call": "c",
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
        "finish_reason": "stop",
    }
    assert all(place(one) == ("plan", "Writer") for one in (started, delta, tool, thought, done))


def test_tokens_that_the_provider_had_in_its_cache_are_told_where_there_are_any() -> None:
    told = []
    for cached in (0, 2):
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "cached_prompt_tokens": cached}
        done = event("llm_call_completed", usage=usage, finish_reason="stop", call_id="c")
        told.append(Mapper().facts(None, done)[0]["data"]["usage"])
    assert told == [
        {"prompt_tokens": 3, "completion_tokens": 2},
        {"prompt_tokens": 3, "completion_tokens": 2, "cached_tokens": 2},
    ]


def test_usage_that_the_provider_did_not_give_is_not_made_up() -> None:
    done = event("llm_call_completed", usage=None, finish_reason=None, call_id="c")
    assert Mapper().facts(None, done)[0]["data"]["usage"] == {}


def test_a_native_tool_call_is_timed_and_told_as_a_step() -> None:
    times = iter([10.0, 12.5])
    mapper = Mapper(clock=lambda: next(times))
    (started,) = mapper.facts(
        None, event("tool_usage_started", event_id="s", tool_name="t", tool_args={"a": 1})
    )
    assert started["data"] == {"call": "s", "tool": "t", "args": {"a": 1}}
    times = iter([12.5, 12.5])
    ended = event(
        "tool_usage_finished", started_event_id="s", tool_name="t", tool_args={"a": 1}, output=7
    )
    done, step = mapper.facts(SimpleNamespace(), ended)
    assert done["type"] == "tool.completed"
    assert done["data"] == {"call": "s", "tool": "t", "output": "7", "seconds": 2.5}
    assert step["data"] == {
        "thought": "",
        "tool": "t",
        "tool_input": {"a": 1},
        "result": "7",
        "output": None,
    }


def test_a_react_tool_call_is_not_told_as_a_step_twice() -> None:
    mapper = Mapper()
    mapper.facts(None, event("tool_usage_started", tool_name="t", tool_args={}))
    ended = event(
        "tool_usage_finished", started_event_id="e1", tool_name="t", tool_args={}, output="x"
    )
    assert [one["type"] for one in mapper.facts(ToolUsage(), ended)] == ["tool.completed"]
    action = SimpleNamespace(thought="why", tool="t", tool_input="{}", text="", result="x")
    (step,) = mapper.step(action)
    assert step["data"]["thought"] == "why"


def test_a_tool_that_reports_its_failure_has_failed() -> None:
    mapper = Mapper()
    failure = SimpleNamespace(message="out of paper")
    ended = event(
        "tool_usage_finished", tool_name="t", tool_args={}, output="sorry", failure=failure
    )
    failed, _step = mapper.facts(None, ended)
    assert (failed["type"], failed["data"]["error"]) == ("tool.failed", "out of paper")


def test_an_answer_is_one_step_whether_or_not_the_callback_told_it() -> None:
    work = task("1", "plan")
    mapper = at_work(work)
    mapper.places._current = lambda: "a"
    of: dict[str, Any] = {"agent": AGENT, "task": work}
    start = event("agent_execution_started", event_id="a", parent_event_id="task", **of)
    done = event("agent_execution_completed", started_event_id="a", output="text", **of)
    mapper.facts(None, start)
    assert [one["type"] for one in mapper.facts(None, done)] == ["step", "agent.completed"]
    mapper.facts(None, start)
    told = mapper.step(SimpleNamespace(thought="", output="text", text="text"))
    assert [one["type"] for one in told] == ["step"]
    assert [one["type"] for one in mapper.facts(None, done)] == ["agent.completed"]


def test_a_tool_result_given_to_the_callback_is_passed_over() -> None:
    assert Mapper().step(SimpleNamespace(result="x", result_as_answer=False)) == []


def test_an_agent_without_a_crew_is_told_by_its_role() -> None:
    started = event("lite_agent_execution_started", agent_info={"role": "Loner"})
    (fact,) = Mapper().facts(None, started)
    assert (fact["type"], fact["data"], place(fact)) == (
        "agent.started",
        {"role": "Loner"},
        (None, "Loner"),
    )


def test_what_has_no_word_is_told_with_a_digest_and_noise_is_not() -> None:
    mapper = at_work(task("1", "plan"))
    new = event(
        "of_next_year", parent_event_id="task", weight=3, messages=["long"], label="x" * 2000
    )
    (fact,) = mapper.facts(None, new)
    assert (fact["type"], place(fact), fact["tid"]) == ("event", ("plan", "Writer"), "1.1")
    assert fact["data"] == {"kind": "of_next_year", "weight": 3, "label": "x" * 999 + "…"}
    assert mapper.facts(None, event("hook_dispatched")) == []


def test_an_operation_is_paired_by_its_call_and_told_where_it_happened() -> None:
    mapper = at_work(task("1", "plan"))
    start = event("memory_query_started", event_id="m", parent_event_id="task", query="q", limit=3)
    (started,) = mapper.facts(None, start)
    end = event(
        "memory_query_completed",
        started_event_id="m",
        query="q",
        results=[1, 2],
        query_time_ms=1500,
    )
    (done,) = mapper.facts(None, end)
    assert (started["type"], done["type"]) == ("memory.started", "memory.completed")
    assert started["data"] == {"call": "m", "operation": "query", "query": "q", "limit": 3}
    assert done["data"] == {
        "call": "m",
        "operation": "query",
        "query": "q",
        "found": 2,
        "seconds": 1.5,
    }
    assert started["tid"] == done["tid"] == "1.1"


def test_a_guardrail_tells_why_a_task_is_tried_again() -> None:
    ended = event("llm_guardrail_completed", retry_count=1, success=False, error="too short")
    (fact,) = Mapper().facts(None, ended)
    assert fact["type"] == "guardrail.completed"
    assert fact["data"] == {"call": "e1", "retry": 1, "success": False, "error": "too short"}


def test_a_method_that_pauses_is_told_where_it_is_and_has_not_ended() -> None:
    mapper, flow = Mapper(), SimpleNamespace(_is_router=lambda _name: False)
    of: dict[str, Any] = {"flow_name": "Ask", "method_name": "draft", "result": "a draft"}
    (begun,) = mapper.facts(flow, event("method_execution_started", event_id="m", **of))
    paused = event("method_execution_paused", started_event_id="m", message="good?", **of)
    (fact,) = mapper.facts(flow, paused)
    assert (fact["type"], fact["tid"], fact["method"]) == ("event", begun["tid"], "draft")
    end = event("method_execution_finished", started_event_id="m", **of)
    assert mapper.facts(flow, end)[0]["tid"] == begun["tid"]
