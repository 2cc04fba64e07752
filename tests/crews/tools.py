"""Tools of every kind. Imported only by workers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from crewai import Crew
from crewai.mcp import MCPServerStdio
from crewai.tools import BaseTool, tool
from crewai.tools.tool_failure import ToolFailure, ToolFailurePolicy
from pydantic import BaseModel, Field

from tests.crews.making import agent, shout, solo, task


def decorated() -> Crew:
    return solo(who={"tools": [shout]})


def two() -> Crew:
    @tool("whisper")
    def whisper(text: str) -> str:
        """Say it softly."""
        return text.lower()

    return solo(who={"tools": [shout, whisper]})


class _Place(BaseModel):
    town: str = Field(description="Its name")
    houses: int = 1


class _Counter(BaseTool):
    name: str = "count houses"
    description: str = "Counts the houses of a town."
    args_schema: type[BaseModel] = _Place

    def _run(self, town: str, houses: int = 1) -> str:
        return f"{town} has {houses}"


def of_a_class() -> Crew:
    return solo(who={"tools": [_Counter()]})


def asynchronous() -> Crew:
    class Later(BaseTool):
        name: str = "later"
        description: str = "Answers some time."

        async def _run(self, text: str) -> str:
            return f"later: {text}"

    return solo(who={"tools": [Later()]})


def failing() -> Crew:
    @tool("failing")
    def broken(text: str) -> str:
        """Raises."""
        raise RuntimeError("the tool broke")

    return solo(who={"tools": [broken]})


def last_word() -> Crew:
    @tool("answer", result_as_answer=True)
    def answer(text: str) -> str:
        """Its result is the agent's."""
        return f"answered {text}"

    return solo(who={"tools": [answer]})


def used_up() -> Crew:
    @tool("once", max_usage_count=1)
    def once(text: str) -> str:
        """Works once."""
        return f"once {text}"

    return solo(who={"tools": [once]})


def never_cached() -> Crew:
    @tool("fresh")
    def fresh(text: str) -> str:
        """Is not cached."""
        return f"fresh {text}"

    fresh.cache_function = lambda _arguments, _result: False
    return solo(who={"tools": [fresh]})


def structured() -> Crew:
    @tool("weather")
    def weather(text: str) -> dict[str, Any]:
        """Tells the weather."""
        return {"sun": True, "degrees": 21, "text": text}

    return solo(who={"tools": [weather]})


def printing() -> Crew:
    @tool("noisy")
    def noisy(text: str) -> str:
        """Prints."""
        print("from a tool:", text)
        print("to stderr", file=sys.stderr)
        return "printed"

    return solo(who={"tools": [noisy]})


_SHOUTER = Path(__file__).parents[1] / "support" / "shouter.py"


def over_mcp() -> Crew:
    server = MCPServerStdio(command=sys.executable, args=[str(_SHOUTER)])
    return solo(who={"mcps": [server]})


def asking_a_crew() -> Crew:
    """Its only task is unnamed, and so is that of the crew that its tool kicks off."""

    @tool("critic")
    def critic(text: str) -> str:
        """Has the text criticised."""
        judge = agent("Critic")
        crew = Crew(agents=[judge], tasks=[task(None, judge)])
        return str(crew.kickoff(inputs={"message": "tea"}))

    return solo(who={"tools": [critic]}, what={"name": None})


def asking_an_agent() -> Crew:
    @tool("friend")
    def friend(text: str) -> str:
        """Asks a friend."""
        return str(agent("Friend").kickoff(f"What about {text}?"))

    return solo(who={"tools": [friend]})


def strict() -> Crew:
    """Fails, as its tool reports a failure and is not to be forgiven."""

    @tool("strict")
    def strict_one(text: str) -> Any:
        """Reports a failure."""
        return ToolFailure(message="no")

    strict_one.tool_failure_policy = ToolFailurePolicy.RAISE
    return solo(who={"tools": [strict_one]})
