"""A log that can't be written: nothing moves, nothing is shown, and it goes on by itself."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.errors import StoreError
from sidecar.log.base import StoredAck
from sidecar.log.feed import Subscription
from sidecar.log.health import AGAIN_SECONDS
from sidecar.log.sqlite import SqliteStore
from sidecar.protocol.commands import parse_command
from sidecar.protocol.events import Draft
from sidecar.runs.recorder import Recorder
from sidecar.runs.run import Run
from tests.support.clock import Clock, clock
from tests.support.screen import Screen

__all__ = ["clock"]


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
    store: SqliteStore, locker: Locker, clock: Clock
) -> None:
    recorder = await started(store)
    locker.lock()
    with pytest.raises(StoreError):
        async with recorder.lock:
            await recorder.append([Draft("log", 1.0, {"text": "x"})])
    locker.unlock()
    while store.health.trouble is not None:
        await clock.turn(AGAIN_SECONDS)


def room(store: SqliteStore, pages: int) -> None:
    """Let the log grow by so many pages of 4 KiB and no more."""
    ((now,),) = store.query("PRAGMA page_count")
    store.query(f"PRAGMA max_page_count = {now + pages}")


async def test_where_little_fits_and_the_batch_does_not_the_trouble_lasts_and_is_said_once(
    store: SqliteStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = await started(store)
    screen, reading = Screen.follow(recorder.feed)
    room(store, 2)
    batch = [Draft("log", 1.0, {"text": "x" * 20_000})]
    writing = asyncio.create_task(recorder.persist(lambda: batch))
    for _ in range(12):
        await clock.turn(AGAIN_SECONDS)
    assert "disk is full" in (store.health.trouble or "")
    room(store, 20)
    await clock.turn(AGAIN_SECONDS)
    await writing
    pings = [one.get("trouble") for one in screen.controls if one["type"] == "stream.ping"]
    assert [trouble is None for trouble in pings] == [False, True]
    assert len(caplog.records) == 2
    reading.cancel()


async def test_what_no_waiting_mends_is_a_bug_and_no_trouble_of_the_disk(
    store: SqliteStore,
) -> None:
    recorder = await started(store)
    ack = StoredAck("c-1", "d", b"{}")
    await store.record(ack)
    with pytest.raises(sqlite3.IntegrityError):
        await recorder.log.append([Draft("log", 1.0, {})], ack=ack)
    assert store.health.trouble is None
    assert recorder.log.head == 2
