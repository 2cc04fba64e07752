"""A run that a sidecar finds in its log when it starts: as long a one as a test wants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sidecar.log.sqlite import SqliteStore
from sidecar.protocol import Draft
from sidecar.runs.recorder import Recorder
from sidecar.runs.run import Run

__all__ = ["BEGAN", "busy", "store", "talkative"]

BEGAN = 1_763_841_600_000.0
"""Unix ms."""


async def store(data: Path, run: str, drafts: Iterable[Draft]) -> None:
    """Write a log as the sidecar does, into its data folder while none runs there."""
    data.mkdir(parents=True, exist_ok=True)
    log = SqliteStore(data / "log.sqlite3", retain=100_000, keep_runs=0)
    await log.open()
    try:
        recorder = Recorder(
            Run(run, "default", created=BEGAN),
            log.create(run),
            is_stale=lambda _: False,
            noticed=lambda _: None,
        )
        queued, *rest = drafts
        await _append(recorder, [queued])
        recorder.run.begin()
        for at in range(0, len(rest), 500):
            await _append(recorder, rest[at : at + 500])
    finally:
        await log.close()


async def _append(recorder: Recorder, drafts: list[Draft]) -> None:
    async with recorder.lock:
        await recorder.append(drafts)


class _Told:
    """Drafts of one task after the other, each some ms behind the one before."""

    def __init__(self) -> None:
        self.ts = BEGAN
        self.fields: dict[str, Any] = {}

    def __call__(self, type: str, ms: float = 1.0, /, **data: Any) -> Draft:
        self.ts = round(self.ts + ms, 3)
        return Draft(type, self.ts, data, **self.fields)


TASKS = [{"name": f"task_{n}", "agent": f"Agent {n}", "tid": f"1.{n}"} for n in range(1, 4)]


def _run(inner: Iterable[tuple[dict[str, Any], Iterable[Draft]]], say: _Told) -> Iterator[Draft]:
    yield say("run.queued", crew="default", inputs={"message": "A long one"}, review=[], position=0)
    yield say("run.started", 40.0, model="offline", attempt=1, tasks=TASKS)
    for task, drafts in inner:
        say.fields = {"task": task["name"], "agent": task["agent"], "tid": task["tid"]}
        yield say("task.started", name=task["name"], index=1, of=len(TASKS))
        yield say("agent.started", role=task["agent"])
        yield from drafts
        yield say("agent.completed", role=task["agent"], output="Done.")
        yield say("task.completed", name=task["name"], output="Done.")
    say.fields = {}
    tasks = [{**task, "output": "Done."} for task in TASKS]
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "calls": 1}
    end = say("run.completed", output="Done.", tasks=tasks, usage=usage, seconds=1.0, unapplied=[])
    yield end._replace(final=True)


def busy(rounds: int) -> Iterator[Draft]:
    """So many times a model call of three tokens and the tool that it wants: 8 events each."""
    say = _Told()

    def work(task: int) -> Iterator[Draft]:
        for n in range(task, rounds, len(TASKS)):
            call: dict[str, Any] = {"call": f"c{n}"}
            tool: dict[str, Any] = {"call": f"t{n}", "tool": f"tool_{n % 7}"}
            yield say("llm.started", 2.0, **call, model="offline")
            for token in range(3):
                yield say("llm.delta", 5.0, **call, text=f"word {token} ", kind="text")
            usage = {"prompt_tokens": 200, "completion_tokens": 3}
            yield say("llm.completed", 3.0, **call, usage=usage, finish_reason="tool_calls")
            yield say("tool.started", **tool, args={"n": n})
            yield say("tool.completed", 4.0, **tool, output="ok", seconds=0.004)
            yield say("step", thought="", tool=tool["tool"], tool_input={"n": n}, result="ok")

    return _run(((task, work(n)) for n, task in enumerate(TASKS)), say)


def talkative(tokens: int) -> Iterator[Draft]:
    """Three model calls that write so many tokens together."""
    say = _Told()

    def work(task: int) -> Iterator[Draft]:
        yield say("llm.started", 2.0, call=f"c{task}", model="offline")
        for n in range(task, tokens, len(TASKS)):
            yield say("llm.delta", 2.0, call=f"c{task}", text=f"word{n} ", kind="text")
        usage = {"prompt_tokens": 200, "completion_tokens": tokens}
        yield say("llm.completed", call=f"c{task}", usage=usage, finish_reason="stop")

    return _run(((task, work(n)) for n, task in enumerate(TASKS)), say)
