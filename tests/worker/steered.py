"""Crews whose hosted model's replies are cut off, for `SIDECAR_CREW`; imported only by workers."""

from __future__ import annotations

import gc
import os
from typing import Any

import httpcore
from crewai import Agent, Crew, Flow, Task
from crewai.flow.flow import start

from sidecar.worker.engine.models import choose, create


def _writes(llm: Any = None) -> Crew:
    llm = llm or create(choose(os.environ))
    writer = Agent(role="Writer", goal="Write", backstory="Writes.", llm=llm)
    first = Task(name="first", description="On {message}", expected_output="Text", agent=writer)
    return Crew(agents=[writer], tasks=[first])


def collected_in_the_pool() -> Crew:
    """Garbage is collected where it does most harm: while the pool of connections is locked."""
    lock: Any = httpcore._synchronization.ThreadLock
    enter = lock.__enter__

    def enter_and_collect(self: Any) -> Any:
        entered = enter(self)
        gc.collect()
        return entered

    lock.__enter__ = enter_and_collect
    return _writes()


def never_collected() -> Crew:
    gc.disable()
    return _writes()


class NeverCollected(Flow[dict[str, Any]]):
    """The same without a crew, on an event loop."""

    _skip_auto_memory: bool = True

    @start()
    async def write(self) -> str:
        gc.disable()
        return str(await create(choose(os.environ)).acall("Write about {message}"))
