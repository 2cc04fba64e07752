"""One run from its queue to its final event, on a log in memory and workers that are scripted."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import pytest

from sidecar.pool import KILL, Worker
from sidecar.protocol import Answer, Cancel, Draft, Modify, Pause, Resume, Start
from sidecar.runs.execution import Ending, Execution
from tests.support.clock import Clock, settle
from tests.support.commands import command
from tests.support.scripted import SPEC, STARTED, ScriptedPool
from tests.support.stage import TIMEOUT, Stage


async def test_a_run_goes_from_its_queue_to_the_word_of_its_worker() -> None:
    stage = Stage()
    worker = await stage.begun()
    worker.say("task.started", {"name": "one"})
    worker.say("llm.completed", {"usage": {"prompt_tokens": 3, "completion_tokens": 2}})
    worker.say("task.completed", {"name": "one", "output": "1"})
    worker.say("run.completed", {"output": "all"})
    worker.leave()
    final = await stage.final()
    assert await stage.types() == [
        "run.queued",
        "run.started",
        "task.started",
        "llm.completed",
        "task.completed",
        "run.completed",
    ]
    assert final["final"]
    seconds = final["data"].pop("seconds")
    assert seconds >= 0
    assert final["data"] == {
        "output": "all",
        "tasks": [
            {"name": "one", "agent": "a", "output": "1"},
            {"name": "two", "agent": "b", "output": None},
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "calls": 1},
        "unapplied": [],
    }
    assert worker.closed


async def test_its_first_event_says_what_was_asked_for() -> None:
    stage = Stage(slots=0)
    start = command(Start, "s", inputs={"message": "tea"}, review=["one"])
    stage.slots.place().ask()
    stage.execution.place.ask()
    reply = await stage.execution.queue(start, review=start.review)
    assert (reply["ok"], reply["seq"]) == (True, 1)
    [queued] = await stage.events()
    assert (queued["cause"], queued["data"]["position"], queued["data"]["review"]) == (
        "s",
        2,
        ["one"],
    )


async def test_a_run_waits_for_its_slot_before_it_takes_a_worker_and_gives_it_back() -> None:
    stage = Stage(slots=0)
    await stage.begin()
    await settle()
    assert stage.pool.taken == []
    assert stage.state() == "queued"
    stage.other.give_back()
    worker = await stage.attempt(1)
    assert stage.execution.place.held
    worker.give_up()
    await stage.final()
    assert not stage.execution.place.held


async def test_what_was_asked_while_it_waited_is_told_to_its_worker_at_the_start() -> None:
    stage = Stage(slots=0)
    await stage.begin()
    await stage.execution.controls.modify(command(Modify, "c-1", run="r", instruction="x"))
    stage.other.give_back()
    worker = await stage.attempt(1)
    assert [order["order"] for order in worker.orders] == ["start", "modify"]
    worker.give_up()
    assert (await stage.final())["data"]["unapplied"] == ["c-1"]


async def test_a_crash_fails_the_run_with_how_the_worker_ended() -> None:
    stage = Stage()
    (await stage.begun()).leave(7)
    final = await stage.final()
    assert (final["type"], final["data"]["error"]) == (
        "run.failed",
        {"code": "crashed", "message": "the worker process ended with exit code 7"},
    )


async def test_a_crash_gets_a_fresh_attempt_behind_the_finished_tasks() -> None:
    stage = Stage(retries=1)
    worker = await stage.begun()
    worker.say("task.started", {"name": "one"})
    worker.say("task.completed", {"name": "one", "output": "1"})
    worker.say("task.started", {"name": "two"})
    worker.say("llm.delta", {"text": "x"})
    worker.leave(7)
    second = await stage.attempt(2)
    spec = (await second.told("start"))["spec"]
    assert (spec["attempt"], spec["superseded"]) == (2, [5, 6])
    assert spec["kept"] == [{"tid": "one", "name": "one", "output": "1"}]
    assert worker.closed
    second.say("run.started", {**STARTED, "attempt": 2, "kept": ["one"]})
    second.leave(8)
    final = await stage.final()
    assert final["data"]["error"]["message"] == "the worker process ended with exit code 8"
    assert final["data"]["tasks"][0]["output"] == "1"


async def test_a_crew_that_fails_is_not_tried_again() -> None:
    stage = Stage(retries=5)
    worker = await stage.begun()
    worker.say("run.failed", {"error": {"code": "error", "message": "no tea"}})
    worker.leave(1)
    final = await stage.final()
    assert final["data"]["error"] == {"code": "error", "message": "no tea"}
    assert stage.pool.taken == [worker]


async def test_a_run_that_can_have_no_worker_fails_with_the_reason() -> None:
    stage = Stage()
    stage.pool.ruin("crewai is not installed")
    await stage.begin()
    final = await stage.final()
    assert final["data"]["error"] == {
        "code": "crashed",
        "message": "no worker could be started: crewai is not installed",
    }


async def test_a_worker_that_listens_is_cancelled_by_its_order_alone() -> None:
    stage = Stage()
    worker = await stage.begun()
    await stage.cancel(reason="enough")
    final = await stage.final()
    assert (final["type"], final["cause"], final["data"]["reason"]) == (
        "run.cancelled",
        "c-1",
        "enough",
    )
    assert worker.orders[-1] == {"order": "cancel", "cause": "c-1"}
    assert worker.signals == []


async def test_the_ladder_of_a_cancel_has_three_rungs_and_ends_within_3_5_seconds(
    clock: Clock,
) -> None:
    stage = Stage()
    stage.pool.worker.deaf = frozenset({"cancel", signal.SIGTERM, KILL})
    worker = await stage.begun()
    await stage.cancel()
    signals = []
    for seconds in (2.6, 0.1, 0.2, 0.1, 0.2):
        await clock.turn(seconds)
        signals.append(list(worker.signals))
    assert signals == [
        [],
        [signal.SIGTERM],
        [signal.SIGTERM],
        [signal.SIGTERM, KILL],
        [signal.SIGTERM, KILL],
    ]
    assert not stage.going.done()
    await clock.turn(0.1)
    assert (await stage.final())["type"] == "run.cancelled"


async def test_a_run_in_the_queue_is_cancelled_without_a_worker() -> None:
    stage = Stage(slots=0)
    await stage.begin()
    await settle()
    await stage.cancel()
    final = await stage.final()
    assert (final["type"], final["data"]["seconds"]) == ("run.cancelled", 0.0)
    assert stage.pool.taken == []


async def test_a_cancel_before_there_is_a_worker_ends_the_run_at_once_and_starts_nothing(
    clock: Clock,
) -> None:
    stage = Stage()
    stage.pool.stocked.clear()
    await stage.begin()
    await settle()
    assert stage.state() == "starting"
    await stage.cancel()
    await settle()
    assert stage.going.done()
    assert (await stage.final())["type"] == "run.cancelled"
    stage.pool.stocked.set()
    await settle()
    assert stage.pool.taken == []


async def test_a_worker_that_comes_in_the_moment_of_the_ending_is_not_started() -> None:
    class Late(ScriptedPool):
        async def take(self) -> Worker:
            worker = await super().take()
            stage.execution.end(Ending("interrupted"))
            return worker

    stage = Stage()
    late = Late()
    stage.execution = Execution(stage.run, stage.log, late, stage.slots, SPEC, timeout=1, retries=0)
    await stage.begin()
    assert (await stage.final())["type"] == "run.interrupted"
    [worker] = late.taken
    assert (worker.orders, worker.closed) == ([], True)


@pytest.mark.parametrize("turns", range(40))
async def test_a_cancel_at_any_moment_of_a_start_is_the_last_that_happens(turns: int) -> None:
    """The worker streams from the moment that it is told to start; here what it says is in flight
    for no time at all, so that nothing may come behind the ack."""
    stage = Stage()
    stage.pool.stocked.clear()
    await stage.begin()
    for turn in range(turns):
        if turn == 8:
            stage.pool.stocked.set()
        if stage.pool.taken and any(o["order"] == "start" for o in stage.pool.worker.orders):
            if turn % 2:
                stage.pool.worker.say("llm.delta", {"text": "x"})
            else:
                stage.pool.worker.say("run.started", STARTED)
        await asyncio.sleep(0)
    await stage.cancel()
    told = [order["order"] for worker in stage.pool.taken for order in worker.orders]
    stage.pool.stocked.set()
    assert (await stage.final())["type"] == "run.cancelled"
    after = [order["order"] for worker in stage.pool.taken for order in worker.orders]
    assert after == (told and [*told, "cancel"])


async def test_a_second_cancel_asks_for_what_is() -> None:
    stage = Stage()
    stage.pool.worker.deaf = frozenset({"cancel"})
    worker = await stage.begun()
    await stage.cancel()
    reply = await stage.execution.cancel(command(Cancel, "c-2", run="r"))
    assert (reply["ok"], reply["noop"]) == (True, True)
    worker.leave()
    assert (await stage.final())["cause"] == "c-1"


async def test_a_cancel_that_was_acknowledged_holds_against_a_crew_that_completes() -> None:
    stage = Stage()
    stage.pool.worker.deaf = frozenset({"cancel"})
    worker = await stage.begun()
    await stage.cancel()
    worker.say("run.completed", {"output": "all"})
    worker.leave()
    final = await stage.final()
    assert (final["type"], final["data"]["output"]) == ("run.cancelled", "all")


async def test_the_first_reason_to_end_counts_but_for_a_cancel() -> None:
    stage = Stage(slots=0)
    await stage.begin()
    stage.execution.end(Ending("interrupted", "first"))
    stage.execution.end(Ending("interrupted", "second"))
    assert (await stage.final())["data"]["reason"] == "first"

    stage = Stage()
    stage.pool.worker.deaf = frozenset({signal.SIGTERM})
    worker = await stage.begun()
    stage.execution.end(Ending("interrupted", "first"))
    await settle()
    await stage.cancel(reason="second")
    worker.leave()
    final = await stage.final()
    assert (final["type"], final["data"]["reason"]) == ("run.cancelled", "second")


async def test_a_run_that_is_interrupted_gets_a_signal_and_no_order() -> None:
    stage = Stage()
    worker = await stage.begun()
    stage.execution.end(Ending("interrupted", "the sidecar was stopped"))
    final = await stage.final()
    assert (final["type"], final["data"]["reason"]) == (
        "run.interrupted",
        "the sidecar was stopped",
    )
    assert worker.signals == [signal.SIGTERM]
    assert [order["order"] for order in worker.orders] == ["start"]


async def test_a_run_that_takes_too_long_fails_with_the_setting_that_says_so(clock: Clock) -> None:
    stage = Stage()
    await stage.begun()
    await clock.turn(TIMEOUT - 1)
    assert stage.state() == "running"
    await clock.turn(1)
    final = await stage.final()
    assert (final["type"], final["data"]["error"]) == (
        "run.failed",
        {"code": "timeout", "message": "the run took longer than 900 s (SIDECAR_RUN_TIMEOUT)"},
    )


async def test_neither_a_pause_nor_a_persons_thinking_counts_towards_the_timeout(
    clock: Clock,
) -> None:
    stage = Stage()
    worker = await stage.begun()
    controls = stage.execution.controls
    await controls.pause(command(Pause, run="r"))
    worker.say("run.paused", {"boundary": "token"})
    await clock.turn(10 * TIMEOUT)
    assert stage.state() == "paused"
    await controls.resume(command(Resume, run="r"))
    worker.say("input.requested", {"input": "in_1", "prompt": "?"})
    await clock.turn(10 * TIMEOUT)
    assert stage.state() == "waiting"
    await controls.answer(command(Answer, run="r", input="in_1", text=""))
    await clock.turn(TIMEOUT - 1)
    assert stage.state() == "running"
    await clock.turn(1)
    assert (await stage.final())["data"]["error"]["code"] == "timeout"


async def test_waiting_for_a_slot_does_not_count_towards_the_timeout(clock: Clock) -> None:
    stage = Stage(slots=0)
    await stage.begin()
    await clock.turn(10 * TIMEOUT)
    assert stage.state() == "queued"
    await stage.cancel()
    await stage.final()


async def test_a_run_that_crashed_while_paused_gets_no_worker_until_it_is_resumed() -> None:
    stage = Stage(retries=1)
    worker = await stage.begun()
    await stage.execution.controls.pause(command(Pause, "c-1", run="r"))
    worker.leave(7)
    await settle()
    last = (await stage.events())[-1]
    assert (last["type"], last["cause"], last["data"]) == (
        "run.paused",
        "c-1",
        {"boundary": "task"},
    )
    assert stage.pool.taken == [worker]
    await stage.execution.controls.resume(command(Resume, run="r"))
    second = await stage.attempt(2)
    second.give_up()
    await stage.final()


async def test_a_pause_that_a_question_had_overtaken_is_renewed_for_the_next_attempt() -> None:
    stage = Stage(retries=1)
    worker = await stage.begun()
    await stage.execution.controls.pause(command(Pause, "c-1", run="r"))
    worker.say("input.requested", {"input": "in_1", "prompt": "?"})
    worker.leave(7)
    second = await stage.attempt(2)
    second.say("run.started", {**STARTED, "attempt": 2})
    assert await second.told("pause") == {"order": "pause", "cause": "c-1"}
    assert (await stage.types())[-2:] == ["run.started", "run.pausing"]
    second.leave()
    await stage.final()


async def test_a_worker_that_completes_a_run_which_stands_still_has_crashed() -> None:
    stage = Stage()
    worker = await stage.begun()
    await stage.execution.controls.pause(command(Pause, run="r"))
    worker.say("run.paused", {"boundary": "token"})
    worker.say("run.completed", {"output": "all"})
    worker.leave()
    final = await stage.final()
    assert final["data"]["error"] == {
        "code": "crashed",
        "message": "the worker said 'run.completed' of a run that is paused",
    }


@pytest.mark.parametrize("cancelled", [False, True])
@pytest.mark.parametrize("broken", ["made", "stored", "off the table"])
async def test_a_run_whose_final_event_cannot_be_made_still_has_one(
    broken: str, cancelled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def final(*, broken: bool) -> Draft:
        return finals[kind]()

    def raises() -> Draft:
        raise ValueError("40 is not a valid Signals")

    def deep() -> Draft:
        nest: list[object] = []
        for _ in range(2_000):
            nest = [nest]
        return Draft("run.failed", 1.0, {"output": nest}, final=True)

    finals: dict[str, Callable[[], Draft]] = {
        "made": raises,
        "stored": deep,
        "off the table": lambda: Draft("run.paused", 1.0, {}, final=True),
    }
    kind = broken
    stage = Stage()
    monkeypatch.setattr(stage.execution, "_final", final)
    worker = await stage.begun()
    if cancelled:
        await stage.cancel()
    worker.leave()
    told = await stage.final()
    assert told["final"]
    assert told["type"] == ("run.cancelled" if cancelled else "run.failed")
    assert stage.state() == told["type"].partition(".")[2]


async def test_a_ladder_that_breaks_still_ends_in_a_final_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    worker = await stage.begun()

    def broken(number: int) -> None:
        if worker.alive:
            worker.leave()
            raise OSError("no such thing")

    monkeypatch.setattr(worker, "signal", broken)
    stage.execution.end(Ending("interrupted", "the sidecar was stopped"))
    assert (await stage.final())["type"] == "run.interrupted"


async def test_a_worker_that_dies_before_the_crew_has_started_is_replaced_for_free() -> None:
    stage = Stage()
    await stage.begin()
    for number in (1, 2):
        (await stage.attempt(number)).leave(7)
    third = await stage.attempt(3)
    assert (await third.told("start"))["spec"]["attempt"] == 1
    third.say("run.started", STARTED)
    third.leave(7)
    assert (await stage.final())["type"] == "run.failed"
    assert len(stage.pool.taken) == 3


async def test_workers_that_never_start_the_crew_are_replaced_twice() -> None:
    stage = Stage()
    await stage.begin()
    for number in (1, 2, 3):
        (await stage.attempt(number)).leave(7)
    final = await stage.final()
    assert final["data"]["error"]["message"] == "the worker process ended with exit code 7"
    assert len(stage.pool.taken) == 3


async def test_where_there_can_be_no_worker_nothing_is_tried_again() -> None:
    stage = Stage(retries=5)
    stage.pool.ruin("crewai is not installed")
    await stage.begin()
    await stage.final()
    assert stage.pool.asked == 1


async def test_a_run_that_breaks_in_the_gateway_still_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(ScriptedPool):
        async def take(self) -> Worker:
            raise RuntimeError("a bug")

    stage = Stage()
    stage.execution = Execution(
        stage.run, stage.log, Broken(), stage.slots, SPEC, timeout=1, retries=0
    )
    await stage.begin()
    assert (await stage.final())["data"]["error"]["code"] == "crashed"
    [record] = caplog.records
    assert record.getMessage() == "run r broke in the gateway"
