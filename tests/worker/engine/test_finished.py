"""A flow whose worker is killed: what its crews had finished and what people had said is not asked
for again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sidecar.worker.journal import JOURNAL
from tests.worker.harness import Child, Zygote, spec_for

FLOW = "tests.worker.targets:Rounds"


class Life:
    """One attempt after another in the same folder, each up to a kill -9 or to its end."""

    def __init__(self, zygote: Zygote, directory: Path) -> None:
        self._zygote = zygote
        self._directory = directory
        self._attempts = 0
        self.child: Child | None = None

    def begin(self, **more: Any) -> Child:
        self._attempts += 1
        self.child = self._zygote.make()
        self.child.start(
            spec_for(self._directory, target=FLOW, attempt=self._attempts, superseded=None, **more)
        )
        return self.child

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()


@pytest.fixture
def life(zygote: Zygote, tmp_path: Path) -> Any:
    life = Life(zygote, tmp_path)
    yield life
    life.kill()


def answer(child: Child, text: str) -> str:
    """Answer the next question; its prompt."""
    question = child.until("input.requested")["data"]
    child.order(order="answer", cause="c-a", input=question["input"], text=text)
    return str(question["prompt"])


def done(child: Child) -> list[str]:
    """Tasks that a model worked on."""
    return [fact["task"] for fact in child.of("llm.started")]


def kept(child: Child) -> list[str]:
    return [fact["data"]["name"] for fact in child.of("task.completed") if fact["data"].get("kept")]


def whole(zygote: Zygote, directory: Path) -> str:
    """What comes of it without any crash."""
    life = Life(zygote, directory)
    child = life.begin()
    assert [answer(child, "yes"), answer(child, "no")] == ["Good tea?", "Good cups?"]
    last = child.rest()
    life.kill()
    return str(last["data"]["output"])


def test_crews_and_answers_of_a_flow_outlive_its_worker(
    life: Life, zygote: Zygote, tmp_path: Path
) -> None:
    first = life.begin()
    answer(first, "yes")
    while first.until("task.completed")["data"]["name"] != "draft":
        pass
    first.until("llm.delta")
    life.kill()

    second = life.begin()
    assert answer(second, "no") == "Good cups?"
    last = second.rest()
    assert last["data"]["output"] == whole(zygote, tmp_path / "other")
    assert (kept(second), done(second)) == (["draft", "polish", "draft"], ["polish"])
    assert [fact["data"]["kept"] for fact in second.of("task.completed")[:3]] == [True] * 3


def test_a_crew_that_had_finished_nothing_is_begun_again(life: Life) -> None:
    life.begin().until("llm.delta")
    life.kill()
    second = life.begin()
    answer(second, "yes")
    answer(second, "no")
    assert second.rest()["type"] == "run.completed"
    assert (kept(second), done(second)) == ([], ["draft", "polish"] * 2)


def test_what_was_kept_once_is_kept_for_the_third_attempt_too(life: Life) -> None:
    first = life.begin()
    answer(first, "yes")
    first.until("crew.started")  # of the second round: the answer has been heard
    life.kill()
    for _ in range(2):
        life.begin().until("llm.delta")
        life.kill()
    last = life.begin()
    answer(last, "no")
    assert last.rest()["type"] == "run.completed"
    assert (kept(last)[:2], done(last)[-1:]) == (["draft", "polish"], ["polish"])


def test_a_journal_that_was_torn_costs_what_was_torn_and_no_more(
    life: Life, tmp_path: Path
) -> None:
    first = life.begin()
    answer(first, "yes")
    life.kill()
    journal = tmp_path / "run" / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-20] + b"\n[1]\n\xff\n")
    second = life.begin()
    assert answer(second, "yes") in ("Good tea?", "Good cups?")
    assert kept(second)[:1] == ["draft"]
