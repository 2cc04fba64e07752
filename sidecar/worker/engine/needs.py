"""The undocumented things of CrewAI's that a run rests on, by what would break without them.

`crew-sidecar doctor` looks each up in the installed release; tests/worker/contracts holds that they
do what they are taken for.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["NEEDS", "Need", "missing"]


@dataclass(frozen=True)
class Need:
    """Something that has no successor here when it is gone."""

    without: str
    """What breaks, in words for a user."""
    places: tuple[str, ...]
    """`module:attribute.path` each; of several by `|` one is enough, where releases differ."""


_HUMAN: Final = "crewai.core.providers.human_input"
_CREW: Final = "crewai:Crew"
_BUS: Final = "crewai.events.event_bus:crewai_event_bus"

NEEDS: Final[Mapping[str, Need]] = {
    "events": Need(
        "nothing of a crew is heard",
        (
            "crewai.events.event_bus:publish_stream_event",
            "crewai.events.event_context:get_current_parent_id",
        ),
    ),
    "long replies": Need(
        "a long reply takes more and more memory and time",
        (
            f"{_BUS}._record_event",
            f"{_BUS}._sync_handlers",
            "crewai.events.types.llm_events:LLMStreamChunkEvent",
        ),
    ),
    "quiet logs": Need(
        "the boxes that CrewAI draws are told as what the crew printed",
        ("crewai.events.utils.console_formatter:ConsoleFormatter.print",),
    ),
    "stopping": Need(
        "a crew can't be paused, cancelled or told anything on its way",
        (
            "crewai.hooks:HookAborted",
            "crewai.hooks:register_hook",
            "crewai.hooks:InterceptionPoint.PRE_STEP",
            "crewai.hooks:InterceptionPoint.PRE_MODEL_CALL",
            "crewai.hooks:InterceptionPoint.PRE_TOOL_CALL",
        ),
    ),
    "streaming": Need(
        "replies come whole instead of word by word, and can't be cut off",
        ("crewai:BaseLLM._effective_stream", "crewai:BaseLLM._track_token_usage_internal"),
    ),
    "new texts": Need(
        "a task that has not begun can't be given another description",
        ("crewai:Task._original_description", f"{_CREW}._inputs"),
    ),
    "reviews": Need(
        "a task's output can't be reviewed in the browser",
        (f"{_HUMAN}:SyncHumanInputProvider.handle_feedback", f"{_HUMAN}:set_provider"),
    ),
    "questions": Need(
        "a Flow that asks gets no answer from the browser",
        (
            "crewai.flow.flow_config:flow_config.input_provider",
            "crewai.flow.flow_config:flow_config.hitl_provider",
            "crewai:Flow._resolve_input_provider",
            "crewai.flow:HumanFeedbackPending",
        ),
    ),
    "routes": Need("a Flow's decisions are told as any other method", ("crewai:Flow._is_router",)),
    "carrying on": Need(
        "a run whose worker died begins again from its first task",
        (
            f"{_CREW}.checkpoint_kickoff_event_id",
            "crewai.tasks.output_format:OutputFormat",
            "crewai.tasks.task_output:TaskOutput",
            "crewai.utilities.constants:NOT_SPECIFIED",
        ),
    ),
    "task outputs": Need(
        "runs at the same time empty each other's database of task outputs",
        (
            f"{_CREW}._task_output_handler",
            "crewai.memory.storage.kickoff_task_outputs_storage:KickoffTaskOutputsSQLiteStorage",
            "crewai.utilities.task_output_storage_handler:TaskOutputStorageHandler",
            "crewai_core.paths:get_project_directory_name",
        ),
    ),
    "locks": Need(
        "each run leaves a file in the system's temporary folder",
        ("crewai_core.lock_store:set_lock_backend", "crewai_core.lock_store:_redis_available"),
    ),
    "offline model": Need(
        "there is no crew without a key",
        (
            "crewai.llms.base_llm:llm_call_context",
            "crewai.events.types.llm_events:LLMCallType",
            "crewai:BaseLLM._emit_stream_chunk_event",
        ),
    ),
    "quick start": Need(
        "the first task of a run begins a little later",
        (
            "crewai.agents.agent_executor:AgentExecutor"
            "|crewai.experimental.agent_executor:AgentExecutor",
            "crewai.flow.runtime:FlowState",
        ),
    ),
    "crews in JSON": Need(
        "a project whose crew is a crew.jsonc can't be run",
        ("crewai.project.crew_loader:load_crew",),
    ),
}


def missing() -> dict[str, Need]:
    """What the installed release doesn't have, with only the places that are gone. Imports
    crewai."""
    found = {}
    for name, need in NEEDS.items():
        gone = tuple(one for one in need.places if not any(map(_is_there, one.split("|"))))
        if gone:
            found[name] = Need(need.without, gone)
    return found


def _is_there(place: str) -> bool:
    module, _, path = place.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for name in path.split("."):
            found = _attribute(found, name)
    except (ImportError, AttributeError):
        return False
    return True


def _attribute(of: Any, name: str) -> Any:
    """Raises AttributeError. A model of pydantic's has its fields elsewhere."""
    if isinstance(of, type):
        for where in ("model_fields", "__private_attributes__"):
            if name in getattr(of, where, {}):
                return None
    return getattr(of, name)
