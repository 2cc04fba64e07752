"""The only writer of one run's log. How it fares when that can't be written is told in
test_storage_trouble.py."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
import pytest

from sidecar.errors import CommandError
from sidecar.log.memory import MemoryStore
from sidecar.protocol import Draft, Modify, Pause
from sidecar.runs.recorder import Recorder
from sidecar.runs.run import Run
from tests.support.clock import settle
from tests.support.commands import command
from tests.support.screen import Screen

QUEUED = Draft("run.queued", 1.0, {"inputs": {"message": "tea"}})
STARTED = Draft("run.started", 2.0, {"tasks": [{"name": "one"}]})


class Desk:
    """A recorder, what it told of, and what it is to take for stale."""

    def __init__(self) -> None:
        self.store = MemoryStore(retain=1_000, keep_runs=10)
        self.stale: set[str] = set()
        self.noticed: list[tuple[str, int]] = []
        """Types of events, each with the head of the log when it was told."""
        self.recorder = Recorder(
            Run("r", "default", created=1.0),
            self.store.create("r"),
            is_stale=lambda draft: draft.type in self.stale,
            noticed=lambda draft: self.noticed.append((draft.type, self.recorder.log.head)),
        )

    async def append(self, *drafts: Draft) -> None:
        async with self.recorder.lock:
            await self.recorder.append(drafts)

    async def start(self) -> None:
        await self.append(QUEUED)
        self.recorder.run.begin()
        await self.append(STARTED)

    async def log(self) -> list[dict[str, Any]]:
        return [orjson.loads(event.json) for event in await self.recorder.log.read(0, 1_000)]

    async def types(self) -> list[str]:
        return [event["type"] for event in await self.log()]


@pytest.fixture
async def desk() -> Desk:
    return Desk()


async def test_an_event_is_in_the_log_the_run_and_the_snapshot_before_anybody_is_told(
    desk: Desk,
) -> None:
    screen, reading = Screen.follow(desk.recorder.feed)
    await settle()
    await desk.append(QUEUED)
    assert screen.events == [1]
    assert desk.noticed == [("run.queued", 1)]
    assert desk.recorder.run.inputs == {"message": "tea"}
    stored = await desk.store.snapshot("r")
    assert stored == desk.recorder.run.record(epoch=desk.recorder.log.epoch, seq=1)
    reading.cancel()


async def test_what_the_table_does_not_have_is_dropped_and_said_and_leaves_no_gap(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.append(QUEUED)
    desk.recorder.run.begin()
    await desk.append(Draft("task.started", 1.0, {"name": "one"}), STARTED, QUEUED)
    assert [(e["seq"], e["type"]) for e in await desk.log()] == [
        (1, "run.queued"),
        (2, "run.started"),
    ]
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (
            logging.ERROR,
            "run r: task.started cannot happen to a run that is starting; dropped",
        ),
        (logging.ERROR, "run r: run.queued cannot happen to a run that is running; dropped"),
    ]


async def test_what_a_crew_that_is_being_cancelled_still_has_to_say_is_no_error(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await desk.start()
    await desk.append(Draft("run.cancelling", 1.0, {}))
    await desk.append(Draft("run.completed", 1.0, {}), Draft("input.requested", 1.0, {}))
    assert await desk.types() == ["run.queued", "run.started", "run.cancelling"]
    assert caplog.records == []


async def test_a_batch_of_which_nothing_is_legal_writes_nothing(desk: Desk) -> None:
    await desk.append(QUEUED)
    before = await desk.store.snapshot("r")
    desk.stale = {"log"}
    await desk.append(Draft("log", 1.0, {}))
    await desk.append()
    assert desk.recorder.log.head == 1
    assert await desk.store.snapshot("r") is before


async def test_a_fact_that_a_command_has_overtaken_is_dropped_in_silence(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.start()
    await desk.append(Draft("run.pausing", 1.0, {}))
    desk.stale = {"run.paused"}
    await desk.append(Draft("run.paused", 1.0, {}), Draft("llm.delta", 1.0, {"text": "x"}))
    assert (await desk.types())[-2:] == ["run.pausing", "llm.delta"]
    assert desk.recorder.run.state == "pausing"
    assert caplog.records == []


async def test_tokens_store_no_snapshot_and_what_moves_the_run_does(desk: Desk) -> None:
    await desk.start()
    before = await desk.store.snapshot("r")
    await desk.append(Draft("llm.delta", 1.0, {"text": "x"}), Draft("step", 1.0, {}))
    assert await desk.store.snapshot("r") is before
    await desk.append(Draft("llm.delta", 1.0, {}), Draft("task.started", 1.0, {"name": "one"}))
    after = await desk.store.snapshot("r")
    assert after is not None
    assert (after["seq"], after["tasks"][0]["state"]) == (6, "running")


async def test_the_snapshot_is_that_of_the_newest_event(desk: Desk) -> None:
    await desk.start()
    await desk.append(Draft("llm.delta", 1.0, {"text": "x"}))
    snapshot = desk.recorder.snapshot()
    assert (snapshot["seq"], snapshot["id"]) == (3, f"{desk.recorder.log.epoch}-3")
    assert "journal" not in snapshot


async def test_what_is_to_be_said_is_made_when_it_is_ones_turn(desk: Desk) -> None:
    await desk.start()

    def make() -> list[Draft]:
        return [Draft("log", 1.0, {"text": desk.recorder.run.state})]

    async with desk.recorder.lock:
        writing = asyncio.create_task(desk.recorder.persist(make))
        await settle()
        await desk.recorder.append([Draft("run.pausing", 1.0, {})])
    await writing
    assert (await desk.log())[-1]["data"] == {"text": "pausing"}


async def test_a_command_its_event_and_its_ack_are_one(desk: Desk) -> None:
    await desk.start()
    modify = command(Modify, run="r", instruction="Shorter.")
    also = Draft("run.pausing", 1.0, {}, cause="c-0")
    async with desk.recorder.lock:
        reply = await desk.recorder.answer(modify, "run.modifying", dict(modify.change), also)
    assert reply == {"type": "command.ack", "id": modify.id, "ok": True, "run": "r", "seq": 3}
    told, more = (await desk.log())[2:]
    assert (told["type"], told["cause"], told["data"]) == (
        "run.modifying",
        modify.id,
        {"instruction": "Shorter."},
    )
    assert (more["type"], more["cause"]) == ("run.pausing", "c-0")
    stored = await desk.store.ack(modify.id)
    assert stored is not None
    assert (stored.digest, orjson.loads(stored.body)) == (modify.digest, reply)


async def test_what_already_is_so_is_answered_with_the_head_and_writes_nothing(desk: Desk) -> None:
    await desk.start()
    pause = command(Pause, run="r")
    assert desk.recorder.noop(pause) == {
        "type": "command.ack",
        "id": pause.id,
        "ok": True,
        "run": "r",
        "seq": 2,
        "noop": True,
    }
    assert desk.recorder.log.head == 2


async def test_a_step_that_the_table_lacks_is_refused_by_state_and_command(desk: Desk) -> None:
    await desk.append(QUEUED)
    pause = command(Pause, run="r")
    with pytest.raises(CommandError, match="a run that is queued can't take 'pause'") as refused:
        desk.recorder.require("run.pausing", pause)
    assert refused.value.code == "illegal_state"
    desk.recorder.require("run.modifying", pause)
