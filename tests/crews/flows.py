"""Flows and what is in them. Imported only by workers."""

from __future__ import annotations

import asyncio
from typing import Any

from crewai import LLM, Flow
from crewai.flow.flow import and_, listen, or_, router, start
from pydantic import BaseModel

from tests.crews.making import Plain, agent, solo


def _write(role: str = "Writer") -> str:
    return str(solo(who={"role": role}).kickoff(inputs={"message": "tea"}))


class Straight(Plain):
    @start()
    def write(self) -> str:
        return str(solo().kickoff(inputs=self.state))

    @listen(write)
    def wrap(self, text: str) -> str:
        return f"wrapped: {text}"


class Joined(Plain):
    """Two starts at once."""

    @start()
    async def left(self) -> str:
        output = await solo(who={"role": "Left"}).kickoff_async(inputs={"message": "tea"})
        return str(output)

    @start()
    def right(self) -> str:
        return _write("Right")

    @listen(and_(left, right))
    def join(self) -> str:
        return _write("Join")


class EitherWay(Plain):
    @start()
    def one(self) -> str:
        return _write()

    @listen(or_(one, "never"))
    def other(self, text: str) -> str:
        return f"either: {text}"


class Routed(Plain):
    @start()
    def write(self) -> str:
        return _write()

    @router(write)
    def decide(self) -> str:
        return "long"

    @listen("short")
    def leave(self) -> str:
        return "short"

    @listen("long")
    def go_on(self) -> str:
        return _write("Long")


class Loops(Plain):
    @start("again")
    def begin(self) -> str:
        self.state["rounds"] = self.state.get("rounds", 0) + 1
        return _write()

    @router(begin)
    def decide(self) -> str:
        return "again" if self.state["rounds"] < 3 else "done"

    @listen("done")
    def finish(self) -> str:
        return f"after {self.state['rounds']}"


class _State(BaseModel):
    message: str = ""
    text: str = ""


class Typed(Flow[_State]):
    _skip_auto_memory: bool = True

    @start()
    def write(self) -> None:
        self.state.text = str(solo().kickoff(inputs={"message": self.state.message}))

    @listen(write)
    def tell(self) -> str:
        return str(self.state.text)


class Remembers(Flow[dict[str, Any]]):
    """With the memory that CrewAI makes for every flow."""

    @start()
    def write(self) -> str:
        return _write()


class CallsItsModel(Plain):
    """Without any crew or agent."""

    @start()
    def write(self) -> str:
        return str(LLM(model="gpt-4o").call("Say something about tea."))


class HasAnAgent(Plain):
    @start()
    async def write(self) -> str:
        output = await agent("Loner").kickoff_async("Write about tea")
        return str(output.raw)


class Outer(Plain):
    @start()
    def inner(self) -> str:
        return str(_Inner().kickoff())


class _Inner(Plain):
    @start()
    def write(self) -> str:
        return _write("Inner")


class ForEach(Plain):
    @start()
    def items(self) -> str:
        outputs = solo().kickoff_for_each([{"message": f"item {n}"} for n in range(3)])
        return " | ".join(map(str, outputs))


class AllAtOnce(Plain):
    @start()
    async def chapters(self) -> str:
        crews = [solo(who={"role": f"Author {n}"}) for n in range(3)]
        outputs = await asyncio.gather(*(crew.akickoff(inputs={"message": "t"}) for crew in crews))
        return " | ".join(map(str, outputs))


class Breaks(Plain):
    """Fails in its second method."""

    @start()
    def write(self) -> str:
        return _write()

    @listen(write)
    def breaks(self) -> str:
        raise ValueError("no tea today")


class Streams(Plain):
    stream: bool = True

    @start()
    def write(self) -> str:
        return _write()


class CrewsInTurn(Plain):
    """One crew, kicked off again and again."""

    @start()
    def write(self) -> str:
        crew = solo()
        return " | ".join(str(crew.kickoff(inputs={"message": f"cup {n}"})) for n in range(2))


class RoutedByAModel(Plain):
    """Several ways out, and a method that two of them lead to."""

    @start()
    def write(self) -> str:
        return _write()

    @router(write)
    def decide(self) -> str:
        return "good" if "sum" in str(LLM(model="gpt-4o").call("Is it?")) else "bad"

    @listen(or_("good", "fair"))
    def keep(self) -> str:
        return _write("Keeper")

    @listen("bad")
    def drop(self) -> str:
        return "dropped"


class CatchesAFailure(Plain):
    @start()
    def write(self) -> str:
        try:
            return str(solo(what={"callback": _raise}).kickoff(inputs={"message": "tea"}))
        except ValueError as error:
            return f"caught: {error}"


def _raise(_output: Any) -> None:
    raise ValueError("no tea today")


class ManyListeners(Plain):
    @start()
    def write(self) -> str:
        return _write()

    @listen(write)
    def first(self, text: str) -> str:
        return _write("First")

    @listen(write)
    def second(self, text: str) -> str:
        return _write("Second")

    @listen(and_(first, second))
    def last(self) -> str:
        return "both"
