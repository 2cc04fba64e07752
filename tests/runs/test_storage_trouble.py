"""A log that can't be written: nothing moves, nothing is shown, and it goes on by itself."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.errors import StoreError
from sidecar.log.feed import Subscription
from sidecar.log.sqlite import SqliteStore
from sidecar.protocol.commands import parse_command
from sidecar.protocol.events import Draft
from sidecar.runs.recorder import Recorder
from sidecar.runs.run import Run
from tests.support.screen import Screen


class Locker:
    """Another program that holds the log open for writing."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)

    def lock(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def unlock(self) -> None:
        self._db.execute("ROLLBACK")

    def close(self) -> None:
        self._db.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "log.sqlite3", retain=1_000, keep_runs=10)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def locker(store: SqliteStore) -> AsyncIterator[Locker]:
    locker = Locker(store.path)
    yield locker
    locker.close()


async def started(store: SqliteStore) -> Recorder:
    run = Run("r", "default", created=1.0)
    recorder = Recorder(run, store.create("r"), is_stale=lambda _: False, noticed=lambda _: None)
    async with recorder.lock:
        await recorder.append([Draft("run.queued", 1.0, {})])
        run.begin()
        await recorder.append([Draft("run.started", 1.0, {"tasks": [{"name": "t"}]})])
    return recorder


async def test_a_run_moves_only_with_its_log(store: SqliteStore, locker: Locker) -> None:
    recorder = await started(store)
    locker.lock()
    before = recorder.snapshot()
    with pytest.raises(StoreError, match="database is locked"):
        async with recorder.lock:
            await recorder.append([Draft("task.started", 1.0, {"name": "t"})])
    assert recorder.snapshot() == before
    locker.unlock()


async def test_a_refused_command_has_no_effect_and_may_be_repeated(
    store: SqliteStore, locker: Locker
) -> None:
    recorder = await started(store)
    command = parse_command(b'{"id": "c-1", "cmd": "pause", "run": "r"}')
    locker.lock()
    with pytest.raises(StoreError):
        async with recorder.lock:
            await recorder.answer(command, "run.pausing", {})
    assert recorder.run.state == "running"
    assert await store.ack("c-1") is None
    locker.unlock()
    async with recorder.lock:
        reply = await recorder.answer(command, "run.pausing", {})
    assert (reply["ok"], recorder.run.state, recorder.log.head) == (True, "pausing", 3)


async def test_readers_are_told_when_it_begins_and_ends_and_are_shown_nothing_unstored(
    store: SqliteStore, locker: Locker
) -> None:
    recorder = await started(store)
    screen = Screen()
    reading = asyncio.create_task(Subscription(recorder.feed, screen, None).run())
    await asyncio.sleep(0)
    locker.lock()
    writing = asyncio.create_task(
        recorder.persist(lambda: [Draft("task.started", 1.0, {"name": "t"})])
    )
    await screen.pinged.wait()
    assert "locked" in screen.controls[-1]["trouble"]
    assert screen.events == [1, 2]
    assert not writing.done()

    screen.pinged.clear()
    locker.unlock()
    await writing
    await screen.pinged.wait()
    assert "trouble" not in screen.controls[-1]
    assert recorder.log.head == 3
    assert screen.events == [1, 2, 3]
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def test_one_who_comes_in_the_middle_of_it_is_told_at_once(
    store: SqliteStore, locker: Locker
) -> None:
    recorder = await started(store)
    locker.lock()
    with pytest.raises(StoreError):
        async with recorder.lock:
            await recorder.append([Draft("run.failed", 1.0, {}, final=True)])
    screen = Screen()
    reading = asyncio.create_task(Subscription(recorder.feed, screen, None).run())
    await asyncio.sleep(0)
    assert "locked" in screen.controls[0]["trouble"]
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    locker.unlock()


async def test_it_is_noticed_without_anybody_writing_that_the_log_can_be_written_again(
    store: SqliteStore, locker: Locker
) -> None:
    recorder = await started(store)
    locker.lock()
    with pytest.raises(StoreError):
        async with recorder.lock:
            await recorder.append([Draft("log", 1.0, {"text": "x"})])
    locker.unlock()
    await store.health.recovered()
    assert store.health.trouble is None
