"""Crews for the browser tests, served through `SIDECAR_CREW`."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from crewai import Agent, Crew, Flow, Task, TaskOutput
from crewai.flow.flow import listen, or_, router, start
from crewai.flow.human_feedback import human_feedback
from crewai.lite_agent_output import LiteAgentOutput
from pydantic import BaseModel

from sidecar.worker.engine.offline import OfflineLLM


def writer() -> Crew:
    """One agent, one task, no tool: the run is one reply of the offline model."""
    agent = Agent(role="Writer", goal="Write", backstory="Writes.", llm=OfflineLLM(model="offline"))
    task = Task(name="write", description="Write on {message}.", expected_output="", agent=agent)
    return Crew(agents=[agent], tasks=[task])


def hosted() -> Crew:
    """The same with the model that the environment names, which a test may have write anything."""
    agent = Agent(role="Writer", goal="Write", backstory="Writes.", llm="openai/gpt-4o-mini")
    task = Task(name="write", description="Write on {message}.", expected_output="", agent=agent)
    return Crew(agents=[agent], tasks=[task])


class Book(Flow[dict[str, Any]]):
    """Two rounds of two crews side by side, whose names and whose tasks' names are the same.

    The first of all texts is sent back by a guardrail.
    """

    @start()
    def outline(self) -> str:
        self.state.update(rounds=0, refused=False)
        return "Two chapters"

    @listen(or_(outline, "again"))
    async def write(self) -> str:
        self.state["rounds"] += 1
        crews = (self._writers(chapter) for chapter in ("one", "two"))
        texts = await asyncio.gather(*(crew.kickoff_async() for crew in crews))
        return "\n\n".join(str(text) for text in texts)

    @router(write)
    def judge(self) -> Literal["again", "good"]:
        return "good" if self.state["rounds"] == 2 else "again"

    @listen("good")
    def print_it(self) -> str:
        return "The book is out."

    def _writers(self, chapter: str) -> Crew:
        llm = OfflineLLM(model="offline")
        agent = Agent(role=f"Writer {chapter}", goal="Write", backstory="Writes.", llm=llm)
        task = Task(
            description=f"Write chapter {chapter}.",
            expected_output="A text.",
            agent=agent,
            # CrewAI reads the annotations of one that has any, and takes no strings for types.
            guardrail=lambda output: self._check(output),
        )
        return Crew(name="Writers", agents=[agent], tasks=[task])

    def _check(self, output: TaskOutput | LiteAgentOutput) -> tuple[bool, Any]:
        refused, self.state["refused"] = self.state["refused"], True
        return (True, output.raw) if refused else (False, "Fewer words, please")


class Verdict(BaseModel):
    verdict: str
    reasons: list[str]


class Judged(Flow[dict[str, Any]]):
    """Asks with options; of a draft that is refused why, and at last what nobody answers."""

    @start()
    @human_feedback(
        message="Is it good?",
        emit=["approved", "rejected"],
        llm=OfflineLLM(model="offline"),
        metadata={"who": "the boss"},
    )
    def write(self) -> dict[str, str]:
        return {"draft": "a draft"}

    @listen("approved")
    def publish(self) -> LiteAgentOutput:
        verdict = Verdict(verdict="good", reasons=["short"])
        return LiteAgentOutput(
            raw="It is good, for it is short.", pydantic=verdict, agent_role="Judge"
        )

    @listen("rejected")
    def drop(self) -> None:
        self.state["why"] = self.ask("What is wrong with it?")
        self.state["more"] = self.ask("Anything else?", timeout=4)
