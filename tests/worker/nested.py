"""Crews within flows, tools, threads and each other, as users nest them.

Imported only by workers.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from crewai import Agent, Crew, Flow, Process, Task
from crewai.flow.flow import and_, listen, or_, router, start
from crewai.tools import tool

from sidecar.worker.engine.models import choose, create
from sidecar.worker.engine.offline import OfflineLLM


def _agent(role: str, **options: Any) -> Agent:
    return Agent(role=role, goal="Write", backstory="Writes.", llm=_llm(), **options)


def _llm() -> Any:
    return create(choose(os.environ))


def _team(role: str, name: str | None = "work", **options: Any) -> Crew:
    """One task of that name, done by somebody in that role."""
    writer = _agent(role, **options)
    only = Task(name=name, description=f"{role} on {{message}}", expected_output="T", agent=writer)
    return Crew(name=f"{role}'s crew", agents=[writer], tasks=[only])


class Forgetful(Flow[dict[str, Any]]):
    _skip_auto_memory: bool = True


class Branches(Forgetful):
    """Two starts at once, a join, a router, and a loop of two rounds."""

    @start()
    async def left(self) -> str:
        return str(await _team("Left").kickoff_async(inputs={"message": "tea"}))

    @start()
    def right(self) -> str:
        return str(_team("Right").kickoff(inputs={"message": "tea"}))

    @listen(and_(left, right))
    def join(self) -> str:
        self.state["rounds"] = 0
        return "joined"

    @router(or_(join, "again"))
    def decide(self) -> str:
        self.state["rounds"] += 1
        _team("Judge").kickoff(inputs={"message": "tea"})
        return "again" if self.state["rounds"] < 2 else "done"

    @listen("done")
    def finish(self) -> str:
        return str(_llm().call("Say goodbye"))


class Parallel(Forgetful):
    """Chapters written by crews at the same time, as in CrewAI's own book example."""

    @start()
    async def chapters(self) -> str:
        crews = [_team(f"Author {number}").akickoff(inputs={}) for number in range(3)]
        return str(len(await asyncio.gather(*crews)))


class ForEach(Forgetful):
    @start()
    def items(self) -> str:
        team = _team("Writer")
        return str(len(team.kickoff_for_each([{"message": f"item {n}"} for n in range(3)])))


class Threads(Forgetful):
    """Crews in threads of the user's own, which have no context."""

    @start()
    async def both(self) -> str:
        with ThreadPoolExecutor(2) as pool:
            teams = [_team(role) for role in ("One", "Two")]
            outputs = list(pool.map(lambda team: team.kickoff(inputs={}), teams))
        loop = asyncio.get_running_loop()
        outputs.append(await loop.run_in_executor(None, lambda: _team("Three").kickoff(inputs={})))
        return str(len(outputs))


class Outer(Forgetful):
    """A flow in a method of another."""

    @start()
    def inner(self) -> str:
        return str(Inner().kickoff())


class Inner(Forgetful):
    @start()
    def write(self) -> str:
        return str(_team("Writer").kickoff(inputs={}))


class Broken(Forgetful):
    @start()
    def breaks(self) -> str:
        raise ValueError("no tea today")


def asks_a_critic() -> Crew:
    """Its only task is unnamed, and so is that of the crew that its tool kicks off."""

    @tool("critic")
    def critic(text: str) -> str:
        """Has the text criticised."""
        return str(_team("Critic", None).kickoff(inputs={"message": "tea"}))

    return _team("Poet", None, tools=[critic])


def asks_in_a_thread() -> Crew:
    """The same, where the tool has a thread do it."""

    @tool("critic")
    def critic(text: str) -> str:
        """Has the text criticised."""
        with ThreadPoolExecutor(1) as pool:
            return str(pool.submit(lambda: _team("Critic", None).kickoff(inputs={})).result())

    return _team("Poet", None, tools=[critic])


def managed() -> Crew:
    """A manager who hands the only task to a coworker."""
    worker = _agent("Helper")
    only = Task(name="deliver", description="On {message}", expected_output="T")
    return Crew(
        agents=[worker], tasks=[only], process=Process.hierarchical, manager_agent=_agent("Boss")
    )


def delegates() -> Crew:
    boss, helper = _agent("Boss", allow_delegation=True), _agent("Helper\n")
    only = Task(name="deliver", description="On {message}", expected_output="T", agent=boss)
    return Crew(agents=[boss, helper], tasks=[only])


def plans() -> Crew:
    """Two tasks, planned by CrewAI before the first."""
    writer = _agent("Writer")
    tasks = [
        Task(name=name, description="On {message}", expected_output="T", agent=writer)
        for name in ("first", "second")
    ]
    return Crew(
        agents=[writer], tasks=list(tasks), planning=True, planning_llm=OfflineLLM(model="offline")
    )


def folded_role() -> Crew:
    """The role as YAML's `>` leaves it."""

    @tool("shout")
    def shout(text: str) -> str:
        """Say it louder."""
        return text.upper()

    return _team("Writer\n", tools=[shout])


class SlowThreads(Forgetful):
    """Crews that write for minutes, in threads of the user's own."""

    @start()
    def both(self) -> str:
        os.environ["OFFLINE_TOKEN_MS"], os.environ["OFFLINE_TOKENS"] = "10", "20000"
        with ThreadPoolExecutor(2) as pool:
            teams = [_team(role) for role in ("One", "Two")]
            return str(len(list(pool.map(lambda team: team.kickoff(inputs={}), teams))))
