"""A crew for the browser tests, served through `SIDECAR_CREW`."""

from __future__ import annotations

from crewai import Agent, Crew, Task

from sidecar.worker.engine.offline import OfflineLLM


def writer() -> Crew:
    """One agent, one task, no tool: the run is one reply of the offline model."""
    agent = Agent(role="Writer", goal="Write", backstory="Writes.", llm=OfflineLLM(model="offline"))
    task = Task(name="write", description="Write on {message}.", expected_output="", agent=agent)
    return Crew(agents=[agent], tasks=[task])
