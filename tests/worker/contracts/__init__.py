"""What this project takes for granted about CrewAI, run against the real one.

`python -m tests.worker.contracts` runs every check and prints {name: null or traceback}.
test_contract.py runs that in a process of its own and reports each check. The docstrings say what
breaks when a check fails after an upgrade, and what to do. What fails in an older release is `of`
something that sidecar/worker/engine/versions.py says it lacks, and `make crewai` sees to that.

CrewAI is imported inside the functions only, so that the names can be listed without it.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sidecar.worker.engine import versions

__all__ = [
    "all_checks",
    "check",
    "is_examined",
    "kickoff",
    "lack_of",
    "make_crew",
    "of",
    "shout",
    "storage",
]

_checks: dict[str, Callable[[], None]] = {}
_lacks: dict[str, str] = {}


def check(function: Callable[[], None]) -> Callable[[], None]:
    _checks[function.__name__] = function
    return function


def of(lack: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Of a check that fails where a release has that lack of versions.LACKS."""

    def mark(function: Callable[[], None]) -> Callable[[], None]:
        _lacks[function.__name__] = lack
        return function

    return mark


def lack_of(name: str) -> str | None:
    """What the check of that name is `of`."""
    all_checks()
    return _lacks.get(name)


def is_examined() -> bool:
    """Whether our lists have to be complete for it."""
    return versions.installed() == versions.EXAMINED


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


@contextmanager
def storage() -> Iterator[Path]:
    """A folder of its own that CrewAI keeps things in. Its handlers still write there when a
    kickoff has returned, so it goes once they are done."""
    from crewai.events.event_bus import crewai_event_bus

    before = os.environ["CREWAI_STORAGE_DIR"]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CREWAI_STORAGE_DIR"] = folder
        try:
            yield Path(folder)
        finally:
            assert crewai_event_bus.flush(timeout=30)
            os.environ["CREWAI_STORAGE_DIR"] = before


def shout() -> Any:
    from crewai.tools import tool

    @tool("shout")
    def shout(text: str) -> str:
        """Say it louder."""
        return text.upper()

    return shout
