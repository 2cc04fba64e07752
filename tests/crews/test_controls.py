"""Anyone's crew can be paused, cancelled, modified, also `now`, and killed, at a call of its model
or, where it has none, before it begins. No crew is told what to expect."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from sidecar.channel import TERMINAL
from sidecar.runs.taskviews import TaskViews
from tests.crews.compare import differences, prompts
from tests.crews.registry import CREWS, FAILING
from tests.crews.sides import Answers, Direct, Sides
from tests.worker.harness import PATIENCE, Child

_SAMPLE: Final = ("processes.sequential", "flows.Joined")
"""Those of `make test`; `make test-long` has them all."""
_INSTRUCTION: Final = "Mention the river."
_SILENCE: Final = 0.3
_CANCEL_SECONDS: Final = 3.5
"""PROTOCOL.md promises it whatever the crew does."""

crews = pytest.mark.parametrize(
    "crew",
    [
        name if name in _SAMPLE else pytest.param(name, marks=pytest.mark.long)
        for name in CREWS
        if name not in FAILING
    ],
)


class Stage:
    """One crew, what came of it by CrewAI alone, and workers that are to run it."""

    def __init__(self, sides: Sides, folder: Path, target: str) -> None:
        self._sides, self._folder, self._target = sides, folder, target
        self.direct: Direct = sides.known(target, folder)
        self._workers: list[Child] = []

    def worker(self) -> Child:
        self._workers.append(self._sides.worker("sidecar", self._folder))
        return self._workers[-1]

    def spec(self, **more: Any) -> Any:
        return self._sides.spec(self._target, "sidecar", self._folder, **more)

    @property
    def asked(self) -> list[dict[str, Any]]:
        return self._sides.model.asked("sidecar")

    def at_call(self, number: int, *orders: dict[str, Any]) -> tuple[Child, Answers]:
        """A run that is in the middle of the reply to that call of its model, and has been given
        `orders` by then; without any such call, from the beginning on."""
        worker = self.worker()
        answers = Answers(worker)
        start = {"order": "start", "spec": self.spec()}
        if not self.direct.asked:
            worker.send(start, *orders)
            return worker, answers
        self._sides.model.hold(number)
        worker.send(start)
        answers.until("llm.started", number)
        assert self._sides.model.held.wait(PATIENCE)
        worker.send(*orders)
        return worker, answers

    def release(self) -> None:
        self._sides.model.release()

    def close(self) -> None:
        self.release()
        for worker in self._workers:
            worker.kill()


@pytest.fixture
def stage(sides: Sides, tmp_path: Path, crew: str) -> Iterator[Stage]:
    one = Stage(sides, tmp_path, CREWS[crew])
    yield one
    one.close()


PAUSE: Final = {"order": "pause", "cause": "c-p"}
RESUME: Final = {"order": "resume", "cause": "c-r"}


@crews
def test_a_paused_crew_says_nothing_and_gives_what_it_would_have_given(stage: Stage) -> None:
    worker, answers = stage.at_call((len(stage.direct.asked) + 1) // 2, PAUSE)
    stage.release()
    assert answers.until("run.paused")["cause"] == "c-p"
    assert worker.silent(_SILENCE)
    worker.send(RESUME)
    answers.rest()
    assert differences(stage.direct, worker.facts, stage.asked) == {}


@crews
def test_a_cancelled_crew_ends_in_time(stage: Stage) -> None:
    worker, answers = stage.at_call((len(stage.direct.asked) + 1) // 2)
    ordered = time.monotonic()
    worker.order(order="cancel", cause="c-c")
    last = answers.rest()
    assert time.monotonic() - ordered < _CANCEL_SECONDS
    assert (last["type"], last["cause"]) == ("run.cancelled", "c-c")
    assert worker.exit_code() == 0


@crews
@pytest.mark.parametrize("now", [False, True], ids=["later", "now"])
def test_an_instruction_is_in_the_crews_next_prompt(stage: Stage, now: bool) -> None:
    change = {"instruction": _INSTRUCTION} | ({"now": True} if now else {})
    worker, answers = stage.at_call(1, {"order": "modify", "cause": "c-m", "change": change}, PAUSE)
    stage.release()
    answers.until("run.paused")
    so_far = len(stage.asked)
    worker.send(RESUME)
    last = answers.rest()
    assert last["type"] == "run.completed", last
    later = stage.asked[so_far:]
    told = [fact["data"] for fact in worker.of("run.modified")]
    # An agent may have a model of the user's own, which is asked nothing that is seen here.
    called = bool(later) or (not stage.direct.asked and bool(worker.of("agent.started")))
    assert told == ([change | {"applied": "model_call"}] if called else [])
    assert any(_INSTRUCTION in json.dumps(body) for body in later) == bool(later)
    if now and worker.of("llm.delta"):
        assert later


@crews
def test_a_killed_crew_goes_on_behind_its_finished_tasks(stage: Stage) -> None:
    first, person = stage.at_call(len(stage.direct.asked))
    if stage.direct.asked:
        first.kill()
    else:
        first.until("run.started")
        first.kill()
    stage.release()
    before = len(stage.asked)
    views, head = _views(first.facts)
    kept = views.kept()
    tids = {one["tid"] for one in kept}
    second = stage.worker()
    more = {"attempt": 2, "kept": kept, "superseded": views.superseded(head)}
    second.send({"order": "start", "spec": stage.spec(**more)})
    last = Answers(second, person).rest()
    assert last["type"] in TERMINAL
    assert [one["tid"] for one in second.of("task.started") if one["tid"] in tids] == []
    again = prompts(stage.asked[before:]) - prompts(stage.direct.asked)
    assert again == Counter()
    assert last["data"].get("output") == stage.direct.output or stage.direct.output is None
    assert last["data"].get("json") == stage.direct.json


def _views(facts: list[dict[str, Any]]) -> tuple[TaskViews, int]:
    """What the gateway knows of the run's tasks by now, and how many events it has."""
    views = TaskViews()
    for seq, fact in enumerate(facts, 1):
        name = fact["data"].get("name", "")
        if fact["type"] == "run.started":
            views.plan(fact["data"]["tasks"], fact["data"].get("kept", ()), seq)
        elif fact["type"] == "task.started":
            views.started(fact.get("tid"), name, fact.get("agent", ""), fact.get("in"), seq)
        elif fact["type"] == "task.completed":
            view = views.find(fact.get("tid"), name, fact.get("agent", ""), fact.get("in"))
            if view is not None:
                view.state, view.output = "completed", fact["data"]["output"]
    return views, len(facts)
