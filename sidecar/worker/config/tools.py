"""The tools that agents.yaml and tasks.yaml may name."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from sidecar.worker.config.problems import ConfigError, Problem

__all__ = ["Toolbox", "toolbox"]

Toolbox = Mapping[str, Callable[..., Any]]
"""By name: functions with a docstring and typed arguments, or CrewAI's own tools."""

_FILE: Final = Path("crew", "tools.py")
_NAME: Final = "crew.tools"


def toolbox() -> Toolbox:
    """`TOOLS` of `crew/tools.py` in the working folder; empty where there is no such file.

    Without a TOOLS it is what the file itself defines: functions, CrewAI's tools and classes of
    them. By its path, so that no other package called `crew` can come first. Raises ConfigError
    when it can't be imported or its TOOLS is no dict.
    """
    if not _FILE.is_file():
        return {}
    spec = importlib.util.spec_from_file_location(_NAME, _FILE.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[_NAME] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise _problem(f"cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(module, "TOOLS", None)
    if found is None:
        return {name: one for name, one in vars(module).items() if _is_tool(name, one)}
    if not isinstance(found, Mapping):
        raise _problem("TOOLS must be a dict of names and functions")
    return found


def _is_tool(name: str, value: Any) -> bool:
    """Without crewai, which the file may not need: a BaseTool has `_run`, and a `name` for it."""
    if name.startswith("_"):
        return False
    if inspect.isfunction(value) or inspect.isclass(value):
        own = value.__module__ == _NAME
        return own and (inspect.isfunction(value) or hasattr(value, "_run"))
    return hasattr(value, "_run") and hasattr(value, "name")


def _problem(message: str) -> ConfigError:
    return ConfigError([Problem(str(_FILE), 0, 0, "", message)])
