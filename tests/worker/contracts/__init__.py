"""What this project takes for granted about CrewAI 1.15.30, run against the real one.

`python -m tests.worker.contracts` runs every check and prints {name: null or traceback}.
test_contract.py runs that in a process of its own and reports each check. The docstrings say what
breaks when a check fails after an upgrade, and what to do.

CrewAI is imported inside the functions only, so that the names can be listed without it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["all_checks", "check", "kickoff", "make_crew", "shout"]

_checks: dict[str, Callable[[], None]] = {}


def check(function: Callable[[], None]) -> Callable[[], None]:
    _checks[function.__name__] = function
    return function


def all_checks() -> Mapping[str, Callable[[], None]]:
    """By name, those of every module of this package."""
    for module in pkgutil.iter_modules(__path__):
        if module.name != "__main__":
            importlib.import_module(f"{__name__}.{module.name}")
    return _checks


def make_crew(llm: Any = None, tools: list[Any] | None = None, **options: Any) -> Any:
    from crewai import Agent, Crew, Task

    from sidecar.worker.engine.offline import OfflineLLM

    writer = Agent(
        role="{kind} Writer",
        goal="Write",
        backstory="Writes.",
        llm=llm or OfflineLLM(model="offline"),
        tools=tools or [],
    )
    first = Task(name="first", description="On {message}", expected_output="T", agent=writer)
    return Crew(agents=[writer], tasks=[first], **options)


def kickoff(crew: Any, sink: Callable[[Any, Any], None], message: str = "tea") -> Any:
    from crewai.events.stream_context import add_stream_sink

    add_stream_sink(sink)
    return crew.kickoff(inputs={"message": message, "kind": "Tea"})


def shout() -> Any:
    from crewai.tools import tool

    @tool("shout")
    def shout(text: str) -> str:
        """Say it louder."""
        return text.upper()

    return shout
