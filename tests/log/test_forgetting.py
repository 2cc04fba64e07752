"""The store in SQLite forgets in passing: no run is deleted in one go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from sidecar.log import forgetting
from sidecar.log.sqlite import SqliteStore
from sidecar.protocol.events import Draft
from tests.support.clock import Clock, clock, settle

__all__ = ["clock"]

FINAL = Draft("run.completed", 1.0, {}, final=True)


async def opened(folder: Path, keep_runs: int) -> SqliteStore:
    store = SqliteStore(folder / "log.sqlite3", retain=100_000, keep_runs=keep_runs)
    await store.open()
    return store


async def finish(store: SqliteStore, run: str, events: int, size: int = 10) -> None:
    log = store.create(run)
    drafts = [Draft("llm.delta", 1.0, {"text": "x" * size}) for _ in range(events)]
    await log.append([*drafts, FINAL], snapshot={"run": run, "state": "completed"})


async def runs(store: SqliteStore) -> list[str]:
    return [found["run"] async for found in store.snapshots(states=None, limit=200)]


def count(store: SqliteStore, table: str) -> int:
    ((rows,),) = store.query(f"SELECT count(*) FROM {table}")
    assert isinstance(rows, int)
    return rows


@pytest.mark.parametrize(("events", "size", "most"), [(5_000, 10, 512), (100, 60_000, 9)])
async def test_a_long_run_is_forgotten_at_once_and_deleted_bit_by_bit(
    tmp_path: Path, clock: Clock, events: int, size: int, most: int
) -> None:
    store = await opened(tmp_path, keep_runs=1)
    await finish(store, "r_1", events, size)
    await finish(store, "r_2", 0)
    assert await store.find("r_1") is None
    assert await store.snapshot("r_1") is None
    assert await runs(store) == ["r_2"]
    left = [count(store, "events")]
    assert left == [events + 2]
    while left[-1] > 1:
        await clock.turn(forgetting._PAUSE_SECONDS if left[1:] else 0)
        left.append(count(store, "events"))
        assert 0 <= left[-2] - left[-1] <= most
    await clock.turn(1)
    assert (count(store, "events"), count(store, "runs")) == (1, 1)
    await store.close()


async def test_a_lower_bound_is_come_to_bit_by_bit_and_so_is_what_a_death_left(
    tmp_path: Path, clock: Clock
) -> None:
    store = await opened(tmp_path, keep_runs=0)
    for n in range(100):
        await finish(store, f"r_{n}", 3)
    await store.close()
    store = await opened(tmp_path, keep_runs=50)
    await settle()
    assert 50 < len(await runs(store)) < 100
    await store.close()
    store = await opened(tmp_path, keep_runs=5)
    for _ in range(400):
        await clock.turn(forgetting._PAUSE_SECONDS)
    assert await runs(store) == ["r_99", "r_98", "r_97", "r_96", "r_95"]
    assert (count(store, "events"), count(store, "runs")) == (20, 5)
    await store.close()


@pytest.mark.parametrize(("size", "most"), [(10, 16), (200_000, 2), (600_000, 1)])
async def test_a_commit_forgets_a_few_runs_of_a_thread_and_fewer_of_large_ones(
    tmp_path: Path, size: int, most: int
) -> None:
    store = await opened(tmp_path, keep_runs=0)
    names = [f"r_{n}" for n in range(20)]
    for run in names:
        told = {"run": run, "state": "completed", "thread": "t", "output": "x" * size}
        await store.create(run).append([FINAL], snapshot=told)
    with store.transaction() as db:
        assert store.forgetting.forget(db, thread="t") == names[:most]
    assert await runs(store) == names[: most - 1 : -1]
    assert await store.forget(thread="t") == names[most:]
    assert await store.thread("t") is None
    await store.close()


async def test_a_run_is_known_until_all_that_it_kept_elsewhere_is_gone(
    tmp_path: Path, clock: Clock
) -> None:
    """So that who dies in between does it again."""
    for life in range(2):
        store = await opened(tmp_path, keep_runs=0)
        heard: list[str] = []
        removed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def told(
            runs: Sequence[str],
            heard: list[str] = heard,
            removed: asyncio.Future[None] = removed,
        ) -> asyncio.Future[None]:
            heard.extend(runs)
            return removed

        store.forgotten = told
        if life == 0:
            await finish(store, "r_1", 3)
            assert await store.forget(run="r_1") == ["r_1"]
        for _ in range(3):
            await clock.turn(forgetting._PAUSE_SECONDS)
        assert heard == ["r_1"]
        assert (count(store, "events"), count(store, "runs")) == (0, 1)
        if life == 1:
            removed.set_result(None)
            await clock.turn(forgetting._PAUSE_SECONDS)
            assert count(store, "runs") == 0
        await store.close()
