"""The log in memory: nothing outlives the process, nothing touches a disk."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import dropwhile, islice
from typing import Any

from sidecar.clock import now_ms
from sidecar.log.base import (
    Log,
    LogStore,
    StoredAck,
    StoredRun,
    StoredThread,
    fitting,
    new_epoch,
)
from sidecar.log.health import Health
from sidecar.log.words import words_of
from sidecar.protocol import FINAL_STATES, Event

__all__ = ["MemoryStore"]


class MemoryStore(LogStore):
    """Keeps `retain` events of each run, `keep_runs` finished runs, `keep_acks` acks that came with
    an event and `keep_refusals` that did not."""

    def __init__(
        self, *, retain: int, keep_runs: int, keep_acks: int = 10_000, keep_refusals: int = 10_000
    ) -> None:
        self.health = Health()
        self.retain = retain
        self._keep_runs = keep_runs
        self._keep_acks = keep_acks
        self._logs: dict[str, _MemoryLog] = {}
        self._snapshots: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._words: dict[str, str] = {}
        self._threads: dict[str, _Thread] = {}
        """By `updated`."""
        self._updated = 0.0
        self._keep_refusals = keep_refusals
        self._acks: OrderedDict[str, StoredAck] = OrderedDict()
        self._refusals: OrderedDict[str, StoredAck] = OrderedDict()

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def create(self, run: str, title: str = "") -> Log:
        return _MemoryLog(self, run, title)

    async def find(self, run: str) -> Log | None:
        return self._logs.get(run)

    async def snapshot(self, run: str) -> dict[str, Any] | None:
        return self._snapshots.get(run)

    async def snapshots(
        self,
        *,
        states: Sequence[str] | None = None,
        thread: str | None = None,
        before: str | None = None,
        wanted: Callable[[StoredRun], bool] | None = None,
        limit: int,
    ) -> AsyncIterator[dict[str, Any]]:
        newest: Iterator[str] = reversed(self._snapshots)
        if thread is not None:
            found = self._threads.get(thread)
            newest = reversed(found.runs if found else {})
        if before in self._snapshots:
            newest = islice(dropwhile(lambda run: run != before, newest), 1, None)
        elif before is not None:
            newest = (run for run in newest if run < before)
        chosen = (
            run
            for run in newest
            if (states is None or self._snapshots[run]["state"] in states)
            and (wanted is None or wanted(self._stored(run)))
        )
        for run in list(islice(chosen, limit)):
            if (snapshot := self._snapshots.get(run)) is not None:
                yield snapshot

    async def tally(self, told: Callable[[StoredRun], str | None] | None = None) -> Counter[str]:
        stored = map(self._stored, self._snapshots)
        counted = map(told or (lambda run: run.state), stored)
        return Counter(what for what in counted if what is not None)

    def _stored(self, run: str) -> StoredRun:
        snapshot = self._snapshots[run]
        thread = self._threads.get(snapshot.get("thread") or "")
        title = "" if thread is None else thread.title
        crew = snapshot.get("crew", "")
        return StoredRun(run, snapshot["state"], crew, self._words[run], title)

    async def thread(self, thread: str) -> StoredThread | None:
        found = self._threads.get(thread)
        return None if found is None else self._told(found)

    async def threads(self, *, limit: int, before: str | None = None) -> list[StoredThread] | None:
        listed: Iterator[_Thread] = reversed(self._threads.values())
        if before is not None:
            if before not in self._threads:
                return None
            listed = dropwhile(lambda one: one.thread != before, listed)
            next(listed)
        return [self._told(one) for one in islice(listed, limit)]

    async def rename(self, thread: str, title: str) -> None:
        if (found := self._threads.get(thread)) is not None:
            found.title = title

    async def forget(self, *, run: str | None = None, thread: str | None = None) -> list[str]:
        runs: Iterable[str | None] = (run,)
        if thread is not None:
            runs = found.runs if (found := self._threads.get(thread)) else ()
        finished = [one for one in runs if one and self._state(one) in FINAL_STATES]
        self._drop(finished)
        return finished

    def _state(self, run: str) -> str | None:
        snapshot = self._snapshots.get(run)
        return None if snapshot is None else snapshot["state"]

    def _told(self, found: _Thread) -> StoredThread:
        newest = next(reversed(found.runs))
        return StoredThread(
            found.thread,
            found.title,
            found.created,
            found.updated,
            len(found.runs),
            newest,
            self._snapshots[newest]["state"],
        )

    async def ack(self, id: str) -> StoredAck | None:
        return self._acks.get(id) or self._refusals.get(id)

    async def record(self, ack: StoredAck) -> None:
        self._refusals[ack.id] = ack
        while len(self._refusals) > self._keep_refusals:
            self._refusals.popitem(last=False)

    async def stored(
        self, log: _MemoryLog, snapshot: dict[str, Any] | None, ack: StoredAck | None
    ) -> None:
        self._logs.setdefault(log.run, log)
        if snapshot is not None:
            if log.run not in self._snapshots:
                self._words[log.run] = words_of(snapshot)
            if log.run not in self._snapshots or snapshot["state"] in FINAL_STATES:
                self._enter(log, snapshot.get("thread"))
            self._snapshots[log.run] = snapshot
            if snapshot["state"] in FINAL_STATES:
                self._forget_oldest()
        if ack is not None:
            self._acks[ack.id] = ack
            while len(self._acks) > self._keep_acks:
                self._acks.popitem(last=False)

    def _enter(self, log: _MemoryLog, thread: str | None) -> None:
        """The run begins or ends, in that thread if it is in one."""
        if thread is None:
            return
        # The order is kept by whoever moves to the end, also where the clock is set back.
        self._updated = max(self._updated, now_ms())
        made = _Thread(thread, log.title, self._updated, self._updated)
        found = self._threads[thread] = self._threads.pop(thread, made)
        found.updated = self._updated
        found.runs[log.run] = None

    def _forget_oldest(self) -> None:
        if not self._keep_runs:
            return
        finished = [r for r, s in self._snapshots.items() if s["state"] in FINAL_STATES]
        old = finished[: max(0, len(finished) - self._keep_runs)]
        if old:
            self._drop(old)
            self.forgotten(old)

    def _drop(self, runs: Sequence[str]) -> None:
        for run in runs:
            thread = self._snapshots.pop(run).get("thread")
            del self._logs[run], self._words[run]
            if thread is not None:
                del self._threads[thread].runs[run]
                if not self._threads[thread].runs:
                    del self._threads[thread]


@dataclass(slots=True)
class _Thread:
    thread: str
    title: str
    created: float
    updated: float
    runs: dict[str, None] = field(default_factory=dict)
    """In the order in which they began."""


class _MemoryLog(Log):
    def __init__(self, store: MemoryStore, run: str, title: str) -> None:
        super().__init__(run, new_epoch())
        self._owner = store
        self.title = title
        self._events: list[Event] = []

    async def _store(
        self, events: list[Event], snapshot: dict[str, Any] | None, ack: StoredAck | None
    ) -> None:
        self._events += events
        # A tenth over the bound before cutting makes eviction cost O(1) per event.
        retain = self._owner.retain
        if len(self._events) > retain + retain // 10:
            del self._events[:-retain]
            self.first = self._events[0].seq
        await self._owner.stored(self, snapshot, ack)

    async def _load(self, after: int, limit: int, most: int) -> list[Event]:
        skip = max(0, after - (self.first - 1))
        return fitting(self._events[skip : skip + limit], most)
