"""Crews in threads of the user's own, which have none of CrewAI's context. Imported only by
workers."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from crewai import Crew
from crewai.flow.flow import start
from crewai.tools import tool

from tests.crews.making import Plain, agent, solo, task


def _write(role: str) -> str:
    return str(solo(who={"role": role}).kickoff(inputs={"message": "tea"}))


class Pooled(Plain):
    @start()
    def both(self) -> str:
        with ThreadPoolExecutor(2) as pool:
            return " | ".join(pool.map(_write, ["One", "Two"]))


class Executed(Plain):
    @start()
    async def one(self) -> str:
        return await asyncio.get_running_loop().run_in_executor(None, _write, "Three")


class Handed(Plain):
    @start()
    async def one(self) -> str:
        return await asyncio.to_thread(_write, "Four")


class OfTheUsers(Plain):
    @start()
    def one(self) -> str:
        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append(_write("Five")))
        thread.start()
        thread.join()
        return found[0]


def a_tools_crew() -> Crew:
    """Its tool has a thread kick off a crew."""

    @tool("critic")
    def critic(text: str) -> str:
        """Has the text criticised."""
        judge = agent("Critic")
        crew = Crew(agents=[judge], tasks=[task(None, judge)])
        with ThreadPoolExecutor(1) as pool:
            return str(pool.submit(lambda: crew.kickoff(inputs={"message": "tea"})).result())

    return solo(who={"tools": [critic]})
