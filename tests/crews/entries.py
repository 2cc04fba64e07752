"""What else a user may name as their crew. Imported only by workers."""

from __future__ import annotations

import asyncio
from typing import Any

from crewai import Agent, Crew, Task
from crewai.flow.flow import start
from crewai.project import CrewBase, after_kickoff, agent, before_kickoff, crew, task

from tests.crews import making
from tests.crews.making import solo, team

a_crew = team()
an_agent = making.agent("Loner")


class _Tagline(making.Plain):
    @start()
    def write(self) -> str:
        return str(solo().kickoff(inputs={"message": self.state["message"]}))


def makes_a_flow() -> _Tagline:
    return _Tagline()


def takes_inputs(inputs: dict[str, Any]) -> Crew:
    return solo(what={"description": f"Write on {inputs['message']}"})


async def is_asynchronous() -> Crew:
    return solo()


def kicks_off_itself(inputs: dict[str, Any]) -> Any:
    """As `main.py` of CrewAI's template does."""
    return team().kickoff(inputs=inputs)


def kicks_off_itself_elsewhere(inputs: dict[str, Any]) -> Any:
    return asyncio.run(solo().akickoff(inputs=inputs))


def kicks_off_a_flow(inputs: dict[str, Any]) -> Any:
    return _Tagline().kickoff(inputs=inputs)


def kicks_off_for_each(inputs: dict[str, Any]) -> Any:
    return solo().kickoff_for_each([inputs, {"message": "coffee"}])


class HasACrew:
    """As some write it without @CrewBase."""

    def crew(self) -> Crew:
        return team()


@CrewBase
class Decorated:
    @before_kickoff
    def prepare(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {**inputs, "message": f"{inputs['message']} at last"}

    @after_kickoff
    def finish(self, output: Any) -> Any:
        output.raw = f"{output.raw} (finished)"
        return output

    @agent
    def writer(self) -> Agent:
        return making.agent()

    @task
    def write(self) -> Task:
        return Task(description="On {message}", expected_output="A sentence", agent=self.writer())  # type: ignore[call-arg]

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks)  # type: ignore[attr-defined]


def has_no_luck() -> Crew:
    """Fails before there is a crew."""
    raise ValueError("no luck today")
