"""A crew that stands still keeps its worker and gives its slot back, and takes one to go on."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sidecar.channel import Order
from sidecar.errors import CommandError
from sidecar.protocol import Answer, Modify, Pause, Resume
from tests.support.clock import Clock, settle
from tests.support.commands import command
from tests.support.long import examples
from tests.support.scripted import ScriptedWorker
from tests.support.stage import TIMEOUT, Stage

QUESTION = {"input": "in_1", "prompt": "?", "output": "o", "expires": None}


async def paused() -> tuple[Stage, ScriptedWorker]:
    """Without its slot, which nobody has."""
    stage = Stage()
    worker = await stage.begun()
    await stage.execution.controls.pause(command(Pause, "c-1", run="r"))
    worker.say("run.paused", {"boundary": "token"})
    await settle()
    assert (stage.state(), stage.execution.place.held) == ("paused", False)
    return stage, worker


async def asking() -> tuple[Stage, ScriptedWorker]:
    """Without its slot, which nobody has."""
    stage = Stage()
    worker = await stage.begun()
    worker.say("input.requested", QUESTION)
    await settle()
    assert (stage.state(), stage.execution.place.held) == ("waiting", False)
    return stage, worker


async def resume(stage: Stage, id: str = "c-2") -> None:
    assert (await stage.execution.controls.resume(command(Resume, id, run="r")))["ok"]


async def pause(stage: Stage, id: str) -> None:
    assert (await stage.execution.controls.pause(command(Pause, id, run="r")))["ok"]
    await settle()


async def answer(stage: Stage) -> None:
    answer = command(Answer, "c-a", run="r", input="in_1", text="yes")
    assert (await stage.execution.controls.answer(answer))["ok"]


def told(worker: ScriptedWorker) -> list[str]:
    return [order["order"] for order in worker.orders]


async def test_a_run_that_is_paused_gives_its_slot_back_and_keeps_its_worker() -> None:
    stage, worker = await paused()
    assert (stage.execution.stands, worker.alive) == (True, True)
    stage.other.ask()
    assert stage.other.held
    await stage.cancel()
    await stage.final()


async def test_one_that_is_resumed_while_a_slot_is_free_goes_on_at_once() -> None:
    stage, worker = await paused()
    await resume(stage)
    assert told(worker) == ["start", "pause", "resume"]
    assert stage.execution.place.held
    worker.give_up()
    await stage.final()


async def test_one_that_is_resumed_waits_for_its_turn_before_those_that_have_not_begun() -> None:
    stage, worker = await paused()
    stage.other.ask()
    queued = stage.slots.place()
    queued.ask()
    await resume(stage)
    assert (stage.state(), told(worker)) == ("running", ["start", "pause"])
    assert (stage.execution.place.position, queued.position) == (1, 2)
    stage.other.give_back()
    assert told(worker) == ["start", "pause", "resume"]
    worker.give_up()
    await stage.final()
    assert queued.held


async def test_an_answer_is_told_to_the_crew_when_it_has_a_slot_again() -> None:
    stage, worker = await asking()
    stage.other.ask()
    await answer(stage)
    assert (stage.state(), told(worker)) == ("running", ["start"])
    stage.other.give_back()
    assert told(worker) == ["start", "answer"]
    worker.give_up()
    await stage.final()


async def test_a_question_that_expires_waits_for_a_slot_too(clock: Clock) -> None:
    stage = Stage(input_timeout=60.0)
    worker = await stage.begun()
    worker.say("input.requested", QUESTION)
    await settle()
    stage.other.ask()
    await clock.turn(60.0)
    assert (stage.state(), told(worker)) == ("running", ["start"])
    stage.other.give_back()
    assert told(worker) == ["start", "expire"]
    worker.give_up()
    await stage.final()


async def test_what_does_not_let_the_crew_go_on_is_told_without_a_slot() -> None:
    stage, worker = await paused()
    stage.other.ask()
    await resume(stage)
    await stage.execution.controls.modify(command(Modify, "c-3", run="r", instruction="x"))
    assert told(worker) == ["start", "pause", "modify"]
    await stage.cancel()
    await stage.final()


async def test_a_pause_in_line_holds_at_once_since_the_crew_has_not_moved() -> None:
    stage, worker = await paused()
    stage.other.ask()
    await resume(stage)
    await pause(stage, "c-3")
    last = (await stage.events())[-1]
    assert (last["type"], last["cause"]) == ("run.paused", "c-3")
    assert (stage.state(), told(worker)) == ("paused", ["start", "pause"])
    stage.other.give_back()
    assert not stage.execution.place.held
    await resume(stage, "c-4")
    assert told(worker) == ["start", "pause", "resume"]
    worker.give_up()
    await stage.final()


async def test_an_answer_that_a_pause_holds_up_is_told_with_the_resume() -> None:
    stage, worker = await asking()
    stage.other.ask()
    await answer(stage)
    await pause(stage, "c-3")
    assert stage.state() == "paused"
    await resume(stage)
    assert told(worker) == ["start"]
    stage.other.give_back()
    assert told(worker)[:2] == ["start", "answer"]
    worker.give_up()
    await stage.final()


async def test_a_cancel_in_line_does_not_wait_for_its_turn() -> None:
    stage, worker = await paused()
    stage.other.ask()
    await resume(stage)
    await stage.cancel()
    assert (await stage.final())["type"] == "run.cancelled"
    assert told(worker) == ["start", "pause", "cancel"]
    assert stage.other.held
    assert stage.execution.place.position == 0


async def test_time_in_line_does_not_count_towards_the_timeout(clock: Clock) -> None:
    stage, worker = await paused()
    stage.other.ask()
    await resume(stage)
    await clock.turn(10 * TIMEOUT)
    assert stage.state() == "running"
    stage.other.give_back()
    await clock.turn(TIMEOUT - 1)
    assert stage.state() == "running"
    await clock.turn(1)
    assert (await stage.final())["data"]["error"]["code"] == "timeout"
    assert told(worker) == ["start", "pause", "resume"]


async def test_a_worker_that_dies_in_line_gives_way_to_another_in_its_turn() -> None:
    stage = Stage(retries=1)
    worker = await stage.begun()
    worker.say("input.requested", QUESTION)
    await settle()
    stage.other.ask()
    await answer(stage)
    worker.leave(7)
    await settle()
    assert stage.pool.taken == [worker]
    stage.other.give_back()
    second = await stage.attempt(2)
    assert told(second) == ["start"]
    second.give_up()
    await stage.final()


async def test_a_crash_keeps_the_slot_for_the_next_attempt() -> None:
    stage = Stage(retries=1)
    worker = await stage.begun()
    stage.other.ask()
    worker.leave(7)
    (await stage.attempt(2)).give_up()
    await stage.final()
    assert stage.other.held


class Crew:
    """Obeys as `sidecar.worker.engine.gates` does, and works whenever nothing keeps it."""

    def __init__(self, worker: ScriptedWorker) -> None:
        self._worker = worker
        self._heard = 0
        self._asked = 0
        self._pause: str | None = None
        self._stands = False
        self._question: str | None = None
        self._answered = False

    @property
    def works(self) -> bool:
        return self._question is None and not self._stands

    def hear(self) -> None:
        for order in self._worker.orders[self._heard :]:
            self._heard += 1
            self._obey(order)
        if self._answered:
            self._question, self._answered = None, False
        if self._question is None and self._pause is not None and not self._stands:
            self._stands = True
            self._worker.say("run.paused", {"boundary": "token"}, cause=self._pause)

    def ask(self) -> None:
        if self.works:
            self._asked += 1
            self._question = f"in_{self._asked}"
            self._worker.say("input.requested", {**QUESTION, "input": self._question})

    def _obey(self, order: Order) -> None:
        if order["order"] == "pause" and self._pause is None:
            self._pause = order["cause"]
        elif order["order"] == "resume":
            self._pause, self._stands = None, False
        elif order["order"] == "answer" and order["input"] == self._question:
            self._answered = True


STEPS = ("pause", "resume", "answer", "ask", "take", "free", "hear", "settle")


async def play(script: list[str]) -> None:
    stage = Stage()
    worker = await stage.begun()
    crew = Crew(worker)
    run, controls = stage.run, stage.execution.controls

    async def press(step: str, id: str) -> None:
        open_question = str((run.input or {}).get("input"))
        body: dict[str, Any] = {"id": id, "run": "r"}
        try:
            if step == "pause":
                await controls.pause(command(Pause, **body))
            elif step == "resume":
                await controls.resume(command(Resume, **body))
            else:
                await controls.answer(command(Answer, **body, input=open_question, text=""))
        except CommandError:
            pass

    for number, step in enumerate(script):
        if step in ("pause", "resume", "answer"):
            await press(step, f"c-{number}")
        elif step == "ask":
            crew.ask()
        elif step == "take":
            stage.other.ask()
        elif step == "free":
            stage.other.give_back()
        elif step == "hear":
            crew.hear()
        else:
            await settle()
            # A crew at work has its slot, unless it is just about to say that it stands still.
            crew.hear()
            await settle()
            assert stage.execution.place.held or not crew.works
    stage.other.give_back()
    for number in range(4):
        crew.hear()
        await settle()
        await press("resume" if run.state in ("pausing", "paused") else "answer", f"d-{number}")
        crew.hear()
        await settle()
    assert (run.state, crew.works, stage.execution.place.held) == ("running", True, True)
    worker.say("run.completed", {"output": "o"})
    worker.leave()
    assert (await stage.final())["type"] == "run.completed"


@examples(300, 10_000)
@given(st.lists(st.sampled_from(STEPS), max_size=40))
def test_whatever_is_pressed_the_crew_goes_on_in_the_end_and_works_only_with_a_slot(
    script: list[str],
) -> None:
    asyncio.run(play(script))
