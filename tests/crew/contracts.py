"""What this project takes for granted about CrewAI 1.15.30, run against the real one.

`python -m tests.crew.contracts` runs every `check_…` and prints {name: null or traceback}.
test_contract.py runs that in a process of its own and reports each check. The docstrings say what
breaks when a check fails after an upgrade, and what to do.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crew import environment

CHECKS: dict[str, Callable[[], None]] = {}


def check(function: Callable[[], None]) -> Callable[[], None]:
    CHECKS[function.__name__] = function
    return function


def _crew(llm: Any = None, tools: list[Any] | None = None, **options: Any) -> Any:
    from crewai import Agent, Crew, Task

    from crew.offline import OfflineLLM

    writer = Agent(
        role="{kind} Writer",
        goal="Write",
        backstory="Writes.",
        llm=llm or OfflineLLM(model="offline"),
        tools=tools or [],
    )
    first = Task(name="first", description="On {message}", expected_output="T", agent=writer)
    return Crew(agents=[writer], tasks=[first], **options)


def _kickoff(crew: Any, sink: Callable[[Any, Any], None], message: str = "tea") -> Any:
    from crewai.events.stream_context import add_stream_sink

    add_stream_sink(sink)
    return crew.kickoff(inputs={"message": message, "kind": "Tea"})


@check
def check_sink_hears_every_event_in_order_on_the_emitting_thread() -> None:
    """crew/tap.py: without `add_stream_sink` there is no ordered source. Look for its successor
    under `Flow.stream_events`; the bus's own handlers reorder and are no substitute."""
    heard: list[Any] = []
    _kickoff(_crew(), lambda _source, event: heard.append((event, threading.get_ident())))
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
def check_sink_is_not_heard_in_other_contexts() -> None:
    """crew/tap.py: the sink is scoped by a context variable. If it became global, one process
    could no longer hold two taps (only tests do)."""
    heard: list[Any] = []
    outside = contextvars.copy_context()
    contextvars.copy_context().run(_kickoff, _crew(), lambda _s, event: heard.append(event))
    before = len(heard)
    outside.run(_crew().kickoff, inputs={"message": "tea", "kind": "Tea"})
    assert before > 0
    assert len(heard) == before


@check
def check_abort_from_a_chunk_stops_the_crew_within_one_token() -> None:
    """crew/gates.py: `HookAborted` raised in the sink must pass every retry layer. If it is
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
        _kickoff(_crew(), sink)
    assert chunks == 3


@check
def check_abort_from_hooks_stops_the_crew() -> None:
    """crew/gates.py: PRE_STEP and PRE_MODEL_CALL must exist, be reached, and let `HookAborted`
    through; a missing point leaves a gap in which a cancelled crew runs on."""
    from crewai.hooks import HookAborted, InterceptionPoint, register_hook, unregister_hook

    for point in (InterceptionPoint.PRE_STEP, InterceptionPoint.PRE_MODEL_CALL):

        def hook(_context: Any) -> None:
            raise HookAborted("cancelled")

        register_hook(point, hook)
        try:
            with pytest.raises(HookAborted, match="cancelled"):
                _crew().kickoff(inputs={"message": "tea", "kind": "Tea"})
        finally:
            assert unregister_hook(point, hook)


@check
def check_abort_before_a_tool_keeps_the_tool_from_running() -> None:
    """crew/gates.py: `HookAborted` at PRE_TOOL_CALL does not stop the crew (the next model call
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
        _crew(tools=[buy]).kickoff(inputs={"message": "tea", "kind": "Tea"})
    finally:
        assert unregister_hook(InterceptionPoint.PRE_TOOL_CALL, hook)
    assert ran == []
    _crew(tools=[buy]).kickoff(inputs={"message": "tea", "kind": "Tea"})
    assert len(ran) == 1


def _shout() -> Any:
    from crewai.tools import tool

    @tool("shout")
    def shout(text: str) -> str:
        """Say it louder."""
        return text.upper()

    return shout


@check
def check_crew_started_comes_before_callbacks_are_copied() -> None:
    """crew/build.py `attach`: at `crew_kickoff_started` it is not too late to set the crew's
    step_callback and its agents' models, also for crews inside a flow. If it is, wrap
    `Crew.kickoff` instead."""
    heard: list[Any] = []

    def sink(source: Any, event: Any) -> None:
        if event.type == "crew_kickoff_started":
            source.step_callback = lambda answer: heard.append(type(answer).__name__)

    _kickoff(_crew(tools=[_shout()]), sink)
    assert heard == ["AgentFinish"], heard


@check
def check_steps_that_the_step_callback_does_not_tell() -> None:
    """crew/mapping.py tells native tool calls and answers of agents without tools as steps itself.
    If CrewAI calls step_callback for them now, drop that, or they are told twice."""
    heard: list[str] = []
    crew = _crew(tools=[_shout()], step_callback=lambda one: heard.append(type(one).__name__))
    crew.kickoff(inputs={"message": "tea", "kind": "Tea"})
    assert heard == ["AgentFinish"], heard
    heard.clear()
    crew = _crew(step_callback=lambda one: heard.append(type(one).__name__))
    crew.kickoff(inputs={"message": "tea", "kind": "Tea"})
    assert heard == [], heard


@check
def check_model_events_say_where_they_belong() -> None:
    """crew/mapping.py `_place`: task_id, agent_role and call_id on model events. Without them
    deltas of parallel tasks can't be told apart; fall back to context variables."""
    events: list[Any] = []
    crew = _crew()
    _kickoff(crew, lambda _source, event: events.append(event))
    calls = [event for event in events if event.type.startswith("llm_")]
    assert {event.task_id for event in calls} == {str(crew.tasks[0].id)}
    assert {event.agent_role for event in calls} == {"Tea Writer"}
    assert len({event.call_id for event in calls}) == 1
    (done,) = [event for event in calls if event.type == "llm_call_completed"]
    assert done.usage["completion_tokens"] == 60
    assert done.finish_reason == "stop"


@check
def check_tool_events_are_paired() -> None:
    """crew/mapping.py `_tool_ended`: an ending names its beginning in started_event_id. Without
    it, pair by tool name and thread."""
    events: dict[str, Any] = {}
    _kickoff(_crew(tools=[_shout()]), lambda _s, event: events.update({event.type: event}))
    started, finished = events["tool_usage_started"], events["tool_usage_finished"]
    assert finished.started_event_id == started.event_id
    assert started.tool_name == finished.tool_name == "shout"
    assert started.tool_args == {"text": "On tea"}
    assert finished.failure is None


@check
def check_a_tools_memory_error_is_seen() -> None:
    """crew/tap.py: CrewAI swallows a tool's MemoryError; the error event must carry the exception
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

    _kickoff(_crew(tools=[hungry]), sink)
    assert [type(error) for error in errors] == [MemoryError], errors


@check
def check_chunk_handlers_that_are_dropped_exist() -> None:
    """crew/tap.py `_trim_chunk_handling` drops the console's handler, quadratic in the reply. If it
    is gone, drop the dropping; if it has moved, follow it."""
    from crewai.events.event_bus import crewai_event_bus
    from crewai.events.types.llm_events import LLMStreamChunkEvent

    handlers = crewai_event_bus._sync_handlers.get(LLMStreamChunkEvent, frozenset())
    modules = [handler.__module__ for handler in handlers]
    assert modules == ["crewai.events.event_listener"], modules


@check
def check_chunks_are_recorded_by_a_method_that_can_be_replaced() -> None:
    """crew/tap.py replaces `crewai_event_bus._record_event`, which keeps 2.7 KB per chunk. If the
    record moved, long replies grow the worker's memory again."""
    from crewai.events.event_bus import crewai_event_bus as bus

    kept: list[str] = []
    original = bus._record_event
    bus._record_event = lambda event: kept.append(event.type)  # type: ignore[method-assign]
    try:
        _crew().kickoff(inputs={"message": "tea", "kind": "Tea"})
    finally:
        bus._record_event = original  # type: ignore[method-assign]
    assert kept.count("llm_stream_chunk") == 60


@check
def check_storage_is_looked_up_at_each_use() -> None:
    """crew/worker.py sets CREWAI_STORAGE_DIR after the fork. If CrewAI reads it at import, runs
    share one database, which each kickoff resets."""
    from crewai_core.paths import db_storage_path

    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["CREWAI_STORAGE_DIR"] = folder
            assert Path(db_storage_path()) == Path(folder)
            _crew().kickoff(inputs={"message": "tea", "kind": "Tea"})
            assert list(Path(folder).glob("*.db"))
    os.environ["CREWAI_STORAGE_DIR"] = tempfile.mkdtemp()


@check
def check_inputs_are_filled_in_once() -> None:
    """crew/build.py: a brief with {braces} is data. If CrewAI fills them in again, escape them."""
    prompts: list[str] = []

    def sink(_source: Any, event: Any) -> None:
        if event.type == "llm_call_started":
            prompts.append(str(event.messages))

    _kickoff(_crew(), sink, "a {kind} of {unknown} {message}")
    assert "a {kind} of {unknown} {message}" in prompts[0]


@check
def check_hosted_models_are_made_natively_and_stream() -> None:
    """crew/models.py: OpenAI, compatible servers and OpenRouter without litellm. If a route moved,
    `create` fails with CrewAI's own words; adjust `provider`."""
    from crew.models import choose, create

    for variables, name in (
        ({"OPENAI_API_KEY": "sk-0123456789"}, "OpenAICompletion"),
        ({"OPENROUTER_API_KEY": "sk-0123456789"}, "OpenAICompatibleCompletion"),
        (
            {"OPENAI_API_KEY": "sk-0123456789", "OPENAI_BASE_URL": "http://localhost:1/v1"}
            | {"OPENAI_MODEL": "vendor/any"},
            "OpenAICompletion",
        ),
    ):
        llm = create(choose(variables))
        assert type(llm).__name__ == name
        assert llm.stream is True
        assert type(llm).__module__.startswith("crewai.llms.providers.openai")
    assert llm.model == "vendor/any"
    assert llm.base_url == "http://localhost:1/v1"


@check
def check_default_model_without_a_key_can_be_recognised() -> None:
    """crew/build.py `_hopeless`: an agent without a model gets CrewAI's OpenAI default, without a
    key, and the offline model takes its place. If CrewAI refuses such an agent at once, catch that
    in `from_target`."""
    from crewai import Agent

    from crew.build import _hopeless
    from crew.models import named

    agent = Agent(role="R", goal="G", backstory="B")
    assert _hopeless(agent.llm, named("offline"))


@check
def check_config_options_are_crewais_own() -> None:
    """crew/config.py: each option of an agent or task must be an argument of CrewAI's; remove or
    rename those that are not."""
    from crewai import Agent, Task

    from crew import config

    assert not set(config._AGENT_OPTIONS) - set(Agent.model_fields)
    assert not set(config._TASK_OPTIONS) - set(Task.model_fields)


@check
def check_telemetry_is_off() -> None:
    """crew/environment.py: with these variables CrewAI sends nothing. If a check fails, prompts may
    be leaving the machine: find the new switch before anything else."""
    from crewai.telemetry.telemetry import Telemetry

    assert Telemetry().ready is False
    assert not any(
        "Span" in thread.name or "Otel" in thread.name for thread in threading.enumerate()
    )


@check
def check_react_tools_are_run_by_tool_usage() -> None:
    """crew/mapping.py knows ReAct tool calls, whose step the step_callback tells, by the class of
    their source. If it was renamed, such steps are told twice."""
    from crew.offline import OfflineLLM

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

    _kickoff(_crew(llm=React(model="offline"), tools=[_shout()]), sink)
    assert sources == ["ToolUsage"], sources


def _recorder() -> Any:
    """An offline model that keeps the message lists it was called with, and copies of them."""
    from crew.offline import OfflineLLM

    class Recorder(OfflineLLM):
        _lists: list[Any] = []  # noqa: RUF012  (pydantic copies them for each instance)
        _prompts: list[Any] = []  # noqa: RUF012

        def call(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            self._lists.append(messages)
            self._prompts.append(list(messages))
            return super().call(messages, *args, **kwargs)

    return Recorder(model="offline")


@contextlib.contextmanager
def _hooked(point: str, hook: Callable[[Any], None]) -> Iterator[None]:
    from crewai.hooks import InterceptionPoint, register_hook, unregister_hook

    register_hook(InterceptionPoint(point), hook)
    try:
        yield
    finally:
        unregister_hook(InterceptionPoint(point), hook)


@check
def check_model_hook_has_the_list_that_the_model_is_given() -> None:
    """crew/steering.py: what PRE_MODEL_CALL appends must be in the prompt, and stay in the
    executor's conversation. If the hook is given a copy, return the list from the hook or set it
    on `ctx.executor`."""
    llm = _recorder()
    hooked: list[Any] = []

    def hook(context: Any) -> None:
        hooked.append(context.messages)
        if len(hooked) == 1:
            context.messages.append({"role": "user", "content": "steer"})

    with _hooked("pre_model_call", hook):
        _crew(llm, [_shout()]).kickoff(inputs={"message": "tea", "kind": "Tea"})
    assert len(hooked) == len(llm._lists) == 2
    assert all(ours is theirs for ours, theirs in zip(hooked, llm._lists, strict=True))
    assert [one["content"] for one in llm._lists[1]].count("steer") == 1


@check
def check_a_cut_reply_can_be_asked_for_again() -> None:
    """crew/steering.py: a HookAborted from a chunk leaves `llm.call`, a second call in its place
    satisfies the agent, and the model hooks are not run again for it (or an instruction would be
    in the prompt twice)."""
    from crewai.hooks import HookAborted

    llm = _recorder()
    events: list[str] = []
    hooked: list[Any] = []

    class Again(type(llm)):  # type: ignore[misc]
        def call(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().call(messages, *args, **kwargs)
            except HookAborted:
                return super().call(messages, *args, **kwargs)

    def sink(_source: Any, event: Any) -> None:
        events.append(event.type)
        if event.type == "llm_stream_chunk" and events.count(event.type) == 3:
            raise HookAborted("cut off", source="test")

    with _hooked("pre_model_call", hooked.append):
        result = _kickoff(_crew(Again(model="offline")), sink)
    assert result.raw.startswith("[offline model]")
    assert len(hooked) == 1
    failures = [type for type in events if type.endswith(("_failed", "_error"))]
    assert failures == ["llm_call_failed"], failures


@check
def check_texts_changed_before_a_task_are_in_its_prompt() -> None:
    """crew/steering.py `_before_step`: a task's and its agent's texts may change at PRE_STEP, their
    templates are in `_original_…` and the crew's inputs in `_inputs`. If the prompt is made before,
    change the tasks when the order comes instead."""
    llm = _recorder()
    crews: list[Any] = []

    def hook(context: Any) -> None:
        if context.kind == "task":
            task, agent = context.task, context.agent
            crews.append(agent.crew)
            assert agent.crew._inputs == {"message": "tea", "kind": "Tea"}
            assert task._original_description == "On {message}"
            assert task._original_expected_output == "T"
            assert (agent._original_goal, agent._original_backstory) == ("Write", "Writes.")
            task.description, task.expected_output = "new description", "new output"
            agent.goal, agent.backstory = "new goal", "new story"

    with _hooked("pre_step", hook):
        _crew(llm).kickoff(inputs={"message": "tea", "kind": "Tea"})
    assert len(crews) == 1
    prompt = repr(llm._lists[0])
    for text in ("new description", "new output", "new goal", "new story"):
        assert text in prompt, prompt


@check
def check_template_variables_look_as_ours() -> None:
    """crew/build.py `fill` replaces the same placeholders as CrewAI does at kickoff, so that a
    description given later reads like one given at the start."""
    from crewai.utilities.string_utils import interpolate_only

    from crew.build import fill

    text = 'a {x} {x-y} {_z1} {"json": 1} { x } {1} {{x}}'
    inputs: dict[str, Any] = {"x": 1, "x-y": "two", "_z1": [3]}
    assert fill(text, inputs) == interpolate_only(text, inputs)


@check
def check_the_reviewer_is_asked_on_every_thread_of_a_crew() -> None:
    """crew/questions.py: `set_provider` is a context variable that asynchronous tasks inherit;
    `human_input` may be set until the task starts; feedback goes in by `_format_feedback_message`
    and `_invoke_loop`. Look for the successor in crewai/core/providers."""
    from crewai.core.providers.human_input import SyncHumanInputProvider, set_provider

    asked: list[tuple[str, int]] = []

    class Reviewer(SyncHumanInputProvider):
        def handle_feedback(self, formatted_answer: Any, context: Any) -> Any:
            asked.append((self._get_output_string(formatted_answer), threading.get_ident()))
            context.messages.append(context._format_feedback_message("shorter"))
            answer = context._invoke_loop()
            context.ask_for_human_input = False
            return answer

    set_provider(Reviewer())
    llm = _recorder()
    crew = _crew(llm)
    crew.tasks[0].async_execution = True

    def sink(source: Any, event: Any) -> None:
        if event.type == "crew_kickoff_started":
            source.tasks[0].human_input = True

    result = _kickoff(crew, sink)
    ((output, thread),) = asked
    assert output.startswith("[offline model]")
    assert thread != threading.get_ident()
    assert ["shorter" in repr(prompt) for prompt in llm._prompts] == [False, True]
    assert result.raw.startswith("[offline model]")


@check
def check_flows_ask_the_configured_provider() -> None:
    """crew/questions.py: `flow_config` gives flows their default providers, `ask` swallows an
    Exception of a provider's and nothing beyond. If it swallows less, `_Cancelled` can go."""
    from crewai import Flow
    from crewai.flow import human_feedback
    from crewai.flow.flow import start
    from crewai.flow.flow_config import flow_config

    class Provider:
        def request_feedback(self, context: Any, flow: Any) -> str:
            return f"{context.message} {context.method_output}"

        def request_input(self, message: str, flow: Any, metadata: Any = None) -> str:
            if message == "exception":
                raise ValueError
            if message == "beyond":
                raise Beyond
            return f"{message} yes"

    class Beyond(BaseException):
        pass

    class Asks(Flow[dict[str, Any]]):
        @start()
        def begin(self) -> list[str | None]:
            return [self.ask("tea?"), self.ask("exception")]

    class AsksBeyond(Flow[dict[str, Any]]):
        @start()
        def begin(self) -> str | None:
            return self.ask("beyond")

    class IsReviewed(Flow[dict[str, Any]]):
        @start()
        @human_feedback(message="good?")
        def begin(self) -> str:
            return "draft"

    flow_config.input_provider = flow_config.hitl_provider = Provider()
    try:
        assert Asks().kickoff() == ["tea? yes", None]
        with pytest.raises(Beyond):
            AsksBeyond().kickoff()
        assert IsReviewed().kickoff().feedback == "good? draft"
    finally:
        flow_config.input_provider = flow_config.hitl_provider = None


def main() -> None:
    os.environ.update({"CREW_MODEL": "offline", "OFFLINE_TOKEN_MS": "0"})
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENROUTER_API_KEY"):
        os.environ.pop(name, None)
    environment.prepare(Path(tempfile.mkdtemp()))
    os.environ["CREWAI_STORAGE_DIR"] = tempfile.mkdtemp()
    results: dict[str, str | None] = {}
    for name, function in CHECKS.items():
        try:
            contextvars.copy_context().run(function)
            results[name] = None
        except BaseException:
            results[name] = traceback.format_exc()
    sys.__stdout__.write("\n" + json.dumps(results) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]
    os._exit(0)


if __name__ == "__main__":
    main()
