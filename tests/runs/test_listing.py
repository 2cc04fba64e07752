"""Snapshots of many runs in one answer, of which the long ones are cut."""

from __future__ import annotations

from typing import Any

from sidecar.protocol import encode
from sidecar.runs.listing import listed


def snapshot(number: int, size: int) -> dict[str, Any]:
    return {
        "run": f"r_{number}",
        "state": "completed",
        "inputs": {"message": "x" * size, "places": ["x" * size], "count": 3, "y" * size: 1},
        "tasks": [{"name": "one", "agent": "a", "state": "completed", "output": "x" * size}],
        "output": "x" * size,
    }


def test_what_fits_is_as_it_is() -> None:
    snapshots = [snapshot(number, 100) for number in range(3)]
    assert listed(snapshots) == snapshots


def test_from_the_first_that_does_not_fit_all_are_there_and_short() -> None:
    snapshots = [snapshot(number, 100_000) for number in range(1_000)]
    shown = listed(snapshots)
    assert [one["run"] for one in shown] == [one["run"] for one in snapshots]
    assert shown[0] == snapshots[0]
    assert shown[-1] == {
        "run": "r_999",
        "state": "completed",
        "inputs": {"message": "x" * 200, "count": 3},
        "tasks": [{"name": "one", "agent": "a", "state": "completed", "output": None}],
        "output": None,
        "truncated": True,
    }
    assert len(encode({"runs": shown})) < 1_500_000
