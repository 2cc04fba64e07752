"""Structured outputs of tasks and flows. Imported only by workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from crewai import Crew
from crewai.flow.flow import start
from pydantic import BaseModel

from tests.crews.making import Plain, agent, shout, solo, task


class _Verdict(BaseModel):
    title: str
    good: bool
    points: list[int]


class _Case(BaseModel):
    verdict: _Verdict
    judge: str | None = None


def of_pydantic() -> Crew:
    return solo(what={"output_pydantic": _Verdict})


def of_json() -> Crew:
    return solo(what={"output_json": _Verdict})


def nested() -> Crew:
    return solo(what={"output_pydantic": _Case})


def of_response_model() -> Crew:
    return solo(what={"response_model": _Verdict})


def with_tools() -> Crew:
    return solo(who={"tools": [shout]}, what={"output_pydantic": _Verdict})


def in_between() -> Crew:
    writer = agent()
    tasks = [task("judge", writer, output_pydantic=_Verdict), task("write", writer)]
    return Crew(agents=[writer], tasks=tasks)


class FlowOfADict(Plain):
    @start()
    def write(self) -> dict[str, Any]:
        return {"text": str(solo().kickoff(inputs={"message": "tea"})), "tags": ["a", "b"]}


class FlowOfAModel(Plain):
    @start()
    def write(self) -> _Verdict:
        return _Verdict(title="Tea", good=True, points=[1, 2])


class FlowOfNothing(Plain):
    @start()
    def write(self) -> None:
        solo().kickoff(inputs={"message": "tea"})


class FlowOfACrewsOutput(Plain):
    @start()
    def write(self) -> Any:
        return solo(what={"output_pydantic": _Verdict}).kickoff(inputs={"message": "tea"})


@dataclass
class _Cup:
    size: int
    tea: str


class FlowOfADataClass(Plain):
    @start()
    def write(self) -> Any:
        return _Cup(2, "green")
