"""Every way in that a user may have written: agents, factories with inputs, and functions that kick
off by themselves. Imported only by workers."""

from __future__ import annotations

import asyncio
from typing import Any

from crewai import Agent, Crew, Flow, Task
from crewai.flow.flow import start
from pydantic import BaseModel, ConfigDict

from sidecar.worker.engine.offline import OfflineLLM


def _agent() -> Agent:
    llm = OfflineLLM(model="offline")
    return Agent(role="Writer", goal="Write", backstory="Writes.", llm=llm)


def _crew(description: str = "On {message}") -> Crew:
    writer = _agent()
    first = Task(name="first", description=description, expected_output="Text", agent=writer)
    return Crew(agents=[writer], tasks=[first])


an_agent = _agent()


async def an_async_factory() -> Crew:
    await asyncio.sleep(0)
    return _crew()


def with_inputs(inputs: dict[str, Any]) -> Crew:
    return _crew(f"On {inputs['message']}")


def with_keywords(**inputs: Any) -> Crew:
    return _crew(f"On {inputs['message']}")


def with_a_name(topic: str, words: int = 7) -> Crew:
    return _crew(f"On {topic} in {words} words")


def with_a_history() -> Crew:
    return _crew("On {message} after <{history}>")


def with_a_history_among_inputs(inputs: dict[str, Any]) -> Crew:
    return _crew(f"On {inputs['message']} after <{inputs['history']}>")


def with_a_history_among_others(**inputs: Any) -> Crew:
    return _crew(f"On {inputs['message']} after <{inputs['history']}>")


def with_a_history_by_name(message: str, history: str) -> Crew:
    return _crew(f"On {message} after <{history}>")


class Plain:
    """No @CrewBase."""

    def crew(self) -> Crew:
        return _crew()


def a_class() -> type[Plain]:
    return Plain


def one_text() -> Crew:
    return _crew("On {subject}")


def two_texts() -> Crew:
    return _crew("On {subject} for {reader}")


def with_a_callback() -> Crew:
    crew = _crew("On {subject} for {reader}")
    crew.before_kickoff_callbacks = [lambda inputs: {**(inputs or {}), "reader": "cats"}]
    return crew


def kicks_off_silently() -> None:
    """As the scaffold's `run` does: inputs of its own, nothing returned."""
    try:
        _crew("On {what}").kickoff(inputs={"what": "tulips"})
    except Exception as error:
        raise Exception(f"An error occurred while running the crew: {error}") from error


def kicks_off(message: str) -> Any:
    return _crew().kickoff(inputs={"message": message})


async def kicks_off_later(message: str) -> str:
    return f"wrapped: {await _crew().kickoff_async(inputs={'message': message})}"


def kicks_off_and_fails(message: str) -> None:
    _crew().kickoff(inputs={"message": message})
    raise RuntimeError("nowhere to put it")


def with_a_history_and_a_callback() -> Crew:
    crew = with_a_history()
    crew.before_kickoff_callbacks = [lambda inputs: inputs]
    return crew


class Remembered(BaseModel):
    message: str = ""
    history: str = "none"


class Chat(Flow[Remembered]):
    _skip_auto_memory: bool = True

    @start()
    def say(self) -> str:
        return f"on {self.state.message} after <{self.state.history}>"


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    id: str = ""
    message: str = ""


class StrictFlow(Flow[Strict]):
    _skip_auto_memory: bool = True

    @start()
    def say(self) -> str:
        return f"on {self.state.message}"


class Listed(BaseModel):
    message: str = ""
    history: list[str] = []


class ListedFlow(Flow[Listed]):
    """With a history of its own."""

    _skip_auto_memory: bool = True

    @start()
    def say(self) -> str:
        return f"on {self.state.message} after {self.state.history}"


class Free(Flow[dict[str, Any]]):
    _skip_auto_memory: bool = True
    initial_state = {"message": "", "history": []}  # noqa: RUF012

    @start()
    def say(self) -> str:
        return f"on {self.state['message']} after {self.state['history']}"


class State(BaseModel):
    message: str = "nothing"


class Typed(Flow[State]):
    _skip_auto_memory: bool = True

    @start()
    def say(self) -> str:
        return f"on {self.state.message}"


def kicks_off_a_flow(message: str) -> None:
    """As `kickoff` of a flow's scaffold."""
    Typed().kickoff(inputs={"message": message})
