"""What is changed in a running crew, and asked of a person: modifications.py, questions.py."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.worker.contracts import check, kickoff, make_crew, shout


def _recorder() -> Any:
    """An offline model that keeps the message lists it was called with, and copies of them."""
    from sidecar.worker.engine.offline import OfflineLLM

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
    """modifications.py: what PRE_MODEL_CALL appends must be in the prompt, and stay in the
    executor's conversation. If the hook is given a copy, return the list from the hook or set it
    on `ctx.executor`."""
    llm = _recorder()
    hooked: list[Any] = []

    def hook(context: Any) -> None:
        hooked.append(context.messages)
        if len(hooked) == 1:
            context.messages.append({"role": "user", "content": "steer"})

    with _hooked("pre_model_call", hook):
        make_crew(llm, [shout()]).kickoff(inputs={"message": "tea", "kind": "Tea"})
    assert len(hooked) == len(llm._lists) == 2
    assert all(ours is theirs for ours, theirs in zip(hooked, llm._lists, strict=True))
    assert [one["content"] for one in llm._lists[1]].count("steer") == 1


@check
def check_a_cut_reply_can_be_asked_for_again() -> None:
    """modifications.py: a HookAborted from a chunk leaves `llm.call`, a second call in its place
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
        result = kickoff(make_crew(Again(model="offline")), sink)
    assert result.raw.startswith("[offline model]")
    assert len(hooked) == 1
    failures = [type for type in events if type.endswith(("_failed", "_error"))]
    assert failures == ["llm_call_failed"], failures


@check
def check_texts_changed_before_a_task_are_in_its_prompt() -> None:
    """modifications.py `_before_step`: a task's and its agent's texts may change at PRE_STEP, their
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
        make_crew(llm).kickoff(inputs={"message": "tea", "kind": "Tea"})
    assert len(crews) == 1
    prompt = repr(llm._lists[0])
    for text in ("new description", "new output", "new goal", "new story"):
        assert text in prompt, prompt


@check
def check_the_reviewer_is_asked_on_every_thread_of_a_crew() -> None:
    """questions.py: `set_provider` is a context variable that asynchronous tasks inherit;
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
    crew = make_crew(llm)
    crew.tasks[0].async_execution = True

    def sink(source: Any, event: Any) -> None:
        if event.type == "crew_kickoff_started":
            source.tasks[0].human_input = True

    result = kickoff(crew, sink)
    ((output, thread),) = asked
    assert output.startswith("[offline model]")
    assert thread != threading.get_ident()
    assert ["shorter" in repr(prompt) for prompt in llm._prompts] == [False, True]
    assert result.raw.startswith("[offline model]")


@check
def check_flows_ask_the_configured_provider() -> None:
    """questions.py: `flow_config` gives flows their default providers, `ask` swallows an
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
