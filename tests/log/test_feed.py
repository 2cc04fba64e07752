from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sidecar.log.feed as module
from sidecar.errors import StoreError
from sidecar.log.base import Log
from sidecar.log.feed import CutShort, Feed, Subscription, Transport, resolve_cursor
from sidecar.log.memory import MemoryStore
from sidecar.log.sqlite import SqliteStore
from sidecar.protocol.events import Draft, format_cursor
from sidecar.protocol.framing import Piece


class Reader(Transport):
    """A socket in memory: takes everything, or stalls until it is let go."""

    def __init__(self) -> None:
        self.seqs: list[int] = []
        self.controls: list[dict[str, Any]] = []
        self.writes = 0
        self.pieces: list[Piece] = []
        self.most = 0
        """Bytes of the largest write of more than one event."""
        self._flowing = asyncio.Event()
        self._flowing.set()

    def stall(self) -> None:
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    def write(self, piece: Piece) -> None:
        self.writes += 1
        self.pieces.append(piece)
        if len(piece.events) > 1:
            self.most = max(self.most, sum(len(event.json) for event in piece.events))
        self.seqs += [event.seq for event in piece.events]

    def write_control(self, message: dict[str, Any]) -> None:
        self.controls.append(message)

    @property
    def writable(self) -> bool:
        return self._flowing.is_set()

    async def drain(self) -> None:
        await self._flowing.wait()


async def publish(log: Log, feed: Feed, count: int, *, final: bool = False) -> None:
    drafts = [Draft("llm.delta", 1.0, {"text": "x"}) for _ in range(count)]
    if final:
        drafts.append(Draft("run.completed", 1.0, {}, final=True))
    feed.publish(await log.append(drafts, snapshot={"run": "r", "state": "running"}))


FINAL = Draft("run.completed", 1.0, {}, final=True)


def texts(count: int, size: int = 10) -> list[Draft]:
    return [Draft("llm.delta", 1.0, {"text": "x" * size}) for _ in range(count)]


async def settle() -> None:
    """Let every task that can run do so; nothing here waits for a clock."""
    for _ in range(20):
        await asyncio.sleep(0)


def new_log(retain: int = 100_000) -> Log:
    return MemoryStore(retain=retain, keep_runs=10).create("r")


@given(
    st.integers(0, 300),
    st.integers(1, 400),
    st.one_of(st.none(), st.text(max_size=12), st.integers(-5, 500)),
)
def test_any_cursor_is_honoured_or_answered_with_everything_kept(
    first: int, kept: int, after: str | int | None
) -> None:
    log = new_log()
    log.first, log.head = first + 1, first + kept
    cursor = format_cursor(log.epoch, after) if isinstance(after, int) else after
    seq, reason = resolve_cursor(log, cursor)
    assert log.first - 1 <= seq <= log.head
    if reason is not None:
        assert seq == log.first - 1
    elif isinstance(after, int):
        assert seq == after
    else:
        assert not cursor
        assert log.first == 1


async def test_a_reader_that_keeps_up_is_written_to_in_the_tick_of_the_commit() -> None:
    log = new_log()
    feed, reader = Feed(log, lambda: "running"), Reader()
    following = asyncio.create_task(Subscription(feed, reader, None).run())
    await settle()
    await publish(log, feed, 3)
    assert reader.seqs == [1, 2, 3]
    await publish(log, feed, 1, final=True)
    await following
    assert reader.seqs == [1, 2, 3, 4, 5]
    types = [message["type"] for message in reader.controls]
    assert types == ["stream.hello", "stream.live", "stream.end"]


async def test_a_reader_that_lags_catches_up_in_slices_and_holds_nothing_back() -> None:
    log = new_log()
    feed, slow, quick = Feed(log, lambda: "running"), Reader(), Reader()
    tasks = [asyncio.create_task(Subscription(feed, r, None).run()) for r in (slow, quick)]
    await settle()
    await publish(log, feed, 1)
    slow.stall()
    for _ in range(50):
        await publish(log, feed, 40)
        await settle()
    assert quick.seqs == list(range(1, 2_002))
    assert len(slow.seqs) < 1_000, "the lag is not kept in the reader"
    slow.flow()
    await publish(log, feed, 0, final=True)
    await asyncio.gather(*tasks)
    assert slow.seqs == quick.seqs == list(range(1, 2_003))
    assert slow.writes < quick.writes


@pytest.mark.parametrize("size", [10, 300, 5_000, 60_000])
async def test_no_write_is_large_however_much_there_is_to_say(size: int) -> None:
    log = new_log()
    feed, late, early = Feed(log, lambda: "running"), Reader(), Reader()
    tasks = [asyncio.create_task(Subscription(feed, early, None).run())]
    await settle()
    drafts = [Draft("llm.delta", 1.0, {"text": "x" * size}) for _ in range(700)]
    feed.publish(await log.append(drafts, snapshot={"run": "r", "state": "running"}))
    tasks.append(asyncio.create_task(Subscription(feed, late, None).run()))
    await settle()
    await publish(log, feed, 0, final=True)
    await asyncio.gather(*tasks)
    for reader in (late, early):
        assert reader.seqs == list(range(1, 702))
        assert reader.most <= module.WRITE_BYTES


async def test_a_run_that_is_forgotten_under_its_reader_is_no_end(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "log.sqlite3", retain=10_000, keep_runs=1)
    await store.open()
    log = store.create("r_1")
    await log.append(texts(2_000), snapshot={"run": "r_1", "state": "running"})
    await log.append([FINAL], snapshot={"run": "r_1", "state": "completed"})
    late = await store.find("r_1")
    assert late is not None
    feed, reader = Feed(late, lambda: "completed"), Reader()
    reader.stall()
    following = asyncio.create_task(Subscription(feed, reader, None).run())
    await settle()
    await store.create("r_2").append([FINAL], snapshot={"run": "r_2", "state": "completed"})
    store.query("DELETE FROM events WHERE place < (2 << 36)")
    reader.flow()
    with pytest.raises(CutShort, match="no longer kept"):
        await following
    await store.close()
    assert len(reader.seqs) < 2_001
    assert [message["type"] for message in reader.controls] == ["stream.hello"]


async def test_a_log_that_cannot_be_read_is_said_and_is_no_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = new_log()
    feed, reader = Feed(log, lambda: "running"), Reader()
    await publish(log, feed, 5)

    async def unreadable(*_: object) -> None:
        raise StoreError("cannot read the log /home/me/log.sqlite3: disk I/O error")

    monkeypatch.setattr(log, "read", unreadable)
    with pytest.raises(CutShort):
        await Subscription(feed, reader, None).run()
    assert [message["type"] for message in reader.controls] == ["stream.hello", "stream.ping"]
    assert reader.controls[-1]["trouble"] == "the log can't be read"


class Counted(SqliteStore):
    """One that notes how many rows were read."""

    read = 0

    def rows(self, sql: str, *values: Any) -> Iterator[Any]:
        for row in super().rows(sql, *values):
            self.read += 1
            yield row


@pytest.mark.parametrize("size", [10, 300, 30_000, 60_000])
async def test_a_replay_reads_each_event_once(tmp_path: Path, size: int) -> None:
    store = Counted(tmp_path / "log.sqlite3", retain=10_000, keep_runs=1)
    await store.open()
    log = store.create("r_1")
    await log.append(texts(700, size), snapshot={"run": "r_1", "state": "running"})
    await log.append([FINAL], snapshot={"run": "r_1", "state": "completed"})
    late = await store.find("r_1")
    assert late is not None
    store.read = 0
    reader = Reader()
    await Subscription(Feed(late, lambda: "completed"), reader, None).run()
    await store.close()
    assert reader.seqs == list(range(1, 702))
    assert store.read == 701


async def test_readers_that_lag_at_different_lengths_share_what_they_are_given() -> None:
    log = new_log()
    await log.append([*texts(5_000, 300), FINAL])
    feed, readers = Feed(log, lambda: "completed"), [Reader() for _ in range(20)]
    lags = [format_cursor(log.epoch, 37 * n) for n in range(20)]
    tasks = [
        asyncio.create_task(Subscription(feed, reader, after).run())
        for reader, after in zip(readers, lags, strict=True)
    ]
    await asyncio.gather(*tasks)
    for n, reader in enumerate(readers):
        assert reader.seqs == list(range(37 * n + 1, 5_002))
    made = {id(piece) for reader in readers for piece in reader.pieces}
    assert len(made) * 10 < sum(len(reader.pieces) for reader in readers)
    assert feed._read.bytes == 0


async def test_what_is_shared_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SHARED_BYTES", 100_000)
    log = new_log()
    await log.append(texts(5_000, 300))
    feed, readers = Feed(log, lambda: "running"), [Reader() for _ in range(2)]
    tasks = [asyncio.create_task(Subscription(feed, reader, None).run()) for reader in readers]
    while readers[0].seqs[-1:] != [5_000]:
        await asyncio.sleep(0)
        pieces = feed._read._pieces.values()
        held = sum(len(event.json) for piece in pieces for event in piece.events)
        assert held == feed._read.bytes <= 100_000
    for task in tasks:
        task.cancel()


async def test_what_was_just_published_is_kept_up_to_so_many_bytes() -> None:
    log = new_log()
    feed, reader = Feed(log, lambda: "running"), Reader()
    following = asyncio.create_task(Subscription(feed, reader, None).run())
    for _ in range(12):
        feed.publish(await log.append(texts(1, 200_000)))
        held = sum(piece.size for piece in feed._published._pieces.values())
        assert held == feed._published.bytes <= 1_048_576
    following.cancel()


async def test_a_reader_that_takes_everything_lets_the_others_have_their_turn() -> None:
    log = new_log()
    feed, reader = Feed(log, lambda: "running"), Reader()
    await log.append(texts(5_000, 300))
    following = asyncio.create_task(Subscription(feed, reader, None).run())
    turns = 0
    while len(reader.seqs) < 5_000:
        await asyncio.sleep(0)
        turns += 1
    following.cancel()
    assert turns > 40


async def test_a_reader_that_lags_behind_the_retention_is_told_so() -> None:
    log = new_log(retain=100)
    feed, reader = Feed(log, lambda: "running"), Reader()
    following = asyncio.create_task(Subscription(feed, reader, None).run())
    await settle()
    reader.stall()
    for _ in range(100):
        await publish(log, feed, 20)
    reader.flow()
    await publish(log, feed, 0, final=True)
    await following
    resets = [message for message in reader.controls if message["type"] == "stream.reset"]
    assert [reset["reason"] for reset in resets] == ["evicted"]
    gap = reader.seqs.index(resets[0]["from"])
    assert reader.seqs[gap:] == list(range(resets[0]["from"], log.head + 1))


async def test_events_published_while_a_reader_subscribes_are_neither_lost_nor_doubled() -> None:
    log = new_log()
    feed, reader = Feed(log, lambda: "running"), Reader()
    await publish(log, feed, 1_500)
    following = asyncio.create_task(Subscription(feed, reader, None).run())
    for _ in range(30):
        await publish(log, feed, 7)
        await asyncio.sleep(0)
    await publish(log, feed, 0, final=True)
    await following
    assert reader.seqs == list(range(1, log.head + 1))
    assert orjson.loads((await log.read(log.head - 1))[0].json)["final"]
