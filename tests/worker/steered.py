"""Crews whose hosted model's replies are cut off, for `SIDECAR_CREW`; imported only by workers."""

from __future__ import annotations

import gc
import os
from typing import Any

import httpcore
from crewai import LLM, Agent, Crew, Flow, Process, Task
from crewai.flow.flow import start
from crewai.tools import tool

from sidecar.worker.engine.models import choose, create
from sidecar.worker.engine.offline import OfflineLLM


def _writes(llm: Any = None, **options: Any) -> Crew:
    options["llm"] = llm or create(choose(os.environ))
    writer = Agent(role="Writer", goal="Write", backstory="Writes.", **options)
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


class Planning(Flow[dict[str, Any]]):
    """An agent that plans before it writes; returns the tokens that its model has counted."""

    _skip_auto_memory: bool = True

    @start()
    def write(self) -> str:
        llm = create(choose(os.environ))
        _writes(llm, reasoning=True).kickoff(inputs=self.state)
        usage = llm.get_token_usage_summary()
        return f"{usage.prompt_tokens} {usage.completion_tokens}"


def named_only() -> Crew:
    """The models of its manager, its planner and its writer are named, not made."""
    name = "gpt-4o-mini"
    writer = Agent(role="Writer", goal="Write", backstory="Writes.", llm=name)
    first = Task(name="first", description="On {message}", expected_output="Text", agent=writer)
    return Crew(
        agents=[writer],
        tasks=[first],
        process=Process.hierarchical,
        manager_llm=name,
        planning=True,
        planning_llm=name,
    )


def swallows() -> Crew:
    """A model of the user's own that takes whatever stops it for the end of the reply."""

    class Swallows(OfflineLLM):
        def call(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().call(messages, *args, **kwargs)
            except Exception:
                return "cut short"

    os.environ["OFFLINE_TOKEN_MS"] = "5"
    return _writes(Swallows(model="offline"))


def responses_only() -> Crew:
    """A model whose user doesn't know which of OpenAI's APIs it is for."""

    @tool("shout")
    def shout(text: str) -> str:
        """Say it louder."""
        return text.upper()

    return _writes(LLM("gpt-4o-mini"), tools=[shout])
