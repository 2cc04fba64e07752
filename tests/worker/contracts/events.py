"""What is heard of a crew at work, and what stops it: tap.py, gates.py, mapping.py."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.worker.contracts import check, kickoff, make_crew, of, shout


@check
def check_sink_hears_every_event_in_order_on_the_emitting_thread() -> None:
    """tap.py: without `add_stream_sink` there is no ordered source. Look for its successor
    under `Flow.stream_events`; the bus's own handlers reorder and are no substitute."""
    heard: list[Any] = []
    kickoff(make_crew(), lambda _source, event: heard.append((event, threading.get_ident())))
    types = [event.type for event, _ in heard]
    wanted = [
        "crew_kickoff_started",
        "task_started",
        "agent_execution_started",
        "llm_call_started",
        *["llm_stream_chunk"] * 60,
        "llm_call_completed",
        "agent_execution_completed",
        "task_completed",
        "crew_kickoff_completed",
    ]
    assert [type for type in types if type in set(wanted)] == wanted, types
    numbers = [event.emission_sequence for event, _ in heard]
    from_kickoff = numbers[types.index("crew_kickoff_started") :]
    assert from_kickoff == sorted(from_kickoff), numbers


@check
def check_publishing_is_one_function_that_every_emission_looks_up() -> None:
    """tap.py puts itself there to hear crews in threads of the user's, which have no context and
    so no sink. If nothing is heard, look where `CrewAIEventsBus._prepare_event` publishes."""
    from crewai.events import event_bus

    types: list[str] = []
    names = vars(event_bus)
    publish = names["publish_stream_event"]
    names["publish_stream_event"] = lambda _source, event: types.append(event.type)
    try:
        crew = make_crew()
        thread = threading.Thread(target=crew.kickoff, args=[{"message": "tea", "kind": "Tea"}])
        thread.start()
        thread.join()
    finally:
        names["publish_stream_event"] = publish
    assert "crew_kickoff_started" in types
    assert types.count("llm_stream_chunk") == 60
    assert "crew_kickoff_completed" in types


@check
def check_events_are_chained_to_what_is_around_them() -> None:
    """places.py: `parent_event_id` names the beginning of the innermost thing around an event, and
    an end has its own beginning in `started_event_id`; a tool's crew is inside the tool's call.
    If not, places can't be told: look at crewai/events/event_context.py."""
    from crewai.tools import tool

    @tool("critic")
    def critic(text: str) -> str:
        """Has it criticised."""
        return str(make_crew().kickoff(inputs={"message": text, "kind": "Critic"}))

    heard: list[Any] = []
    kickoff(make_crew(tools=[critic]), lambda _source, event: heard.append(event))
    by_id = {event.event_id: event for event in heard}

    def around(event: Any) -> list[str]:
        types = []
        while event.parent_event_id is not None:
            event = by_id[event.parent_event_id]
            types.append(event.type)
        return [type for type in types if type != "flow_started"]

    crew = ["agent_execution_started", "task_started", "crew_kickoff_started"]
    chunks = [around(event) for event in heard if event.type == "llm_stream_chunk"]
    inner = ["llm_call_started", *crew, "tool_usage_started", *crew]
    assert {tuple(one) for one in chunks} == {("llm_call_started", *crew), tuple(inner)}
    for event in heard:
        if event.type in ("task_completed", "llm_call_completed", "tool_usage_finished"):
            began = by_id[event.started_event_id]
            assert began.type.rpartition("_")[0] == event.type.rpartition("_")[0]
            assert began.parent_event_id == event.parent_event_id


@check
def check_a_flow_knows_its_routers() -> None:
    """executions.py: `Flow._is_router`, since an event does not say whether its result is a route.
    If it is gone, look for `router` in the definition of the flow's methods."""
    from crewai import Flow
    from crewai.flow.flow import listen, router, start

    class Routed(Flow[dict[str, Any]]):
        _skip_auto_memory: bool = True

        @start()
        def begin(self) -> str:
            return "begun"

        @router(begin)
        def decide(self) -> str:
            return "on"

        @listen("on")
        def end(self) -> str:
            return "ended"

    flow: Any = Routed()
    names = ("begin", "decide", "end")
    assert [flow._is_router(name) for name in names] == [False, True, False]


@check
@of("abort")
def check_abort_from_a_chunk_stops_the_crew_within_one_token() -> None:
    """gates.py: `HookAborted` raised in the sink must pass every retry layer. If it is
    retried or swallowed, cancelling costs money: find what CrewAI lets through now."""
    from crewai.hooks import HookAborted

    chunks = 0

    def sink(_source: Any, event: Any) -> None:
        nonlocal chunks
        if event.type == "llm_stream_chunk":
            chunks += 1
            if chunks == 3:
                raise HookAborted("cancelled", source="test")

    with pytest.raises(HookAborted, match="cancelled"):
        kickoff(make_crew(), sink)
    assert chunks == 3


@check
@of("abort")
def check_abort_from_hooks_stops_the_crew() -> None:
    """gates.py: PRE_STEP and PRE_MODEL_CALL must exist, be reached, and let `HookAborted`
    through; a missing point leaves a gap in which a cancelled crew runs on."""
    from crewai.hooks import HookAborted, InterceptionPoint, register_hook, unregister_hook

    for point in (InterceptionPoint.PRE_STEP, InterceptionPoint.PRE_MODEL_CALL):

        def hook(_context: Any) -> None:
            raise HookAborted("cancelled")

        register_hook(point, hook)
        try:
            with pytest.raises(HookAborted, match="cancelled"):
                make_crew().kickoff(inputs={"message": "tea", "kind": "Tea"})
        finally:
            assert unregister_hook(point, hook)


@check
def check_abort_before_a_tool_keeps_the_tool_from_running() -> None:
    """gates.py: `HookAborted` at PRE_TOOL_CALL does not stop the crew (the next model call
    does), but the tool must not run: it may send or buy something."""
    from crewai.hooks import HookAborted, InterceptionPoint, register_hook, unregister_hook
    from crewai.tools import tool

    ran: list[str] = []

    @tool("buy")
    def buy(text: str) -> str:
        """Has an effect."""
        ran.append(text)
        return "bought"

    def hook(_context: Any) -> None:
        raise HookAborted("cancelled")

    register_hook(InterceptionPoint.PRE_TOOL_CALL, hook)
    try:
        make_crew(tools=[buy]).kickoff(inputs={"message": "tea", "kind": "Tea"})
    finally:
        assert unregister_hook(InterceptionPoint.PRE_TOOL_CALL, hook)
    assert ran == []
    make_crew(tools=[buy]).kickoff(inputs={"message": "tea", "kind": "Tea"})
    assert len(ran) == 1


@check
def check_crew_started_comes_before_callbacks_are_copied() -> None:
    """build.py `attach`: at `crew_kickoff_started` it is not too late to set the crew's
    step_callback and its agents' models, also for crews inside a flow. If it is, wrap
    `Crew.kickoff` instead."""
    heard: list[Any] = []

    def sink(source: Any, event: Any) -> None:
        if event.type == "crew_kickoff_started":
            source.step_callback = lambda answer: heard.append(type(answer).__name__)

    kickoff(make_crew(tools=[shout()]), sink)
    assert heard == ["AgentFinish"], heard


@check
def check_steps_that_the_step_callback_does_not_tell() -> None:
    """mapping.py tells native tool calls and answers of agents without tools as steps itself.
    If CrewAI calls step_callback for them now, drop that, or they are told twice."""
    heard: list[str] = []
    crew = make_crew(tools=[shout()], step_callback=lambda one: heard.append(type(one).__name__))
    crew.kickoff(inputs={"message": "tea", "kind": "Tea"})
    assert heard == ["AgentFinish"], heard
    heard.clear()
    crew = make_crew(step_callback=lambda one: heard.append(type(one).__name__))
    crew.kickoff(inputs={"message": "tea", "kind": "Tea"})
    assert heard == [], heard


@check
def check_model_events_say_where_they_belong() -> None:
    """mapping.py `_place`: task_id, agent_role and call_id on model events. Without them
    deltas of parallel tasks can't be told apart; fall back to context variables."""
    events: list[Any] = []
    crew = make_crew()
    kickoff(crew, lambda _source, event: events.append(event))
    calls = [event for event in events if event.type.startswith("llm_")]
    assert {event.task_id for event in calls} == {str(crew.tasks[0].id)}
    assert {event.agent_role for event in calls} == {"Tea Writer"}
    assert len({event.call_id for event in calls}) == 1
    (done,) = [event for event in calls if event.type == "llm_call_completed"]
    assert done.usage["completion_tokens"] == 60
    assert done.finish_reason == "stop"


@check
def check_tool_events_are_paired() -> None:
    """mapping.py `_tool_ended`: an ending names its beginning in started_event_id. Without
    it, pair by tool name and thread."""
    events: dict[str, Any] = {}
    kickoff(make_crew(tools=[shout()]), lambda _s, event: events.update({event.type: event}))
    started, finished = events["tool_usage_started"], events["tool_usage_finished"]
    assert finished.started_event_id == started.event_id
    assert started.tool_name == finished.tool_name == "shout"
    assert started.tool_args == {"text": "On tea"}


@check
@of("failure")
def check_a_tool_that_gave_up_says_why() -> None:
    """mapping.py `_tool_ended`: a tool that reports a failure instead of raising one has it in
    `failure` of its ending. If that is gone, such a tool is told as one that succeeded."""
    ended: list[Any] = []

    def sink(_source: Any, event: Any) -> None:
        if event.type == "tool_usage_finished":
            ended.append(event)

    kickoff(make_crew(tools=[shout()]), sink)
    assert [event.failure for event in ended] == [None]


@check
def check_a_tools_memory_error_is_seen() -> None:
    """tap.py: CrewAI swallows a tool's MemoryError; the error event must carry the exception
    itself, or running out of memory looks like a tool that failed."""
    from crewai.tools import tool

    @tool("hungry")
    def hungry(text: str) -> str:
        """Wants too much."""
        raise MemoryError

    errors: list[Any] = []

    def sink(_source: Any, event: Any) -> None:
        if event.type == "tool_usage_error":
            errors.append(event.error)

    kickoff(make_crew(tools=[hungry]), sink)
    assert [type(error) for error in errors] == [MemoryError], errors


@check
def check_chunk_handlers_that_are_dropped_exist() -> None:
    """tap.py `_trim_chunk_handling` drops the console's handler, quadratic in the reply. If it
    is gone, drop the dropping; if it has moved, follow it."""
    from crewai.events.event_bus import crewai_event_bus
    from crewai.events.types.llm_events import LLMStreamChunkEvent

    handlers = crewai_event_bus._sync_handlers.get(LLMStreamChunkEvent, frozenset())
    modules = [handler.__module__ for handler in handlers]
    assert modules == ["crewai.events.event_listener"], modules


@check
def check_chunks_are_recorded_by_a_method_that_can_be_replaced() -> None:
    """tap.py replaces `crewai_event_bus._record_event`, which keeps 2.7 KB per chunk. If the
    record moved, long replies grow the worker's memory again."""
    from crewai.events.event_bus import crewai_event_bus as bus

    kept: list[str] = []
    original = bus._record_event
    bus._record_event = lambda event: kept.append(event.type)  # type: ignore[method-assign]
    try:
        make_crew().kickoff(inputs={"message": "tea", "kind": "Tea"})
    finally:
        bus._record_event = original  # type: ignore[method-assign]
    assert kept.count("llm_stream_chunk") == 60


@check
def check_react_tools_are_run_by_tool_usage() -> None:
    """mapping.py knows ReAct tool calls, whose step the step_callback tells, by the class of
    their source. If it was renamed, such steps are told twice."""
    from sidecar.worker.engine.offline import OfflineLLM

    class React(OfflineLLM):
        def supports_function_calling(self) -> bool:
            return False

        def call(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            asked = any("Observation:" in str(one.get("content")) for one in messages[2:])
            if asked:
                return "Thought: done\nFinal Answer: TEA"
            return 'Thought: louder\nAction: shout\nAction Input: {"text": "tea"}'

    sources: list[str] = []

    def sink(source: Any, event: Any) -> None:
        if event.type == "tool_usage_finished":
            sources.append(type(source).__name__)

    kickoff(make_crew(llm=React(model="offline"), tools=[shout()]), sink)
    assert sources == ["ToolUsage"], sources
