"""Words of PROTOCOL.md for what CrewAI does beside executing tasks: memory, knowledge, MCP and so
on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass
from typing import Any, Final

from sidecar.worker.engine.digest import bounded

__all__ = ["OTHERS", "WORDS", "Word"]

_MAX_CHARACTERS: Final = 16 * 1024
"""Of one field: a plan, or what a memory knows, is worth reading whole."""


@dataclass(frozen=True, slots=True)
class Word:
    """`fields` are CrewAI's names; `ours=theirs` renames one, `#` counts it, and milliseconds
    (`_ms`) become seconds."""

    type: str
    operation: str | None
    fields: tuple[str, ...]

    def type_of(self, event: Any) -> str:
        """CrewAI's A2A has one class for both ends of a conversation."""
        failed = self.type == "a2a.completed" and getattr(event, "status", None) == "failed"
        return "a2a.failed" if failed else self.type

    def data(self, event: Any) -> dict[str, Any]:
        """`call` pairs an end with its beginning; `operation` tells what was begun."""
        data: dict[str, Any] = {"call": event.started_event_id or event.event_id}
        if self.operation is not None:
            data["operation"] = self.operation
        for field in self.fields:
            ours, _, theirs = field.partition("=")
            value = _read(event, theirs or ours)
            if value is not None:
                data[ours] = value
        return data


def _read(event: Any, name: str) -> Any:
    value = getattr(event, name.removeprefix("#"), None)
    if name.startswith("#"):
        return len(value) if isinstance(value, Sized) else None
    if name.endswith("_ms"):
        return None if value is None else round(value / 1000, 6)
    return bounded(value, _MAX_CHARACTERS)


def _words(noun: str, operation: str, **ends: tuple[str, str]) -> dict[str, Word]:
    """Of one operation: (CrewAI's type, fields) of each of `started`, `completed` and `failed`."""
    return {
        theirs: Word(f"{noun}.{verb}", operation, tuple(fields.split()))
        for verb, (theirs, fields) in ends.items()
    }


_MCP: Final = "server=server_name transport=transport_type"
_A2A: Final = "endpoint context=context_id"
_STEP: Final = "step=step_number text=step_description"

WORDS: Final[Mapping[str, Word]] = {
    "llm_guardrail_started": Word(
        "guardrail.started",
        None,
        ("retry=retry_count", "kind=guardrail_type", "name=guardrail_name"),
    ),
    "llm_guardrail_completed": Word(
        "guardrail.completed", None, ("retry=retry_count", "success", "error")
    ),
    **_words(
        "memory",
        "query",
        started=("memory_query_started", "query limit"),
        completed=("memory_query_completed", "query found=#results seconds=query_time_ms"),
        failed=("memory_query_failed", "query error"),
    ),
    **_words(
        "memory",
        "save",
        started=("memory_save_started", "value"),
        completed=("memory_save_completed", "value seconds=save_time_ms"),
        failed=("memory_save_failed", "value error"),
    ),
    **_words(
        "memory",
        "retrieval",
        started=("memory_retrieval_started", ""),
        completed=(
            "memory_retrieval_completed",
            "content=memory_content seconds=retrieval_time_ms",
        ),
        failed=("memory_retrieval_failed", "error"),
    ),
    **_words(
        "knowledge",
        "query",
        started=("knowledge_query_started", "prompt=task_prompt"),
        completed=("knowledge_query_completed", "query"),
        failed=("knowledge_query_failed", "error"),
    ),
    **_words(
        "knowledge",
        "search",
        started=("knowledge_search_query_started", ""),
        completed=("knowledge_search_query_completed", "query content=retrieved_knowledge"),
        failed=("knowledge_search_query_failed", "query error"),
    ),
    **_words(
        "mcp",
        "connection",
        started=("mcp_connection_started", _MCP),
        completed=("mcp_connection_completed", f"{_MCP} seconds=connection_duration_ms"),
        failed=("mcp_connection_failed", f"{_MCP} error"),
    ),
    **_words(
        "mcp",
        "tool",
        started=("mcp_tool_execution_started", f"{_MCP} tool=tool_name args=tool_args"),
        completed=(
            "mcp_tool_execution_completed",
            f"{_MCP} tool=tool_name output=result seconds=execution_duration_ms",
        ),
        failed=("mcp_tool_execution_failed", f"{_MCP} tool=tool_name error"),
    ),
    **_words("mcp", "config", failed=("mcp_config_fetch_failed", "server=slug error")),
    **_words(
        "reasoning",
        "plan",
        started=("agent_reasoning_started", "attempt"),
        completed=("agent_reasoning_completed", "attempt plan ready"),
        failed=("agent_reasoning_failed", "attempt error"),
    ),
    **_words(
        "reasoning",
        "step",
        started=("plan_step_started", f"{_STEP} tool=tool_to_use"),
        completed=("plan_step_completed", f"{_STEP} success result error"),
    ),
    **_words(
        "reasoning",
        "observation",
        started=("step_observation_started", _STEP),
        completed=(
            "step_observation_completed",
            f"{_STEP} success=step_completed_successfully learned=key_information_learned "
            "replan=needs_full_replan reason=replan_reason done=goal_already_achieved",
        ),
        failed=("step_observation_failed", f"{_STEP} error"),
    ),
    **_words(
        "skill",
        "discovery",
        started=("skill_discovery_started", "path=search_path"),
        completed=(
            "skill_discovery_completed",
            "path=search_path skills=skill_names",
        ),
    ),
    **_words(
        "skill",
        "load",
        completed=("skill_loaded", "skill=skill_name path=skill_path"),
        failed=("skill_load_failed", "skill=skill_name path=skill_path error"),
    ),
    **_words("skill", "activate", completed=("skill_activated", "skill=skill_name")),
    **_words("skill", "use", completed=("skill_used", "skill=skill_name")),
    **_words(
        "a2a",
        "delegation",
        started=("a2a_delegation_started", f"{_A2A} turn=turn_number text=task_description"),
        completed=("a2a_delegation_completed", f"{_A2A} status output=result error"),
    ),
    **_words(
        "a2a",
        "conversation",
        started=("a2a_conversation_started", _A2A),
        completed=(
            "a2a_conversation_completed",
            f"{_A2A} status output=final_result turns=total_turns error",
        ),
    ),
    **_words(
        "a2a",
        "delegations",
        started=("a2a_parallel_delegation_started", "endpoints text=task_description"),
        completed=(
            "a2a_parallel_delegation_completed",
            "endpoints succeeded=success_count failed=failure_count",
        ),
    ),
    **_words(
        "a2a",
        "served",
        started=("a2a_server_task_started", "context=context_id"),
        completed=("a2a_server_task_completed", "context=context_id output=result"),
        failed=("a2a_server_task_failed", "context=context_id error"),
    ),
    **_words("a2a", "connection", failed=("a2a_connection_error", f"{_A2A} error")),
    **_words("a2a", "authentication", failed=("a2a_authentication_failed", f"{_A2A} error")),
}
"""By CrewAI's event type."""

OTHERS: Final = frozenset(
    {
        *("agent_evaluation_started", "agent_evaluation_completed", "agent_evaluation_failed"),
        *("a2a_agent_card_fetched", "a2a_artifact_received", "a2a_content_type_negotiated"),
        *("a2a_context_completed", "a2a_context_created", "a2a_context_expired"),
        *("a2a_context_idle", "a2a_context_pruned", "a2a_message_sent", "a2a_polling_started"),
        *("a2a_polling_status", "a2a_push_notification_received"),
        *("a2a_push_notification_registered", "a2a_push_notification_sent"),
        *("a2a_push_notification_timeout", "a2a_response_received", "a2a_server_task_canceled"),
        *("a2a_streaming_started", "a2a_transport_negotiated"),
        *("checkpoint_started", "checkpoint_completed", "checkpoint_failed", "checkpoint_pruned"),
        *("checkpoint_fork_started", "checkpoint_fork_completed"),
        *("checkpoint_restore_started", "checkpoint_restore_completed"),
        "checkpoint_restore_failed",
        *("context_window_summarization_started", "context_window_summarization_completed"),
        "context_window_summarization_failed",
        *("conversation_message_added", "conversation_route_selected"),
        *("conversation_turn_started", "conversation_turn_completed", "conversation_turn_failed"),
        *("crew_test_started", "crew_test_completed", "crew_test_failed", "crew_test_result"),
        *("crew_train_started", "crew_train_completed", "crew_train_failed"),
        *("flow_input_requested", "flow_input_received", "flow_paused", "flow_plot"),
        *("human_feedback_requested", "human_feedback_received", "method_execution_paused"),
        *("goal_achieved_early", "plan_refinement", "plan_replan_triggered"),
        *("skill_download_started", "skill_download_completed", "task_evaluation"),
        *("tool_execution_error", "tool_failure_detected", "tool_selection_error"),
        "tool_validate_input_error",
        *("SIGTERM", "SIGINT", "SIGHUP", "SIGTSTP", "SIGCONT"),
    }
)
"""CrewAI's types that are told as `event`, with a digest. So is any that nobody here knows yet."""
