"""Crews for a picture of every state: one whose models are real clients of servers on loopback.

Where a crew's server is, the environment says: GALLERY_ and its name in capitals.
"""

from __future__ import annotations

import os

from crewai import LLM, Agent, Crew, Task

from sidecar.worker.engine.offline import OfflineLLM

__all__ = ["limited", "plan", "rejected", "report", "slow"]


def plan() -> Crew:
    """Three agents, three tasks, no network."""
    llm = OfflineLLM(model="offline")
    names = {
        "plan": ("Content Planner", "A plan for {message}."),
        "feel": ("Sentiment Analyst", "What people feel about {message}."),
        "trends": ("Trend Researcher", "What is new about {message}."),
    }
    tasks = [
        Task(
            name=name,
            description=what,
            expected_output="A page.",
            agent=Agent(role=role, goal=what, backstory="Works.", llm=llm),
        )
        for name, (role, what) in names.items()
    ]
    return Crew(agents=[task.agent for task in tasks if task.agent], tasks=tasks)


def report() -> Crew:
    """Writes all of Markdown that people see."""
    return _at("report")


def slow() -> Crew:
    """Writes for longer than anybody looks."""
    return _at("slow")


def rejected() -> Crew:
    """Has a key that the model's provider does not know."""
    return _at("rejected")


def limited() -> Crew:
    """Is asked to wait before it may try again."""
    return _at("limited")


def _at(server: str) -> Crew:
    llm = LLM(
        model="openai/gpt-4o-mini",
        base_url=os.environ[f"GALLERY_{server.upper()}"],
        api_key="sk-of-nobody",
    )
    agent = Agent(role="Writer", goal="Write", backstory="Writes.", llm=llm)
    task = Task(name="write", description="Write on {message}.", expected_output="", agent=agent)
    return Crew(agents=[agent], tasks=[task])
