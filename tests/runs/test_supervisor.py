"""The owner of all runs: what each command is answered, and how runs end with it.

test_whatever_happens.py has it under random commands, test_starting.py how runs begin.
"""

from __future__ import annotations

import asyncio

import pytest

from sidecar.errors import CommandError
from sidecar.protocol import (
    Answer,
    Cancel,
    List,
    Modify,
    Pause,
    Ping,
    Resume,
    Start,
    Status,
    Subscribe,
)
from tests.runs.house import House, refused
from tests.support.clock import settle
from tests.support.commands import command


async def test_every_control_reaches_its_run(house: House) -> None:
    run, worker = await house.running()
    for control in (
        command(Modify, run=run, instruction="x"),
        command(Pause, run=run),
        command(Resume, run=run),
    ):
        assert (await house.ask(control))["run"] == run
    worker.say("input.requested", {"input": "in_1", "prompt": "?"})
    await settle()
    assert (await house.ask(command(Answer, run=run, input="in_1", text="")))["ok"]
    assert (await house.ask(command(Cancel, run=run)))["ok"]
    await settle()
    assert [order["order"] for order in worker.orders] == [
        "start",
        "modify",
        "pause",
        "resume",
        "answer",
        "cancel",
    ]
    assert await house.state(run) == "cancelled"


async def test_what_comes_too_late_is_refused_by_the_state_that_the_run_ended_in(
    house: House,
) -> None:
    run = await house.completed()
    for control in (
        command(Pause, run=run),
        command(Cancel, run=run),
        command(Modify, run=run, instruction="x"),
    ):
        verb = type(control).__name__.lower()
        message = f"a run that is completed can't take {verb!r}"
        assert refused(await house.ask(control)) == ("illegal_state", message)


async def test_cancelling_a_run_that_was_cancelled_asks_for_what_is(house: House) -> None:
    run, _ = await house.running()
    await house.ask(command(Cancel, run=run))
    await settle()
    reply = await house.ask(command(Cancel, run=run))
    seq = (await house.supervisor.snapshot(run))["seq"]
    assert (reply["ok"], reply["noop"], reply["seq"]) == (True, True, seq)


async def test_a_question_that_was_answered_stays_so_when_its_run_has_ended(house: House) -> None:
    run, worker = await house.running()
    worker.say("input.requested", {"input": "in_1", "prompt": "?"})
    await settle()
    await house.ask(command(Answer, run=run, input="in_1", text="a"))
    worker.say("run.completed", {})
    worker.leave()
    await settle()
    answer = command(Answer, run=run, input="in_1", text="b")
    assert refused(await house.ask(answer))[0] == "already_answered"


async def test_a_run_that_there_never_was_is_unknown_to_all(house: House) -> None:
    assert refused(await house.ask(command(Pause, run="r_0"))) == ("unknown_run", "no run 'r_0'")
    for question in (
        house.ask(command(Status, run="r_0")),
        house.supervisor.snapshot("r_0"),
        house.supervisor.feed("r_0"),
    ):
        with pytest.raises(CommandError, match="no run 'r_0'") as unknown:
            await question
        assert unknown.value.code == "unknown_run"


async def test_what_only_asks_is_answered_with_a_result(house: House) -> None:
    run, _ = await house.running()
    status = await house.ask(command(Status, run=run))
    assert (status["run"], status["result"]["state"]) == (run, "running")
    listed = await house.ask(command(List, state="running"))
    assert [found["run"] for found in listed["result"]["runs"]] == [run]
    assert (await house.ask(command(Ping)))["result"]["server_time"] > 0


async def test_subscribing_is_no_business_of_its(house: House) -> None:
    reply = await house.ask(command(Subscribe, run="r_0"))
    assert refused(reply) == ("bad_request", "this command belongs on a WebSocket")


async def test_a_feed_reads_a_run_that_lives_and_one_that_is_over(house: House) -> None:
    over = await house.completed()
    live, _ = await house.running()
    for run, state in ((over, "completed"), (live, "running")):
        feed = await house.supervisor.feed(run)
        assert (feed.log.run, feed.state(), feed.log.sealed) == (run, state, run == over)


async def test_it_is_ready_when_its_log_and_its_workers_are(house: House) -> None:
    def trouble() -> str | None:
        return house.supervisor.trouble

    assert trouble() is None
    house.pool.warm = False
    assert trouble() == "a worker is warming up"
    house.pool.trouble = "no memory"
    assert trouble() == "no memory"
    house.store.health.failed("disk is full")
    assert trouble() == "disk is full"
    await house.supervisor.end_runs()
    assert trouble() == "shutting down"


async def test_it_tells_why_there_can_be_no_workers_once_that_turns_out(house: House) -> None:
    waiting = asyncio.create_task(house.supervisor.broken())
    await settle()
    assert not waiting.done()
    house.pool.ruin("crewai is not installed")
    assert await waiting == "crewai is not installed"


async def test_at_its_end_every_live_run_is_interrupted_and_no_more_commands_are_taken(
    house: House,
) -> None:
    run, _ = await house.running()
    await house.supervisor.end_runs()
    snapshot = await house.supervisor.snapshot(run)
    assert (snapshot["state"], snapshot["reason"]) == ("interrupted", "the sidecar was stopped")
    with pytest.raises(CommandError) as refusal:
        await house.ask(command(Start))
    assert refusal.value.code == "shutting_down"
    assert (await house.ask(command(Status, run=run)))["ok"]
