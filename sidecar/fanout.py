"""Fan-out: from a run's log to its readers, each of which is a cursor and a transport.

A reader pulls: it holds the number of the last event it was given, never a queue. While it keeps up
it is written to straight from `publish`, in the same loop tick as the commit; when its socket
backs up it falls back to reading the log in slices, at its own pace. Either way the same integer
moves, so there is no seam between replay and live.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from sidecar import protocol
from sidecar.codec import Event, format_cursor, parse_cursor
from sidecar.deadline import within
from sidecar.log.base import SLICE, Log

__all__ = ["Feed", "Subscription", "TooSlow", "Transport", "resolve_cursor"]

STALL_SECONDS: Final = 15.0
"""A reader whose socket takes nothing for this long is let go; it resumes by its cursor."""

WRITE_BYTES: Final = 32_768
"""Most bytes handed to a socket at once (one event may be more). What a reader that takes nothing
costs is this and its transport's high-water mark, however far it lags."""


class TooSlow(Exception):
    """The reader's socket took nothing for `STALL_SECONDS`."""


class Transport(ABC):
    """Send and close, nothing else: WebSocket and SSE differ here and nowhere above."""

    @abstractmethod
    def write_events(self, events: Sequence[Event]) -> None:
        """Hand events to the socket's buffer without waiting."""

    @abstractmethod
    def write_control(self, message: dict[str, Any]) -> None: ...

    @property
    @abstractmethod
    def writable(self) -> bool:
        """The socket's own buffer is empty, so a write goes straight to the kernel."""

    @abstractmethod
    async def drain(self) -> None:
        """Wait until the buffer is below its high-water mark. Raises ConnectionError."""


def resolve_cursor(log: Log, after: str | None) -> tuple[int, str | None]:
    """The seq to read on from, and the reason when `after` can't be honoured.

    No cursor means from the beginning. A cursor that is junk, of another epoch, before what is
    kept, or ahead of the head is answered with everything still kept (invariant I6).
    """
    everything = log.first - 1
    if after is None or after == "":
        return everything, None if log.first == 1 else "evicted"
    cursor = parse_cursor(after)
    if cursor is None:
        return everything, "malformed"
    if cursor.epoch != log.epoch:
        return everything, "epoch"
    if cursor.seq > log.head:
        return everything, "ahead"
    if cursor.seq < everything:
        return everything, "evicted"
    return cursor.seq, None


class Feed:
    """One log and those who read it. `state` tells a run's state for the hello."""

    def __init__(self, log: Log, state: Callable[[], str]) -> None:
        self.log = log
        self.state = state
        self._readers: set[Subscription] = set()

    def publish(self, events: Sequence[Event]) -> None:
        """Show committed events: straight to readers that kept up, a wake for the others."""
        small = sum(len(event.json) for event in events) <= WRITE_BYTES
        for reader in tuple(self._readers):
            reader.offer(events, small)

    def ping(self) -> None:
        """Tell every reader how things stand, now."""
        for reader in tuple(self._readers):
            reader.ping()

    def attach(self, reader: Subscription) -> None:
        self._readers.add(reader)

    def detach(self, reader: Subscription) -> None:
        self._readers.discard(reader)


class Subscription:
    """One reader of one run: `run` pumps until the run has ended or its owner cancels it."""

    def __init__(self, feed: Feed, transport: Transport, after: str | None) -> None:
        self._feed = feed
        self._transport = transport
        self._wake = asyncio.Event()
        self._live = False
        self.seq, self._reset = resolve_cursor(feed.log, after)

    @property
    def run_id(self) -> str:
        return self._feed.log.run

    def offer(self, events: Sequence[Event], small: bool) -> None:
        """Called by the feed in commit order; writes now if nothing stands in between.

        `small` says that they are one write (WRITE_BYTES).
        """
        if small and self._live and self.seq == events[0].seq - 1 and self._transport.writable:
            self._transport.write_events(events)
            self.seq = events[-1].seq
            if not events[-1].final:
                return
        self._live = False
        self._wake.set()

    async def run(self) -> None:
        """Replay, then follow. Raises TooSlow or ConnectionError when the socket is no use."""
        feed, log = self._feed, self._feed.log
        self._hello()
        feed.attach(self)
        try:
            told_live = False
            while True:
                self._wake.clear()
                await self._catch_up()
                if log.sealed:
                    break
                if not told_live:
                    told_live = True
                    self._control("stream.live", seq=self.seq)
                self._live = self.seq == log.head
                if self._live:
                    await self._wake.wait()
        finally:
            feed.detach(self)
        if not told_live:
            self._control("stream.live", seq=self.seq)
        self._control("stream.end", id=format_cursor(log.epoch, log.head))
        await self._drain()

    def ping(self) -> None:
        self._control("stream.ping", seq=self.seq, **self._trouble())

    async def _catch_up(self) -> None:
        while events := await self._feed.log.read(self.seq, SLICE):
            if events[0].seq != self.seq + 1:
                # Evicted under a reader that lagged behind the retention: said out loud.
                self._control("stream.reset", reason="evicted", **{"from": events[0].seq})
            for some in _writes(events):
                self._transport.write_events(some)
                self.seq = some[-1].seq
                await self._drain()

    async def _drain(self) -> None:
        if self._transport.writable:
            return
        try:
            await within(STALL_SECONDS, self._transport.drain())
        except asyncio.TimeoutError:
            raise TooSlow from None

    def _hello(self) -> None:
        log = self._feed.log
        self._control(
            "stream.hello",
            protocol=protocol.VERSION,
            epoch=log.epoch,
            head=log.head,
            state=self._feed.state(),
            **self._trouble(),
        )
        if self._reset is not None:
            self._control("stream.reset", reason=self._reset, **{"from": log.first})

    def _trouble(self) -> dict[str, str]:
        trouble = self._feed.log.health.trouble
        return {} if trouble is None else {"trouble": trouble}

    def _control(self, type: str, **fields: Any) -> None:
        self._transport.write_control(protocol.control(type, run=self.run_id, **fields))


def _writes(events: Sequence[Event]) -> Iterator[Sequence[Event]]:
    """`events` in pieces of at most WRITE_BYTES, or of one event that is more."""
    start = size = 0
    for end, event in enumerate(events):
        if size + len(event.json) > WRITE_BYTES and end > start:
            yield events[start:end]
            start, size = end, 0
        size += len(event.json)
    yield events[start:]
