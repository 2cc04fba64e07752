"""Crews and flows that ask a person. Imported only by workers."""

from __future__ import annotations

from typing import Any

from crewai import LLM, Crew
from crewai.flow import human_feedback
from crewai.flow.flow import listen, start

from tests.crews.making import Plain, shout, solo, team


def reviewed() -> Crew:
    return solo(what={"human_input": True})


def reviewed_twice() -> Crew:
    return team(what={"human_input": True})


class Asks(Plain):
    @start()
    def write(self) -> str:
        return f"asked: {self.ask('Which colour?')}, {self.ask('Which size?')}"


class TypesIn(Plain):
    """Asks as a script does."""

    @start()
    def write(self) -> str:
        return f"typed: {input('Which colour? ')}"


class Judged(Plain):
    @start()
    @human_feedback(message="Is it good?")
    def write(self) -> str:
        return str(solo().kickoff(inputs={"message": "tea"}))

    @listen(write)
    def told(self, result: Any) -> str:
        return f"{result.output}, told: {result.feedback}"


class Chosen(Plain):
    @start()
    @human_feedback(
        message="Is it good?",
        emit=["approved", "rejected"],
        llm=LLM(model="gpt-4o"),
        default_outcome="rejected",
    )
    def write(self) -> str:
        return "a draft"

    @listen("approved")
    def publish(self) -> str:
        return str(solo().kickoff(inputs={"message": "tea"}))

    @listen("rejected")
    def drop(self) -> str:
        return "dropped"


class AsksInTime(Plain):
    @start()
    def write(self) -> str:
        return f"asked: {self.ask('Which colour?', timeout=60, metadata={'why': 'paint'})}"


def reviewed_with_tools() -> Crew:
    return solo(who={"tools": [shout]}, what={"human_input": True})


def reviewed_and_guarded() -> Crew:
    def guardrail(output):  # type: ignore[no-untyped-def]
        # Without annotations: CrewAI reads them, and here they would be text.
        return True, output.raw.upper()

    return solo(what={"human_input": True, "guardrail": guardrail})


class ReviewedInside(Plain):
    @start()
    def write(self) -> str:
        return str(solo(what={"human_input": True}).kickoff(inputs={"message": "tea"}))
