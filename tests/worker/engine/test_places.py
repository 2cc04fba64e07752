"""The chain of what is inside what, where it is whole and where something has broken it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from sidecar.worker.engine.places import NOWHERE, Place, Places


def event(
    id: str = "e", inside: str | None = None, ends: str | None = None, **fields: Any
) -> SimpleNamespace:
    base = {"task_id": None, "agent_role": None}
    return SimpleNamespace(
        **{**base, **fields}, event_id=id, parent_event_id=inside, started_event_id=ends
    )


def task(id: str) -> SimpleNamespace:
    return SimpleNamespace(id=id)


def test_what_is_inside_something_is_where_that_is() -> None:
    places = Places(1, lambda: None)
    plan = places.open_task(event("t"), task("1"), Place(task="plan", tid="1.1"))
    assert places.of(event(inside="t")) is plan
    assert places.open(event("call"), places.of(event(inside="t"))) is plan
    assert places.of(event(inside="call")) is plan
    assert places.of(event(inside="unknown")) is NOWHERE


def test_here_is_where_the_calling_context_is() -> None:
    now: list[str | None] = [None]
    places = Places(1, lambda: now[0])
    assert places.here() is NOWHERE
    plan = places.open_task(event("t"), task("1"), Place(task="plan"))
    now[0] = "t"
    assert places.here() is plan


def test_a_straggler_is_where_it_was_begun_though_that_has_ended() -> None:
    places = Places(1, lambda: None)
    plan = places.open_task(event("t"), task("1"), Place(task="plan"))
    places.open(event("saving"), plan)
    assert places.close(event(ends="t"), ("task", "1")) is plan
    assert places.of(event(inside="saving")) is plan
    assert places.of(event(inside="t")) is plan


def test_off_the_chain_a_task_at_work_is_known_by_its_id() -> None:
    places = Places(1, lambda: None)
    plan = places.open_task(event("t"), task("1"), Place(task="plan"))
    assert places.of(event(task_id="1")) is plan
    places.close(event(ends="t"), ("task", "1"))
    assert places.of(event(task_id="1")) is NOWHERE


def test_of_one_object_that_is_begun_twice_each_end_is_its_own() -> None:
    """One crew, kicked off by two threads at the same time."""
    places = Places(1, lambda: None)
    key = ("crew", 7)
    first = places.open(event("a"), Place(tid="1.1"), key)
    second = places.open(event("b"), Place(tid="1.2"), key)
    assert places.close(event(ends="a"), key) is first
    assert places.close(event(ends="b"), key) is second
    assert places.close(event(ends="b"), key) is None


def test_an_end_that_is_paired_with_another_things_beginning_ends_the_latest_of_its_own() -> None:
    places = Places(1, lambda: None)
    outer = places.open(event("outer"), Place(tid="1.1"), ("crew", 1))
    places.open(event("task"), Place(tid="1.2"), ("task", "1"))
    assert places.close(event(ends="task"), ("crew", 1)) is outer
    assert places.of(event(inside="task")).tid == "1.2"


def test_no_number_of_other_beginnings_drives_an_execution_out() -> None:
    places = Places(1, lambda: None)
    plan = places.open_task(event("t"), task("1"), Place(task="plan"))
    for number in range(20_000):
        places.open(event(f"call-{number}"), plan)
    assert places.of(event(inside="t")) is plan
    assert places.of(event(inside="call-19999")) is plan
    assert places.of(event(inside="call-0")) is NOWHERE, "it is bounded"


@pytest.mark.parametrize(("label", "wanted"), [("Writer\n", "Writer"), (None, None)])
def test_who_works_is_named_by_the_event_where_the_place_names_nobody(
    label: str | None, wanted: str | None
) -> None:
    places = Places(1, lambda: None)
    places.open(event("m"), Place(method="write", tid="1.2"), ("method", 1, "write"))
    place = places.of(event(inside="m", agent_role=label))
    assert (place.agent, place.method, place.tid) == (wanted, "write", "1.2")
    places.open(event("a"), Place(agent="Boss"))
    assert places.of(event(inside="a", agent_role=label)).agent == "Boss"


def test_a_fact_says_of_its_place_what_there_is() -> None:
    place = Place("plan", "Writer", tid="1.2", inside="1.1")
    fact: dict[str, Any] = {**place.fact("step", {"n": 1})}
    assert isinstance(fact.pop("ts"), float)
    assert fact == {
        "type": "step",
        "data": {"n": 1},
        "task": "plan",
        "agent": "Writer",
        "tid": "1.2",
        "in": "1.1",
    }


def test_tids_of_another_attempt_are_others() -> None:
    first, second = Places(1, lambda: None), Places(2, lambda: None)
    assert [first.new_tid(), first.new_tid(), second.new_tid()] == ["1.1", "1.2", "2.1"]
