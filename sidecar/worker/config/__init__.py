"""agents.yaml, tasks.yaml, crew.yaml, loaded and checked; no crewai, and pydantic only to load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sidecar.worker.config.files import CrewConfig, load
from sidecar.worker.config.problems import ConfigError
from sidecar.worker.config.references import Reference
from sidecar.worker.config.reserved import is_reserved
from sidecar.worker.config.tools import Toolbox, toolbox

if TYPE_CHECKING:
    from sidecar.worker.config.keys import AgentConfig as AgentConfig
    from sidecar.worker.config.keys import TaskConfig as TaskConfig
    from sidecar.worker.config.keys import Team as Team

__all__ = ["ConfigError", "CrewConfig", "Reference", "Toolbox", "is_reserved", "load", "toolbox"]
