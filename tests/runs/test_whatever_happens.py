"""The supervisor under random commands and a worker that says random things."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.datafolder import DataFolder
from sidecar.errors import CommandError
from sidecar.log.memory import MemoryStore
from sidecar.protocol import Draft, Start, parse_command
from sidecar.runs import Supervisor
from sidecar.runs.run import Run
from sidecar.settings import Settings
from tests.support.clock import settle
from tests.support.commands import command
from tests.support.long import examples
from tests.support.screen import Screen
from tests.support.scripted import ScriptedPool

FACTS: list[tuple[str, dict[str, Any]]] = [
    ("run.started", {"model": "m", "attempt": 1, "tasks": [{"name": "t", "agent": "a"}]}),
    ("run.paused", {"boundary": "token"}),
    ("run.modified", {"instruction": "x", "applied": "model_call"}),
    ("input.requested", {"input": "in_1", "prompt": "?", "output": "o", "expires": None}),
    ("task.started", {"name": "t", "index": 1, "of": 1}),
    ("task.completed", {"name": "t", "output": "o"}),
    ("llm.delta", {"call": "c", "text": "x", "kind": "text"}),
    ("log", {"stream": "stdout", "text": "x"}),
    ("run.completed", {"output": "o"}),
    ("run.failed", {"error": {"code": "error", "message": "m"}}),
    ("run.cancelled", {}),
    ("no.such.type", {}),
]
COMMANDS: list[dict[str, Any]] = [
    {"cmd": "pause"},
    {"cmd": "resume"},
    {"cmd": "cancel"},
    {"cmd": "modify", "instruction": "x"},
    {"cmd": "modify", "task": "t", "description": "d"},
    {"cmd": "answer", "input": "in_1", "text": ""},
    {"cmd": "answer", "input": "in_2", "text": ""},
]

Step = tuple[str, int]
steps = st.lists(
    st.one_of(
        st.tuples(st.just("fact"), st.integers(0, len(FACTS) - 1)),
        st.tuples(st.just("command"), st.integers(0, len(COMMANDS) - 1)),
        st.tuples(st.just("crash"), st.just(0)),
        st.tuples(st.just("tick"), st.just(0)),
        st.tuples(st.just("die"), st.just(0)),
    ),
    max_size=30,
)


async def kill() -> None:
    """What kill -9 does to a supervisor: nothing is said any more, what is stored stays."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def play(script: list[Step], folder: Path, retries: int) -> list[dict[str, Any]]:
    """The log that the script leads to; every command that was acked is in it."""
    chosen = Settings(retries=retries)
    pool = ScriptedPool()
    store = MemoryStore(retain=1_000, keep_runs=10)
    supervisor = Supervisor(chosen, store, pool, DataFolder(folder))
    await supervisor.open()
    ack = await supervisor.handle(command(Start, "s"))
    run = ack["run"]
    acked = {"s"}
    for number, (kind, index) in enumerate(script):
        if kind == "fact":
            pool.worker.say(*FACTS[index])
        elif kind == "command":
            body = orjson.dumps({"id": f"c{number}", "run": run, **COMMANDS[index]})
            with contextlib.suppress(CommandError):
                reply = await supervisor.handle(parse_command(body))
                if reply["ok"] and not reply.get("noop"):
                    acked.add(f"c{number}")
        elif kind == "crash":
            pool.worker.leave()
        elif kind == "die":
            await kill()
            pool = ScriptedPool()
            supervisor = Supervisor(chosen, store, pool, DataFolder(folder))
            await supervisor.open()
        else:
            for _ in range(5):
                await asyncio.sleep(0)
    pool.worker.leave()
    feed = await supervisor.feed(run)
    await settle()
    await supervisor.end_runs()
    await supervisor.close()
    log = [orjson.loads(event.json) for event in await feed.log.read(0, 1_000)]
    assert acked <= {event.get("cause") for event in log}
    return log


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Facts off the table are logged as the bugs they would be; here they are the point."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@examples(150, 5_000)
@given(steps, st.integers(0, 2))
def test_whatever_happens_a_run_has_one_final_event_and_never_leaves_its_table(
    script: list[Step], retries: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = asyncio.run(play(script, Path(folder), retries))
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
    assert [bool(event.get("final")) for event in log] == [False] * (len(log) - 1) + [True]
    run = Run("r", "default", created=0.0)
    for event in log:
        if not run.allows(event["type"]):
            run.begin()  # the one step that has no event
        run.apply(
            Draft(event["type"], event["ts"], event["data"], cause=event.get("cause")), event["seq"]
        )
    assert not run.live
    if any(event["type"] == "run.cancelling" for event in log):
        assert log[-1]["type"] == "run.cancelled"


@examples(30, 500)
@given(st.lists(st.sampled_from(["pause", "resume"]), min_size=2, max_size=8))
def test_opposite_buttons_pressed_at_once_end_in_one_order(buttons: list[str]) -> None:
    async def press(folder: Path) -> list[dict[str, Any]]:
        pool = ScriptedPool()
        store = MemoryStore(retain=1_000, keep_runs=10)
        supervisor = Supervisor(Settings(), store, pool, DataFolder(folder))
        await supervisor.open()
        ack = await supervisor.handle(command(Start, "s"))
        pool.worker.say(*FACTS[0])
        feed = await supervisor.feed(ack["run"])
        screen, reading = Screen.follow(feed)
        await screen.shows(2)
        bodies = [
            orjson.dumps({"id": f"c{n}", "cmd": cmd, "run": ack["run"]})
            for n, cmd in enumerate(buttons)
        ]
        acks = await asyncio.gather(*(supervisor.handle(parse_command(b)) for b in bodies))
        pool.worker.leave()
        await supervisor.settled()
        await reading
        await supervisor.close()
        log = [orjson.loads(event.json) for event in await feed.log.read(0, 1_000)]
        for given_ack in acks:
            effects = [e for e in log if e.get("cause") == given_ack["id"]]
            assert len(effects) == (0 if given_ack.get("noop") else 1)
        return log

    with tempfile.TemporaryDirectory() as folder:
        log = asyncio.run(press(Path(folder)))
    turns = [e["type"] for e in log if e["type"] in ("run.pausing", "run.resumed")]
    assert turns[:1] in ([], ["run.pausing"])
    assert all(a != b for a, b in itertools.pairwise(turns))
