"""The log in memory: nothing outlives the process, nothing touches a disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from typing import Any

from sidecar.log.base import Log, LogStore, StoredAck, fitting, new_epoch
from sidecar.log.health import Health
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
        self._keep_refusals = keep_refusals
        self._acks: OrderedDict[str, StoredAck] = OrderedDict()
        self._refusals: OrderedDict[str, StoredAck] = OrderedDict()

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    def create(self, run: str) -> Log:
        return _MemoryLog(self, run)

    async def find(self, run: str) -> Log | None:
        return self._logs.get(run)

    async def snapshot(self, run: str) -> dict[str, Any] | None:
        return self._snapshots.get(run)

    async def snapshots(
        self, *, states: Sequence[str] | None, limit: int
    ) -> AsyncIterator[dict[str, Any]]:
        newest = reversed(self._snapshots.values())
        wanted = (s for s in newest if states is None or s["state"] in states)
        for snapshot in list(islice(wanted, limit)):
            yield snapshot

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
            self._snapshots[log.run] = snapshot
            if snapshot["state"] in FINAL_STATES:
                self._forget_oldest()
        if ack is not None:
            self._acks[ack.id] = ack
            while len(self._acks) > self._keep_acks:
                self._acks.popitem(last=False)

    def _forget_oldest(self) -> None:
        if not self._keep_runs:
            return
        finished = [r for r, s in self._snapshots.items() if s["state"] in FINAL_STATES]
        old = finished[: max(0, len(finished) - self._keep_runs)]
        for run in old:
            del self._snapshots[run], self._logs[run]
        if old:
            self.forgotten(old)


class _MemoryLog(Log):
    def __init__(self, store: MemoryStore, run: str) -> None:
        super().__init__(run, new_epoch())
        self._owner = store
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
