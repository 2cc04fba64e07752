"""A Flow with a router, a crew and a tool, as somebody has it; any supported CrewAI runs it."""

from __future__ import annotations

from typing import Any

from crewai import Agent, Crew, Task
from crewai.flow.flow import Flow, listen, router, start
from crewai.tools import tool


@tool("count")
def count(text: str) -> str:
    """Count the words of a text."""
    return f"{len(text.split())} words"


class Notice(Flow[dict[str, Any]]):
    """Collects something to say with a crew and prints it."""

    @start()
    def collect(self) -> str:
        reporter = Agent(role="Reporter", goal="Report", backstory="Reports.", tools=[count])
        note = Task(
            name="note", description="On {message}", expected_output="A note", agent=reporter
        )
        crew = Crew(agents=[reporter], tasks=[note])
        return str(crew.kickoff(inputs={"message": self.state["message"]}))

    @router(collect)
    def decide(self) -> str:
        return "print"

    @listen("print")
    def print_it(self) -> str:
        return f"printed {self.method_outputs[0]}"
