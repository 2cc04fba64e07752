"""A small set of real runs on whatever CrewAI this Python has, through the sidecar and the OpenAI
client, to a server on loopback.

`python -m tests.versions.crews` prints {name: null or traceback}; `make crewai` runs it for each
release.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sidecar.client import CrewClient
from tests.support import zygote
from tests.support.openai_server import OpenAIServer, Script
from tests.support.sidecar import BOUND, Frame, Sidecar, assert_whole

_WORDS: Final = (*(f"word{number} " for number in range(19)), "end.")
_FAST: Final = Script(tokens=_WORDS, tool_first=True)
_SLOW: Final = Script(tokens=_WORDS, delay=0.03)
_TEXT: Final = "".join(_WORDS)
_PLAN: Final = "create_content_plan"
_SILENCE: Final = 0.5
"""Seconds in which a crew that stands still would have said something."""

Act = Callable[[Frame], Awaitable[None]]


@dataclass(frozen=True)
class House:
    """A sidecar, its model server, and a client."""

    sidecar: Sidecar
    server: OpenAIServer
    crew: CrewClient

    async def run(self, act: Act | None = None, **fields: Any) -> list[Frame]:
        """All events of a new run; each is given to `act` as it comes."""
        run = await self.crew.start({"message": "tea"}, **fields)
        events = []
        async with asyncio.timeout(BOUND):
            async for event in self.crew.follow(run):
                events.append(event)
                if act is not None:
                    await act(event)
        assert_whole(events)
        return events

    @property
    def prompts(self) -> list[str]:
        return [json.dumps(request["body"]["messages"]) for request in self.server.requests]


@asynccontextmanager
async def _house(script: Script, **environ: str) -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory() as folder, OpenAIServer(script) as server:
        sidecar = Sidecar(
            Path(folder) / "data",
            CREW_MODEL="",
            OPENAI_API_KEY="sk-test-0123456789",
            OPENAI_BASE_URL=server.base_url,
            **environ,
        )
        try:
            # What starts it reads a pipe and polls: in a thread, or nothing else would go on.
            await asyncio.to_thread(sidecar.start)
            async with CrewClient(sidecar.url) as crew:
                yield House(sidecar, server, crew)
        finally:
            if sidecar.process is not None:
                await asyncio.to_thread(sidecar.stop)


def _of(events: list[Frame], *types: str) -> list[Frame]:
    return [event for event in events if event["type"] in types]


def _ended(events: list[Frame], type: str = "run.completed") -> dict[str, Any]:
    assert events[-1]["type"] == type, events[-1]
    data: dict[str, Any] = events[-1]["data"]
    return data


def _told(events: list[Frame]) -> None:
    """A run of the crew that ships, told whole."""
    done = _ended(events)
    assert done["output"] == _TEXT
    assert [task["name"] for task in done["tasks"]] == [
        _PLAN, "analyze_sentiment", "research_trends",
    ]  # fmt: skip
    assert [event["data"]["tool"] for event in _of(events, "tool.completed")] == ["text_statistics"]
    # One call for each task, and one more after the tool.
    calls = _of(events, "llm.completed")
    assert len(calls) == 4
    assert all(call["data"]["usage"]["prompt_tokens"] > 0 for call in calls)


async def a_crew_runs_to_its_end() -> None:
    async with _house(_FAST) as house:
        _told(await house.run())


async def a_spawned_worker_runs_it_too() -> None:
    async with _house(_FAST, SIDECAR_WORKERS="spawn") as house:
        _told(await house.run())


async def a_flow_tells_its_methods_and_its_crew() -> None:
    async with _house(_FAST, SIDECAR_CREW="tests.versions.theirs:Notice") as house:
        events = await house.run()
    assert _ended(events)["output"] == f"printed {_TEXT}"
    methods = [event["method"] for event in _of(events, "method.started")]
    assert methods == ["collect", "decide", "print_it"]
    assert [event["data"].get("route") for event in _of(events, "method.completed")] == [
        None, "print", None,
    ]  # fmt: skip
    assert [event["method"] for event in _of(events, "task.completed")] == ["collect"]
    assert [event["data"]["tool"] for event in _of(events, "tool.completed")] == ["count"]


async def a_paused_crew_stands_still_and_goes_on() -> None:
    async with _house(_SLOW) as house:
        run = await house.crew.start({"message": "tea"})
        events: list[Frame] = []
        stream = aiter(house.crew.follow(run))
        paused = False
        async with asyncio.timeout(BOUND):
            async for event in stream:
                events.append(event)
                if event["type"] == "llm.delta" and not paused:
                    paused = True
                    await house.crew.pause(run)
                elif event["type"] == "run.paused":
                    following = asyncio.ensure_future(anext(stream))
                    early, _ = await asyncio.wait({following}, timeout=_SILENCE)
                    assert not early, following.result()
                    await house.crew.resume(run)
                    events.append(await following)
    assert_whole(events)
    assert _ended(events)["output"] == _TEXT
    at = [event["type"] for event in events].index
    assert at("run.resumed") == at("run.paused") + 1


async def a_cancelled_crew_ends_and_lets_go_of_its_model() -> None:
    async with _house(_SLOW) as house:
        run = await house.crew.start({"message": "tea"})
        events = []
        async with asyncio.timeout(BOUND):
            async for event in house.crew.follow(run):
                events.append(event)
                if event["type"] == "llm.delta" and not _of(events, "run.cancelling"):
                    ack = await house.crew.command("cancel", run=run)
                    assert ack["ok"] or ack["error"]["code"] == "illegal_state"
        assert_whole(events)
        _ended(events, "run.cancelled")
        assert await asyncio.to_thread(house.server.left.wait, BOUND)
        assert len(house.prompts) == 1


async def an_instruction_is_in_the_next_prompt() -> None:
    events = await _instructed()
    assert _ended(events)["unapplied"] == []


async def an_instruction_now_cuts_the_reply_off() -> None:
    events = await _instructed(now=True)
    first = [event for event in events if event.get("task") == _PLAN]
    calls = [event["type"] for event in _of(first, "llm.started", "llm.failed")]
    assert calls == ["llm.started", "llm.failed", "llm.started"]
    (plan,) = _of(first, "task.completed")
    assert plan["data"]["output"] == _TEXT
    _ended(events)


async def _instructed(*, now: bool = False) -> list[Frame]:
    """A run that is given an instruction at its first token, which is in the second prompt."""
    said = "Mention the river Liffey."
    async with _house(_SLOW) as house:
        sent = False

        async def act(event: Frame) -> None:
            nonlocal sent
            if event["type"] == "llm.delta" and not sent:
                sent = True
                await house.crew.modify(event["run"], instruction=said, now=now)

        events = await house.run(act)
        assert [prompt.count(said) for prompt in house.prompts[:2]] == [0, 1]
    return events


async def a_person_reviews_a_task() -> None:
    async with _house(_FAST) as house:
        answers = ["Shorter, please.", ""]

        async def act(event: Frame) -> None:
            if event["type"] == "input.requested":
                await house.crew.answer(event["run"], event["data"]["input"], answers.pop(0))

        events = await house.run(act, review=[_PLAN])
        assert ["Shorter, please." in prompt for prompt in house.prompts[:2]] == [False, True]
    assert answers == []
    assert _ended(events)["output"] == _TEXT


async def a_killed_sidecars_run_goes_on_behind_its_finished_tasks() -> None:
    async with _house(_SLOW) as house:
        run = await house.crew.start({"message": "tea"})
        async with asyncio.timeout(BOUND):
            async for event in house.crew.follow(run):
                if event["type"] == "task.completed":
                    break
        await asyncio.to_thread(house.sidecar.stop, signal.SIGKILL)
        await asyncio.to_thread(house.sidecar.start)
        async with CrewClient(house.sidecar.url) as again, asyncio.timeout(BOUND):
            events = [event async for event in again.follow(run)]
    assert_whole(events)
    assert _ended(events)["output"] == _TEXT
    assert len([event for event in _of(events, "task.started") if event["task"] == _PLAN]) == 1


RUNS: Final = (
    a_crew_runs_to_its_end,
    a_spawned_worker_runs_it_too,
    a_flow_tells_its_methods_and_its_crew,
    a_paused_crew_stands_still_and_goes_on,
    a_cancelled_crew_ends_and_lets_go_of_its_model,
    an_instruction_is_in_the_next_prompt,
    an_instruction_now_cuts_the_reply_off,
    a_person_reviews_a_task,
    a_killed_sidecars_run_goes_on_behind_its_finished_tasks,
)


def main(names: list[str]) -> int:
    results: dict[str, str | None] = {}
    with tempfile.TemporaryDirectory() as storage:
        os.environ["CREWAI_STORAGE_DIR"] = storage
        for one in RUNS:
            if names and one.__name__ not in names:
                continue
            try:
                asyncio.run(one())
                results[one.__name__] = None
            except Exception:
                results[one.__name__] = traceback.format_exc()
        zygote.end()
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
