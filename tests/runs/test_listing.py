"""Snapshots of many runs in one answer, of which the long ones are cut."""

from __future__ import annotations

import asyncio
import itertools
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from sidecar.datafolder import DataFolder
from sidecar.errors import CommandError
from sidecar.log.sqlite import SqliteStore
from sidecar.protocol import LIVE_STATES, Draft, encode
from sidecar.runs import Supervisor
from sidecar.runs.listing import Listing, Query
from sidecar.settings import Settings
from tests.support.scripted import ScriptedPool

MEGABYTE = 1 << 20


def snapshot(number: int, size: int) -> dict[str, Any]:
    return {
        "run": f"r_{number}",
        "state": "completed",
        "inputs": {"message": "x" * size, "places": ["x" * size], "count": 3, "y" * size: 1},
        "tasks": [{"name": "one", "agent": "a", "state": "completed", "output": "x" * size}],
        "input": {"input": "i_1", "prompt": "?", "output": "x" * size},
        "output": "x" * size,
    }


def test_what_fits_is_as_it_is() -> None:
    snapshots = [snapshot(number, 100) for number in range(3)]
    listing = Listing()
    assert [listing.shown(one) for one in snapshots] == snapshots


def test_from_the_first_that_does_not_fit_all_are_there_and_short() -> None:
    snapshots = [snapshot(number, 100_000) for number in range(1_000)]
    listing = Listing()
    shown = [listing.shown(one) for one in snapshots]
    assert [one["run"] for one in shown] == [one["run"] for one in snapshots]
    assert shown[0] == snapshots[0]
    assert shown[-1] == {
        "run": "r_999",
        "state": "completed",
        "inputs": {"message": "x" * 200, "count": 3},
        "tasks": [{"name": "one", "agent": "a", "state": "completed", "output": None}],
        "input": {"input": "i_1", "prompt": "?", "output": None},
        "output": None,
        "truncated": True,
    }
    assert len(encode({"runs": shown})) < 1_500_000


@pytest.mark.parametrize("state", [None, "completed"])
async def test_a_list_of_long_runs_takes_the_memory_of_what_it_shows_and_lets_others_have_turns(
    tmp_path: Path, state: str | None
) -> None:
    store = SqliteStore(tmp_path / "log.sqlite3", retain=10, keep_runs=0)
    supervisor = Supervisor(Settings(), store, ScriptedPool(), DataFolder(tmp_path))
    await supervisor.open()
    final = Draft("run.completed", 1.0, {}, final=True)
    for number in range(100):
        record = snapshot(number, 50_000)
        await store.create(record["run"]).append([final], snapshot=record)
    turns = itertools.count()
    others = asyncio.create_task(takes(turns))
    tracemalloc.start()
    try:
        shown = await listed(supervisor, state)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        others.cancel()
    await supervisor.close()
    assert [one["run"] for one in shown] == [f"r_{number}" for number in reversed(range(100))]
    # Together they have 25. A few are of orjson's buffer for one of them, hardly any of it written.
    assert peak < 8 * MEGABYTE
    assert next(turns) > 10


async def listed(supervisor: Supervisor, state: str | None) -> list[dict[str, Any]]:
    states = frozenset([state] if state else [])
    page = await supervisor.lists.page(Query(states=states, limit=1_000))
    runs: list[dict[str, Any]] = page["runs"]
    return runs


async def takes(turns: itertools.count[int]) -> None:
    """A turn of the loop after the other."""
    while True:
        next(turns)
        await asyncio.sleep(0)


def test_a_question_says_all_that_it_asks_for() -> None:
    given = {
        "state": "live,completed",
        "crew": "blog",
        "q": " Tea  SHOP tea ",
        "before": "r_01m871329pgvkapx6nzs2ys6pc",
        "brief": "1",
        "counts": "false",
    }
    assert Query.parse(given, 5) == Query(
        states=LIVE_STATES | {"completed"},
        crew="blog",
        words=("tea", "shop"),
        before="r_01m871329pgvkapx6nzs2ys6pc",
        limit=5,
        brief=True,
    )
    empty = dict.fromkeys(given, "")
    assert Query.parse(empty, 50) == Query.parse({}, 50) == Query()


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("state", "asleep", "no state 'asleep'; there are cancelled, cancelling"),
        ("state", "running,", "no state ''; there are"),
        ("state", "x" * 99, "and live and final for all that are"),
        ("q", "x" * 201, "'q' must be words of at most 200 characters"),
        ("before", "k3f9ab-43", "'before' must be the id of a run, as `next` is; not 'k3f9ab-43'"),
        ("brief", "yes", "'brief' must be one of 1, true, 0, false; not 'yes'"),
        ("counts", "2", "'counts' must be one of 1, true"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_does(name: str, value: str, why: str) -> None:
    with pytest.raises(CommandError, match=why) as refusal:
        Query.parse({name: value}, 50)
    assert refusal.value.code == "bad_request"
