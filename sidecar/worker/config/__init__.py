"""agents.yaml and tasks.yaml, loaded and checked; needs no crewai."""

from __future__ import annotations

from sidecar.worker.config.load import AgentConfig, ConfigError, CrewConfig, TaskConfig, load
from sidecar.worker.config.tools import Toolbox, toolbox

__all__ = ["AgentConfig", "ConfigError", "CrewConfig", "TaskConfig", "Toolbox", "load", "toolbox"]
