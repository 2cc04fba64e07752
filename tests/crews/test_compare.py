"""The comparison sees what is missing, too much, elsewhere, of someone else or in another order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.crews.compare import differences
from tests.crews.model import usage
from tests.crews.sides import Direct

BODY: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Write on tea"}]}
"""What a model is asked; its answer is of eleven words."""
REPLY = "I was asked"


def event(type: str, task: str | None = None, agent: str | None = None, **more: Any) -> Any:
    place = {"source": "crewai.task", "strand": "1", "task": task, "agent": agent}
    return {"type": type, "reply": None, **place, **more}


DIRECT = Direct(
    output=REPLY,
    json=None,
    error=None,
    events=[
        event("crew_kickoff_started"),
        event("task_started", "write", "Writer\n"),
        event("hook_dispatched"),
        event("llm_call_started", agent="Writer\n"),
        event("llm_call_completed", reply=REPLY),
        event("task_completed", "write", "Writer\n"),
        event("crew_kickoff_completed"),
    ],
    asked=[BODY],
)


def fact(type: str, data: dict[str, Any] | None = None, **place: str) -> dict[str, Any]:
    return {"type": type, "data": data or {}, **place}


FACTS = [
    fact("run.started", {"tasks": [{"name": "write", "agent": "Writer", "tid": "1.1"}]}),
    fact("task.started", task="write", agent="Writer"),
    fact("llm.started", {"call": "c"}, agent="Writer"),
    fact("llm.delta", {"call": "c", "kind": "text", "text": "I was "}),
    fact("llm.delta", {"call": "c", "kind": "text", "text": "asked"}),
    fact("llm.completed", {"call": "c", "usage": usage(BODY)}),
    fact("task.completed", task="write", agent="Writer"),
    fact("run.completed", {"output": REPLY}),
]


def without(number: int) -> list[dict[str, Any]]:
    return [one for place, one in enumerate(FACTS) if place != number]


def changed(number: int, **parts: Any) -> list[dict[str, Any]]:
    return [{**one, **parts} if place == number else one for place, one in enumerate(FACTS)]


def test_two_equal_sides_have_no_difference() -> None:
    assert differences(DIRECT, FACTS, [BODY]) == {}


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        (without(1), {"events", "labels", "order"}),
        ([*FACTS[:1], fact("event", {"kind": "new"}), *FACTS[1:]], {"events"}),
        (changed(1, task="another"), {"labels", "order"}),
        (changed(1, agent="Another"), {"labels", "order"}),
        (changed(2, agent="Another"), {"workers"}),
        (changed(4, data={"call": "c", "kind": "text", "text": "?"}), {"replies"}),
        (changed(5, data={"call": "c", "usage": {"prompt_tokens": 1}}), {"usage"}),
        ([FACTS[0], FACTS[6], *FACTS[2:6], FACTS[1], FACTS[7]], {"order"}),
        (changed(7, data={"output": "Another"}), {"output"}),
        (changed(7, data={"output": REPLY, "json": {"a": 1}}), {"json"}),
        (changed(7, type="run.failed"), {"ending"}),
        (
            changed(3, type="log", data={"stream": "sidecar", "text": "?"}),
            {"complaints", "replies"},
        ),
    ],
)
def test_what_differs_is_named(facts: list[dict[str, Any]], found: set[str]) -> None:
    assert differences(DIRECT, facts, [BODY]).keys() == found


def test_another_prompt_is_a_difference() -> None:
    other = {**BODY, "messages": [{"role": "user", "content": "Write on tee"}]}
    assert differences(DIRECT, FACTS, [other]).keys() == {"prompts"}
