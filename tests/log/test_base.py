"""What every log keeps in memory of its newest events: so many, and no more bytes than so many."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.log.base import Log
from sidecar.log.sqlite import SqliteStore
from sidecar.protocol.events import Draft

MEGABYTE = 1 << 20


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Log]:
    """On a disk, so that memory holds what the log itself keeps there."""
    store = SqliteStore(tmp_path / "log.sqlite3", retain=10_000, keep_runs=1)
    await store.open()
    log = store.create("r_1")
    await log.append([Draft("run.started", 1.0, {})], snapshot={"run": "r_1", "state": "running"})
    yield log
    await store.close()


async def add(log: Log, events: int, size: int) -> None:
    for _ in range(events):
        await log.append([Draft("llm.delta", 1.0, {"text": "x" * size})])


async def test_large_events_cost_no_more_memory_than_small_ones(log: Log) -> None:
    tracemalloc.start()
    try:
        await add(log, events=20, size=MEGABYTE)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2 * MEGABYTE


@pytest.mark.parametrize("size", [10, 2_000, 200_000, MEGABYTE])
async def test_from_wherever_one_reads_each_event_comes_once(log: Log, size: int) -> None:
    await add(log, events=5, size=size)
    await add(log, events=600 if size < 1_000 else 3, size=10)
    seqs = list(range(1, log.head + 1))
    for after in (0, 1, 4, 5, 6, log.head - 1, log.head):
        assert [event.seq for event in await log.read(after, 1_000)] == seqs[after:]


async def test_the_newest_are_read_without_a_query(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add(log, events=600, size=300)

    async def queried(*_: int) -> None:
        raise AssertionError("a query for what was in memory")

    monkeypatch.setattr(log, "_load", queried)
    assert [event.seq for event in await log.read(log.head - 500, 1_000)][-1] == log.head
