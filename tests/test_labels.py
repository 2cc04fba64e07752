"""Executions of one name are told apart in a line of text."""

from __future__ import annotations

from typing import Any

from sidecar.labels import _MOST, Labels


def begins(tid: str | None, name: str, inside: str | None = None) -> dict[str, Any]:
    places = {"tid": tid, "in": inside}
    return {
        "type": "task.started",
        **{key: value for key, value in places.items() if value},
        "data": {"name": name},
    }


def test_a_name_that_comes_again_is_numbered_from_the_second_time_on() -> None:
    labels = Labels()
    told = [labels.begin(begins(tid, "task_1")) for tid in ("1.1", "1.2", "1.3")]
    assert told == ["task_1", "task_1 #2", "task_1 #3"]
    assert labels.of({"tid": "1.2", "task": "task_1"}) == "task_1 #2"
    assert labels.around(begins("1.4", "inner", inside="1.3")) == "task_1 #3"


def test_another_attempt_gives_the_same_labels_again_and_kept_tasks_have_theirs() -> None:
    labels = Labels()
    for tid in ("1.1", "1.2"):
        labels.begin(begins(tid, tid))
    labels.start_over()
    assert labels.begin(begins("2.1", "1.2")) == "1.2"
    assert labels.of({"tid": "1.1"}) == "1.1"


def test_logs_without_tids_go_by_name_and_what_never_began_by_what_it_says_itself() -> None:
    labels = Labels()
    labels.begin(begins(None, "plan"))
    assert labels.of({"task": "plan"}) == "plan"
    assert labels.of({"tid": "1.9", "task": "write"}) == "write"
    assert labels.of({"tid": "1.8", "method": "judge"}) == "judge"
    assert labels.of({}) == labels.around({}) == ""


def test_a_run_without_end_does_not_fill_the_memory() -> None:
    labels = Labels()
    for n in range(_MOST + 50):
        labels.begin(begins(f"1.{n}", f"name {n}"))
    assert len(labels._labels) == len(labels._times) == _MOST
    assert labels.of({"tid": f"1.{_MOST + 49}"}) == f"name {_MOST + 49}"
