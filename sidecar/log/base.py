"""The log: a run's append-only sequence, and the store that holds all of them.

One writer per log (the supervisor) and any number of readers, each of which holds nothing but a
number. Every kind of store passes the same suite (tests/conformance/test_log.py).
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from abc import ABC, abstractmethod
from asyncio import Future
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from sidecar.clock import now_ms
from sidecar.log.health import Health
from sidecar.protocol import Draft, Event, encode_event

__all__ = [
    "SLICE",
    "Log",
    "LogStore",
    "StoredAck",
    "StoredRun",
    "StoredThread",
    "fitting",
    "new_epoch",
]

SLICE: Final = 96
"""Most events a reader takes at once: tokens of 300 bytes for about a write (feed.WRITE_BYTES)."""

_TAIL: Final = 512
_TAIL_BYTES: Final = 512 * 1024
"""Most that a log keeps in memory, of JSON; events of 1 MiB each were half a gigabyte."""

_ALPHABET: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_epoch() -> str:
    """Six random characters: two logs that follow each other under one run id never share it."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(6))


@dataclass(frozen=True, slots=True)
class StoredAck:
    """The answer a command got, kept so that a repeat gets the same one."""

    id: str
    digest: str
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What there is to choose a run by: all of it but what it was at and gave."""

    run: str
    state: str
    """As it was stored."""
    crew: str
    words: str
    """Of its inputs, as `words_of` has them."""
    title: str
    """Of its thread; "" of a run that is in none."""


@dataclass(frozen=True, slots=True)
class StoredThread:
    """A conversation; there are as many `runs` of it as are kept, one at least."""

    thread: str
    title: str
    created: float
    """Unix ms, as `updated` is."""
    updated: float
    """When a run of it began or ended last."""
    runs: int
    newest: str
    """The run that was started last."""
    state: str
    """Of that run, as it was stored."""


class Log(ABC):
    """One run's events: numbered from 1 without a gap, sealed by the final one.

    `first` is the oldest event still kept (1 more than `head` when there is none), `head` the
    newest. The newest few stay in memory, so that readers near the head cost no query.
    """

    def __init__(
        self, run: str, epoch: str, *, first: int = 1, head: int = 0, health: Health | None = None
    ) -> None:
        self.run = run
        self.epoch = epoch
        self.first = first
        self.head = head
        self.sealed = False
        self.health = health or Health()
        """Of the storage that it is in, which other logs may share."""
        self._tail: deque[Event] = deque()
        self._tail_bytes = 0

    async def append(
        self,
        drafts: Sequence[Draft],
        *,
        snapshot: dict[str, Any] | None = None,
        ack: StoredAck | None = None,
    ) -> list[Event]:
        """Store `drafts`, with the run's snapshot and the ack that belong to them, all or nothing.

        When this returns the events survive a kill -9 of this process (kinds that can).
        Raises StoreError, and has numbered nothing, when they could not be stored.
        """
        if self.sealed:
            raise RuntimeError(f"log of {self.run} is sealed")
        at = now_ms()
        events = [
            encode_event(draft, run=self.run, epoch=self.epoch, seq=seq, at=at)
            for seq, draft in enumerate(drafts, self.head + 1)
        ]
        await self._store(events, snapshot, ack)
        self.head += len(events)
        self.sealed = bool(events) and events[-1].final
        self._keep(events)
        return events

    async def read(self, after: int, limit: int = SLICE, most: int = sys.maxsize) -> list[Event]:
        """At most `limit` events that follow `after`, of at most `most` bytes of JSON together (or
        one that is more), oldest first. Empty at the head, and where nothing is kept any more."""
        if after >= self.head:
            return []
        if self._tail and after >= self._tail[0].seq - 1:
            skip = after - (self._tail[0].seq - 1)
            return fitting(islice(self._tail, skip, skip + limit), most)
        return await self._load(after, limit, most)

    def _keep(self, events: Sequence[Event]) -> None:
        self._tail.extend(events)
        self._tail_bytes += sum(len(event.json) for event in events)
        while len(self._tail) > _TAIL or self._tail_bytes > _TAIL_BYTES:
            self._tail_bytes -= len(self._tail.popleft().json)

    @abstractmethod
    async def _store(
        self, events: list[Event], snapshot: dict[str, Any] | None, ack: StoredAck | None
    ) -> None: ...

    @abstractmethod
    async def _load(self, after: int, limit: int, most: int) -> list[Event]: ...


def fitting(events: Iterable[Event], most: int) -> list[Event]:
    """The first of `events`, up to `most` bytes of JSON; one at least, if there is one."""
    size, taken = 0, list[Event]()
    for event in events:
        size += len(event.json)
        if size > most and taken:
            break
        taken.append(event)
    return taken


def _done() -> Future[None]:
    done: Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


class LogStore(ABC):
    """All logs, the runs' snapshots beside them, and the acks given."""

    health: Health
    forgotten: Callable[[Sequence[str]], Future[None]] = staticmethod(lambda _runs: _done())
    """Told of finished runs that are there for nobody any more; done once nothing is left of what
    they kept elsewhere. One that died in between tells again."""

    @abstractmethod
    async def open(self) -> None:
        """Raises StoreError when the storage cannot be used."""

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    def create(self, run: str, title: str = "") -> Log:
        """A new, empty log; it exists for others once something was appended.

        `title` is that of the thread which the run's first snapshot names, if it makes it."""

    @abstractmethod
    async def find(self, run: str) -> Log | None:
        """The log of a run that nobody has at hand: for reading, or to carry the run on."""

    @abstractmethod
    async def snapshot(self, run: str) -> dict[str, Any] | None: ...

    @abstractmethod
    def snapshots(
        self,
        *,
        states: Sequence[str] | None = None,
        thread: str | None = None,
        before: str | None = None,
        wanted: Callable[[StoredRun], bool] | None = None,
        limit: int,
    ) -> AsyncIterator[dict[str, Any]]:
        """The stored snapshots, of all runs or of one thread's, newest run first, each read when it
        is asked for; none is read of a run that isn't `wanted`.

        From behind the run `before` on, or if that one is kept no more, from where it was: ids sort
        by time."""

    @abstractmethod
    async def tally(self, told: Callable[[StoredRun], str | None] | None = None) -> Counter[str]:
        """How many runs there are of which each is `told` to be; by default its stored state. None:
        it isn't counted."""

    @abstractmethod
    async def thread(self, thread: str) -> StoredThread | None: ...

    @abstractmethod
    async def threads(self, *, limit: int, before: str | None = None) -> list[StoredThread] | None:
        """Those that were updated last come first, from behind the thread `before` on; None where
        that is none."""

    @abstractmethod
    async def rename(self, thread: str, title: str) -> None:
        """As far as there is such a thread."""

    @abstractmethod
    async def forget(self, *, run: str | None = None, thread: str | None = None) -> list[str]:
        """Forget that run, or all of the thread, as far as they are finished; which they were. A
        thread goes with its last run. One that dies on the way has forgotten the oldest."""

    @abstractmethod
    async def ack(self, id: str) -> StoredAck | None: ...

    @abstractmethod
    async def record(self, ack: StoredAck) -> None:
        """Keep an ack that no event goes with: a refusal, or of a command that asked for what is.

        They cost their sender nothing and have a bound of their own, so that no number of them
        makes it forget a command that had an effect."""
