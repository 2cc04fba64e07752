"""What asks a person, and what comes back: questions.py and worker/outputs.py."""

from __future__ import annotations

import inspect
from typing import Any

from tests.worker.contracts import check


@check
def check_a_flows_ask_takes_a_timeout_and_looks_its_provider_up() -> None:
    """questions.py keeps the time itself. If `ask` or `_resolve_input_provider` changed, a question
    stays open in the browser when the flow has given up; see Flow.ask in crewai/flow/runtime."""
    from crewai import Flow

    assert list(inspect.signature(Flow.ask).parameters) == [
        "self",
        "message",
        "timeout",
        "metadata",
    ]
    mine = object()
    flow: Any = Flow()
    flow.input_provider = mine
    assert flow._resolve_input_provider() is mine


@check
def check_a_kickoff_returns_feedback_that_is_to_come_and_resumes_in_the_same_process() -> None:
    """questions.py waits for it, around `kickoff_async`, which `kickoff` runs."""
    from crewai import Flow
    from crewai.flow import HumanFeedbackPending, human_feedback, listen, start

    class Later:
        def request_feedback(self, context: Any, _flow: Any) -> str:
            raise HumanFeedbackPending(context=context)

    class Asking(Flow[dict[str, Any]]):
        _skip_auto_memory: bool = True

        @start()
        @human_feedback(message="Good?", provider=Later())
        def write(self) -> str:
            return "a draft"

        @listen(write)
        def told(self, result: Any) -> str:
            return f"told: {result.feedback}"

    flow = Asking()
    pending = flow.kickoff()
    assert isinstance(pending, HumanFeedbackPending)
    assert (pending.context.message, pending.context.method_name) == ("Good?", "write")
    private: Any = flow
    private._pending_feedback_context, private._is_execution_resuming = pending.context, True
    assert flow.resume("yes") == "told: yes"


@check
def check_outputs_have_their_text_and_their_structure_where_they_are_looked_for() -> None:
    """worker/outputs.py reads `raw`, `pydantic` and `json_dict` of whatever has them."""
    from crewai import CrewOutput, TaskOutput
    from crewai.lite_agent_output import LiteAgentOutput

    for output in (CrewOutput, TaskOutput):
        assert {"raw", "pydantic", "json_dict"} <= output.model_fields.keys()
    assert {"raw", "pydantic"} <= LiteAgentOutput.model_fields.keys()
