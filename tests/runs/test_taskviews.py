from __future__ import annotations

from typing import Any

from sidecar.runs.taskviews import TaskViews

OWN = [
    {"name": "plan", "agent": "Planner", "tid": "1.1"},
    {"name": "write", "agent": "Writer", "tid": "1.2"},
]


def planned(tasks: Any = OWN) -> TaskViews:
    work = TaskViews()
    work.plan(tasks, (), 1)
    return work


def finish(work: TaskViews, tid: str, name: str, output: str, inside: str | None = None) -> None:
    view = work.find(tid, name, "", inside)
    assert view is not None
    view.state, view.output = "completed", output
    work.make_room()


def told(work: TaskViews) -> list[dict[str, Any]]:
    return [view.as_dict() for view in work.views]


def test_executions_of_one_name_are_told_apart() -> None:
    work = planned([])
    for tid, agent in (("1.2", "Left"), ("1.4", "Right")):
        work.started(tid, "work", agent, f"{tid}-crew", 2)
    finish(work, "1.4", "work", "right's", "1.4-crew")
    assert told(work) == [
        {
            "name": "work",
            "agent": "Left",
            "state": "running",
            "output": None,
            "tid": "1.2",
            "in": "1.2-crew",
        },
        {
            "name": "work",
            "agent": "Right",
            "state": "completed",
            "output": "right's",
            "tid": "1.4",
            "in": "1.4-crew",
        },
    ]


def test_a_nested_task_of_a_planned_ones_name_is_not_kept_in_its_place() -> None:
    work = planned([{"name": "task_1", "agent": "Poet", "tid": "1.1"}])
    work.started("1.1", "task_1", "Poet", None, 2)
    work.started("1.3", "task_1", "Critic", "1.2", 5)
    finish(work, "1.3", "task_1", "the critic's", "1.2")
    assert work.kept() == []
    assert work.superseded(9) == [2, 9]


def test_what_happened_inside_a_kept_task_is_not_superseded() -> None:
    work = planned()
    work.started("1.1", "plan", "Planner", None, 2)
    work.started("1.4", "task_1", "Critic", "1.3", 4)
    finish(work, "1.1", "plan", "a plan")
    assert work.superseded(7) is None
    work.started("1.2", "write", "Writer", None, 8)
    assert work.superseded(9) == [8, 9]


def test_a_crews_planner_is_no_task_of_the_run() -> None:
    work = planned()
    work.started("1.3", "planning", "Task Execution Planner", None, 2)
    work.started("1.1", "plan", "Planner", None, 5)
    assert [view.tid for view in work.views] == ["1.1", "1.2"]
    # With nothing kept it plans anew, and what it said goes with the rest.
    assert work.superseded(6) == [2, 6]
    finish(work, "1.1", "plan", "a plan")
    work.started("1.2", "write", "Writer", None, 7)
    assert [one["tid"] for one in work.kept()] == ["1.1"]
    assert work.superseded(9) == [7, 9]


def test_a_kept_task_stays_what_it_was_in_the_next_attempt() -> None:
    work = planned()
    finish(work, "1.1", "plan", "a plan")
    work.started("1.5", "plan", "Other", "1.4", 3)
    again = [OWN[0], {"name": "write", "agent": "Writer", "tid": "2.1"}]
    work.plan(again, ["plan"], 20)
    assert [(view.tid, view.state, view.output) for view in work.views] == [
        ("1.1", "completed", "a plan"),
        ("2.1", "pending", None),
    ]


def test_a_flow_that_loops_has_the_newest_of_its_tasks() -> None:
    work = planned([])
    for number in range(600):
        work.started(f"1.{number}", "draft", "Writer", "1.0", number + 2)
        finish(work, f"1.{number}", "draft", "text", "1.0")
    assert [work.views[0].tid, work.views[-1].tid, len(work.views)] == ["1.100", "1.599", 500]
    assert list(work.begun) == ["1.0"]


def test_the_outputs_of_a_loop_are_bounded_together_and_none_at_work_is_lost() -> None:
    work = planned(OWN)
    work.started("1.3", "slow", "Writer", "1.2", 2)
    for number in range(10, 60):
        finish(work, f"1.{number}", "draft", "x" * 64 * 1024, "1.2")
    assert [view.tid for view in work.views[:4]] == ["1.1", "1.2", "1.3", "1.44"]
    assert sum(len(view.output or "") for view in work.views) == 1024 * 1024


def test_it_is_restored_as_it_was_told() -> None:
    work = planned()
    work.started("1.1", "plan", "Planner", None, 2)
    finish(work, "1.4", "task_1", "nested", "1.3")
    journal = {"planned": work.plan_size, "since": work.since, "begun": work.begun}
    assert TaskViews.restore(told(work), journal) == work
