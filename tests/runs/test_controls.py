"""What people may do to a run: what is logged, what the worker is told, and in which order."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from sidecar.channel import Order
from sidecar.errors import CommandError
from sidecar.log.memory import MemoryStore
from sidecar.protocol import Answer, Cancel, Draft, Modify, Pause, Resume
from sidecar.runs.controls import Controls
from sidecar.runs.recorder import Recorder
from sidecar.runs.run import Run
from tests.support.clock import Clock, settle
from tests.support.commands import command

TASKS = {"tasks": [{"name": "one", "agent": "a"}, {"name": "two", "agent": "b"}]}
QUESTION = {"input": "in_1", "prompt": "?", "output": "o", "expires": None}
PATIENCE = 60.0
"""Seconds that a question stays open."""


class Desk:
    """Controls over a real recorder, as an execution wires them."""

    def __init__(self, patience: float = 0.0) -> None:
        self.run = Run("r", "default", created=1.0)
        log = MemoryStore(retain=1_000, keep_runs=10).create("r")
        self.recorder = Recorder(
            self.run,
            log,
            is_stale=lambda draft: self.controls.is_stale(draft),
            noticed=lambda draft: self.controls.notice(draft),
        )
        self.controls = Controls(self.recorder, self._told, input_timeout=patience)
        self.orders: list[Order] = []
        self.heads: list[int] = []
        """The log's head at the time of each order."""

    def _told(self, order: Order) -> None:
        self.orders.append(order)
        self.heads.append(self.recorder.log.head)

    async def say(self, type: str, data: dict[str, Any] | None = None, **place: Any) -> None:
        async with self.recorder.lock:
            await self.recorder.append([Draft(type, 1.0, data or {}, **place)])

    async def start(self) -> None:
        """Two tasks, of which the first is under way; the log's head is then 3."""
        await self.say("run.queued")
        self.run.begin()
        await self.say("run.started", TASKS)
        await self.say("task.started", {"name": "one"})

    async def log(self, after: int = 3) -> list[tuple[str, str | None]]:
        events = [orjson.loads(e.json) for e in await self.recorder.log.read(after, 1_000)]
        return [(event["type"], event.get("cause")) for event in events]


@pytest.fixture
async def desk() -> Desk:
    made = Desk()
    await made.start()
    return made


def refusal(refused: pytest.ExceptionInfo[CommandError]) -> tuple[str, str]:
    return refused.value.code, refused.value.message


async def test_every_control_is_logged_before_the_worker_hears_of_it(desk: Desk) -> None:
    replies = [
        await desk.controls.pause(command(Pause, "c-1", run="r")),
        await desk.controls.resume(command(Resume, "c-2", run="r")),
        await desk.controls.modify(command(Modify, "c-3", run="r", instruction="x")),
    ]
    await desk.say("input.requested", QUESTION)
    answer = command(Answer, "c-4", run="r", input="in_1", text="yes")
    replies.append(await desk.controls.answer(answer))
    assert desk.orders == [
        {"order": "pause", "cause": "c-1"},
        {"order": "resume", "cause": "c-2"},
        {"order": "modify", "cause": "c-3", "change": {"instruction": "x"}},
        {"order": "answer", "cause": "c-4", "input": "in_1", "text": "yes"},
    ]
    assert [reply["seq"] for reply in replies] == desk.heads == [4, 5, 6, 8]
    assert await desk.log() == [
        ("run.pausing", "c-1"),
        ("run.resumed", "c-2"),
        ("run.modifying", "c-3"),
        ("input.requested", None),
        ("input.answered", "c-4"),
    ]


async def test_a_second_pause_asks_for_what_is(desk: Desk) -> None:
    await desk.controls.pause(command(Pause, "c-1", run="r"))
    while_pausing = await desk.controls.pause(command(Pause, "c-2", run="r"))
    await desk.say("run.paused", {"boundary": "token"}, cause="c-1")
    while_paused = await desk.controls.pause(command(Pause, "c-3", run="r"))
    assert while_pausing["noop"]
    assert while_paused["noop"]
    assert [order["cause"] for order in desk.orders] == ["c-1"]
    assert desk.recorder.log.head == 5


async def test_a_run_that_runs_is_resumed_already(desk: Desk) -> None:
    assert (await desk.controls.resume(command(Resume, run="r")))["noop"]
    assert desk.orders == []


async def test_what_cannot_be_is_refused_without_effect() -> None:
    desk = Desk()
    await desk.say("run.queued")
    with pytest.raises(CommandError) as refused:
        await desk.controls.pause(command(Pause, run="r"))
    assert refusal(refused) == ("illegal_state", "a run that is queued can't take 'pause'")
    with pytest.raises(CommandError) as refused:
        await desk.controls.resume(command(Resume, run="r"))
    assert refusal(refused) == ("illegal_state", "a run that is queued can't take 'resume'")
    with pytest.raises(CommandError) as refused:
        await desk.controls.answer(command(Answer, run="r", input="in_1", text=""))
    assert refusal(refused) == ("illegal_state", "a run that is queued can't take 'answer'")
    assert desk.orders == []
    assert desk.recorder.log.head == 1


async def test_only_the_pause_in_force_is_one_that_the_worker_may_tell_of(desk: Desk) -> None:
    await desk.controls.pause(command(Pause, "c-1", run="r"))
    assert not desk.controls.is_stale(Draft("run.paused", 1.0, {}, cause="c-1"))
    await desk.controls.resume(command(Resume, "c-2", run="r"))
    assert desk.controls.is_stale(Draft("run.paused", 1.0, {}, cause="c-1"))
    await desk.controls.pause(command(Pause, "c-3", run="r"))
    assert desk.controls.is_stale(Draft("run.paused", 1.0, {}, cause="c-1"))
    assert not desk.controls.is_stale(Draft("llm.delta", 1.0, {}, cause="c-1"))


async def test_what_a_task_is_to_do_can_be_changed_until_it_starts(desk: Desk) -> None:
    await desk.controls.modify(command(Modify, run="r", task="two", description="d"))
    with pytest.raises(CommandError) as refused:
        await desk.controls.modify(command(Modify, run="r", task="one", description="d"))
    assert refusal(refused) == (
        "illegal_state",
        "task 'one' is running; only one that has not started",
    )
    with pytest.raises(CommandError) as refused:
        await desk.controls.modify(command(Modify, run="r", task="three", description="d"))
    assert refusal(refused) == ("bad_request", "no task 'three'; there are one, two")
    assert [order["change"]["task"] for order in desk.orders] == ["two"]


async def test_an_instruction_may_name_a_task_that_is_not_over(desk: Desk) -> None:
    for task in ("one", "two"):
        await desk.controls.modify(command(Modify, run="r", instruction="x", task=task))
    await desk.say("task.completed", {"name": "one", "output": "o"})
    with pytest.raises(CommandError) as refused:
        await desk.controls.modify(command(Modify, run="r", instruction="x", task="one"))
    assert refusal(refused) == (
        "illegal_state",
        "task 'one' is completed; only one that has not ended",
    )


async def test_a_task_may_be_named_by_its_tid_and_one_of_a_name_is_enough() -> None:
    desk = Desk()
    await desk.say("run.queued")
    desk.run.begin()
    tasks = [{"name": "one", "agent": "a", "tid": f"1.{number}"} for number in (1, 2)]
    await desk.say("run.started", {"tasks": tasks})
    await desk.say("task.started", {"name": "one"}, tid="1.1")
    for task in ("one", "1.2"):
        await desk.controls.modify(command(Modify, run="r", task=task, description="d"))
    with pytest.raises(CommandError) as refused:
        await desk.controls.modify(command(Modify, run="r", task="1.1", description="d"))
    assert refusal(refused)[0] == "illegal_state"
    assert [order["change"]["task"] for order in desk.orders] == ["one", "1.2"]


async def test_a_flow_s_tasks_may_be_named_before_they_come_to_light() -> None:
    desk = Desk()
    await desk.say("run.queued")
    desk.run.begin()
    await desk.say("run.started", {**TASKS, "tasks": []})
    await desk.say("task.started", {"name": "one"})
    for task in ("one", "two"):  # the first may come again
        await desk.controls.modify(command(Modify, run="r", task=task, description="d"))
    assert [order["change"]["task"] for order in desk.orders] == ["one", "two"]


async def test_a_task_inside_another_does_not_stand_for_the_planned_one(desk: Desk) -> None:
    await desk.say("task.started", {"name": "two"}, tid="1.4", inside="1.3")
    change = {"task": "two", "description": "d"}
    assert (await desk.controls.modify(command(Modify, run="r", **change)))["ok"]


async def test_before_the_crew_has_told_its_tasks_any_may_be_named() -> None:
    desk = Desk()
    await desk.say("run.queued")
    change = command(Modify, "c-1", run="r", task="three", description="d")
    assert (await desk.controls.modify(change))["seq"] == 2


async def test_a_hundred_changes_may_wait_and_one_applied_makes_room(desk: Desk) -> None:
    for number in range(100):
        await desk.controls.modify(command(Modify, f"m-{number}", run="r", instruction="x"))
    with pytest.raises(CommandError) as refused:
        await desk.controls.modify(command(Modify, run="r", instruction="x"))
    assert refusal(refused) == ("at_capacity", "100 changes wait to be applied already")
    assert refused.value.temporary
    await desk.say("run.modified", {"instruction": "x", "applied": "model_call"}, cause="m-0")
    assert (await desk.controls.modify(command(Modify, run="r", instruction="x")))["ok"]


async def test_changes_are_bounded_in_bytes_applied_or_not_and_so_is_what_is_stored(
    desk: Desk,
) -> None:
    for number in range(4):
        change = command(Modify, f"m-{number}", run="r", instruction="ß" * 30_000)
        await desk.controls.modify(change)
        await desk.say("run.modified", {"applied": "model_call"}, cause=change.id)
    head = desk.recorder.log.head
    with pytest.raises(CommandError) as refused:
        await desk.controls.modify(command(Modify, run="r", instruction="ß" * 30_000))
    assert refusal(refused) == (
        "at_capacity",
        "the run's changes would be more than 256 KiB; say it shorter, or in a run of its own",
    )
    assert desk.recorder.log.head == head
    assert (await desk.controls.modify(command(Modify, run="r", instruction="x")))["ok"]
    assert len(orjson.dumps(desk.run.record(epoch="e", seq=1))) < 300_000


async def test_one_change_as_large_as_a_command_may_be_fits(desk: Desk) -> None:
    change = command(Modify, run="r", inputs={"a": "x" * (255 * 1024)})
    assert (await desk.controls.modify(change))["ok"]


async def test_the_first_answer_wins(desk: Desk) -> None:
    await desk.say("input.requested", QUESTION)
    await desk.controls.answer(command(Answer, "c-1", run="r", input="in_1", text="yes"))
    with pytest.raises(CommandError) as refused:
        await desk.controls.answer(command(Answer, "c-2", run="r", input="in_1", text="no"))
    assert refusal(refused) == ("already_answered", "somebody else has answered this question")
    assert [order["text"] for order in desk.orders] == ["yes"]


async def test_only_the_open_question_can_be_answered(desk: Desk) -> None:
    await desk.say("input.requested", QUESTION)
    with pytest.raises(CommandError) as refused:
        await desk.controls.answer(command(Answer, run="r", input="in_2", text=""))
    assert refusal(refused) == ("illegal_state", "no open question 'in_2'")
    assert desk.run.state == "waiting"


async def test_a_pause_that_a_question_overtook_is_said_again_with_the_answer(desk: Desk) -> None:
    await desk.controls.pause(command(Pause, "c-1", run="r"))
    await desk.say("input.requested", QUESTION)
    await desk.controls.answer(command(Answer, "c-2", run="r", input="in_1", text=""))
    assert (await desk.log())[-2:] == [("input.answered", "c-2"), ("run.pausing", "c-1")]
    assert desk.run.state == "pausing"


async def test_a_question_that_nobody_answers_expires_and_the_crew_goes_on(clock: Clock) -> None:
    desk = Desk(PATIENCE)
    await desk.start()
    await desk.say("input.requested", QUESTION)
    await clock.turn(PATIENCE - 1)
    assert desk.run.state == "waiting"
    await clock.turn(1)
    assert (await desk.log())[-1] == ("input.expired", None)
    assert desk.orders == [{"order": "expire", "input": "in_1"}]
    assert (desk.run.state, desk.run.input) == ("running", None)
    await desk.controls.close()


async def test_a_pause_that_a_question_overtook_is_said_again_when_that_expires(
    clock: Clock,
) -> None:
    desk = Desk(PATIENCE)
    await desk.start()
    await desk.controls.pause(command(Pause, "c-1", run="r"))
    await desk.say("input.requested", QUESTION)
    await clock.turn(PATIENCE)
    assert (await desk.log())[-2:] == [("input.expired", None), ("run.pausing", "c-1")]


async def test_a_crew_that_gives_up_waiting_is_told_that_it_may_go_on(desk: Desk) -> None:
    await desk.say("input.requested", QUESTION)
    await desk.say("input.expired", {"input": "in_1"})
    assert (desk.run.state, desk.run.input) == ("running", None)
    assert desk.orders == [{"order": "expire", "input": "in_1"}]


async def test_a_crew_that_gives_up_waiting_for_what_was_just_answered_is_not_heard(
    desk: Desk,
) -> None:
    await desk.say("input.requested", QUESTION)
    await desk.controls.answer(command(Answer, "c-1", run="r", input="in_1", text="a"))
    head = desk.recorder.log.head
    await desk.say("input.expired", {"input": "in_1"})
    assert desk.recorder.log.head == head
    assert [order["order"] for order in desk.orders] == ["answer"]


async def test_a_pause_that_a_question_overtook_holds_when_the_crew_gives_up(desk: Desk) -> None:
    await desk.controls.pause(command(Pause, "c-1", run="r"))
    await desk.say("input.requested", QUESTION)
    drafts = desk.controls.with_pauses([Draft("input.expired", 1.0, {"input": "in_1"})])
    await desk.recorder.append(drafts)
    assert (await desk.log())[-2:] == [("input.expired", None), ("run.pausing", "c-1")]


async def test_an_answer_in_the_moment_of_the_expiry_counts(clock: Clock) -> None:
    desk = Desk(PATIENCE)
    await desk.start()
    await desk.say("input.requested", QUESTION)
    async with desk.recorder.lock:
        await clock.turn(PATIENCE)
        await desk.recorder.append([Draft("input.answered", 1.0, {"input": "in_1", "text": "a"})])
    await settle()
    assert (await desk.log())[-1] == ("input.answered", None)


@pytest.mark.parametrize("closing", ["input.answered", "run.started", "close"])
async def test_a_question_that_is_closed_does_not_expire(clock: Clock, closing: str) -> None:
    desk = Desk(PATIENCE)
    await desk.start()
    await desk.say("input.requested", QUESTION)
    if closing == "input.answered":
        await desk.controls.answer(command(Answer, run="r", input="in_1", text=""))
    elif closing == "run.started":
        desk.run.begin()
        await desk.say("run.started", {**TASKS, "attempt": 2})
    else:
        await desk.controls.close()
    head = desk.recorder.log.head
    await clock.turn(2 * PATIENCE)
    assert desk.recorder.log.head == head
    assert "expire" not in [order["order"] for order in desk.orders]


async def test_each_question_has_all_of_its_time(clock: Clock) -> None:
    desk = Desk(PATIENCE)
    await desk.start()
    await desk.say("input.requested", QUESTION)
    await clock.turn(PATIENCE - 1)
    await desk.controls.answer(command(Answer, run="r", input="in_1", text="again"))
    await desk.say("input.requested", {**QUESTION, "input": "in_2"})
    await clock.turn(PATIENCE - 1)
    assert desk.run.state == "waiting"
    await clock.turn(1)
    assert desk.orders[-1] == {"order": "expire", "input": "in_2"}


async def test_without_a_limit_a_question_stays_open(clock: Clock) -> None:
    desk = Desk(patience=0.0)
    await desk.start()
    await desk.say("input.requested", QUESTION)
    await clock.turn(1_000_000)
    assert desk.run.state == "waiting"


async def test_closing_waits_for_a_question_that_is_just_expiring(clock: Clock) -> None:
    desk = Desk(PATIENCE)
    await desk.start()
    await desk.say("input.requested", QUESTION)
    async with desk.recorder.lock:
        await clock.turn(PATIENCE)
    await desk.controls.close()
    assert (await desk.log())[-1] == ("input.expired", None)


async def test_a_new_worker_is_told_again_of_what_still_counts(desk: Desk) -> None:
    await desk.controls.modify(command(Modify, "c-1", run="r", inputs={"a": 1}))
    await desk.say("run.modified", {"inputs": {"a": 1}, "applied": "task"}, cause="c-1")
    await desk.controls.modify(command(Modify, "c-2", run="r", instruction="x", now=True))
    assert desk.controls.brief() == [
        # Told of as applied already: without a cause, so that it is not told of twice.
        {"order": "modify", "change": {"inputs": {"a": 1}}},
        {"order": "modify", "change": {"instruction": "x", "now": True}, "cause": "c-2"},
    ]


async def test_a_pause_holds_for_the_attempt_that_has_just_begun(desk: Desk) -> None:
    await desk.controls.pause(command(Pause, "c-1", run="r"))
    await desk.say("input.requested", QUESTION)
    desk.run.begin()
    await desk.say("run.started", {**TASKS, "attempt": 2})
    await desk.controls.renew_pause("c-1")
    assert (await desk.log())[-1] == ("run.pausing", "c-1")
    assert desk.orders[-1] == {"order": "pause", "cause": "c-1"}


async def test_a_pause_that_was_cancelled_meanwhile_is_not_renewed(desk: Desk) -> None:
    await desk.controls.pause(command(Pause, "c-1", run="r"))
    await desk.say("run.cancelling", cause=command(Cancel, "c-2", run="r").id)
    await desk.controls.renew_pause("c-1")
    assert (await desk.log())[-1] == ("run.cancelling", "c-2")
