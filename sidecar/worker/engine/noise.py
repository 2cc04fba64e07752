"""What CrewAI says of itself, and nobody needs to see. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["NOISE", "is_internal"]

NOISE: Final[Mapping[str, str]] = {
    "a2a_streaming_chunk": "a2a_response_received has the whole of it, once for all chunks",
    "agent_logs_execution": "the console's copy of what is told as step",
    "agent_logs_started": "the console's copy of what is told as agent.started",
    "cc_env": "says in which editor crewai was started, for its makers' statistics",
    "codex_env": "the same",
    "cursor_env": "the same",
    "default_env": "the same",
    "flow_created": "a flow object was made; flow.started tells when it runs",
    "hook_dispatched": "a hook was asked, ours too, at each call; what came of it is told",
}
"""CrewAI's event types that are told to nobody, and why."""


def is_internal(flow: Any) -> bool:
    """Whether `flow` is a part of CrewAI that happens to be built as one: the executor of an agent,
    a memory's saving and recalling. Not `crewai.flow`: a flow of a user's YAML is of its class."""
    module = type(flow).__module__
    return module.startswith("crewai.") and not module.startswith("crewai.flow.")
