"""Around every call of a model: asking.py, streaming.py, replies.py, usage.py."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from tests.worker.contracts import check


@check
def check_the_classes_that_stream_are_where_they_are_looked_for() -> None:
    """streaming.py `_RULES`: each class has its name, and asks `_effective_stream` for what it
    does; some of their modules can't be imported without their provider's client. If one moved,
    nobody's replies stream any more: name its new place. If it reads `stream` itself, patch that
    instead. test_providers.py runs each class on its own wire."""
    from sidecar.worker.engine.streaming import _RULES

    for name in _RULES:
        module, _, model = name.rpartition(".")
        spec = importlib.util.find_spec(module)
        assert spec is not None, name
        assert spec.origin is not None, name
        text = Path(spec.origin).read_text()
        assert f"\nclass {model}(" in text, name
        assert "if self._effective_stream():" in text, name


@check
def check_every_class_of_models_can_be_wrapped_when_it_is_made() -> None:
    """asking.py `install`: `call` and `acall` are each class's own, and `BaseLLM.__init_subclass__`
    sees every class that is made later. If CrewAI makes them otherwise, as by a metaclass, look
    for the one place that all calls go through."""
    from crewai import BaseLLM
    from crewai.llms.providers.openai.completion import OpenAICompletion

    from sidecar.worker.engine.asking import _created

    assert {"call", "acall"} <= vars(OpenAICompletion).keys()
    base: Any = BaseLLM
    own = vars(base).get("__init_subclass__")
    created, made = _created(base), []

    def noticed(model: Any, /, **kwargs: Any) -> None:
        created(model, **kwargs)
        made.append((model.__name__, "call" in vars(model)))

    base.__init_subclass__ = classmethod(noticed)
    try:

        class Own(BaseLLM):
            def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
                return "text"

    finally:
        if own is None:
            del base.__init_subclass__
        else:
            base.__init_subclass__ = own
    assert made == [("Own", True)]
    assert Own(model="own").call("hi") == "text"


@check
def check_a_model_counts_its_tokens_by_one_method() -> None:
    """usage.py `count`: every class counts by `_track_token_usage_internal`, its own or BaseLLM's,
    within the call. If it is gone, a reasoning agent's plan costs nothing again: read
    `_handle_tool_execution` for what its event has."""
    from crewai import BaseLLM

    from sidecar.worker.engine import usage
    from sidecar.worker.engine.asking import _track

    class Counted(BaseLLM):
        def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
            self._track_token_usage_internal({"prompt_tokens": 3, "completion_tokens": 2})
            return "text"

    Counted._track_token_usage_internal = _track(  # type: ignore[method-assign]
        BaseLLM._track_token_usage_internal
    )
    llm = Counted(model="own")
    with usage.counting():
        llm.call("hi")
        assert usage.tokens(None) == {"prompt_tokens": 3, "completion_tokens": 2}
        assert usage.tokens(None) == {}
    assert llm.get_token_usage_summary().prompt_tokens == 3
