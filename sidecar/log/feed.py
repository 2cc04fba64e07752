"""Fan-out: from a run's log to its readers, each of which is a cursor and a transport.

A reader pulls: it holds the number of the last event it was given, never a queue. While it keeps up
it is written to straight from `publish`, in the same loop tick as the commit; when its socket
backs up it falls back to reading the log in slices, at its own pace. Either way the same integer
moves, so there is no seam between replay and live.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

from sidecar import protocol
from sidecar.errors import StoreError
from sidecar.log.base import SLICE, Log
from sidecar.protocol import Event, Piece, format_cursor, parse_cursor, pieces

__all__ = ["CutShort", "Feed", "Subscription", "Transport", "resolve_cursor"]

logger = logging.getLogger("sidecar.log")

_SHARED: Final = 8
"""Pieces as they were published, kept for readers that come a little late: the crowd after a burst.
"""

_SHARED_BYTES: Final = 1_048_576
"""JSON in such pieces, and again in those that were read, kept for who comes by later: a crowd that
lags at different lengths. Each in both framings at most, so that a log with both costs 6 MB."""

UNREADABLE: Final = "the log can't be read"

WRITE_BYTES: Final = 32_768
"""Most bytes handed to a socket at once (one event may be more). What a reader that takes nothing
costs is this and its transport's high-water mark, however far it lags."""


class CutShort(Exception):
    """The log has more for the reader, which cannot be had; the text says why, for a person."""


class Transport(ABC):
    """A socket to write to, as a log's reader has it: WebSocket and SSE differ here only."""

    __slots__ = ()

    @abstractmethod
    def write(self, piece: Piece) -> None:
        """Hand events to the socket's buffer without waiting."""

    @abstractmethod
    def write_control(self, message: dict[str, Any]) -> None: ...

    @property
    @abstractmethod
    def writable(self) -> bool:
        """The socket takes what it is given, as far as is known: little waits in its buffer."""

    @abstractmethod
    async def drain(self) -> None:
        """Wait until it is writable. Raises ConnectionError when it is no use any more, as one that
        takes nothing for long is."""


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
        self._published = _Shared(_SHARED)
        self._read = _Shared()
        """Empty for one reader alone."""

    def publish(self, events: Sequence[Event]) -> None:
        """Show committed events: straight to readers that kept up, a wake for the others."""
        if not self._readers:
            return
        fresh = self._cut(events)
        for reader in tuple(self._readers):
            reader.offer(fresh)

    async def piece(self, after: int) -> Piece | None:
        """What a reader that has all up to `after` is to be given next; None at the head.

        Raises StoreError, and CutShort when there is more that is no longer kept.
        """
        if (shared := self._read.get(after) or self._published.get(after)) is not None:
            return shared
        # Up to the next multiple, where readers that came from different places meet. Else each has
        # pieces of its own, and their framing costs more than to send them.
        events = await self.log.read(after, SLICE - after % SLICE, WRITE_BYTES)
        if events:
            return self._share(Piece(events))
        if after < self.log.head:
            raise CutShort("the run is no longer kept")
        return None

    def _cut(self, events: Sequence[Event]) -> list[Piece]:
        fresh = list(pieces(events, WRITE_BYTES))
        for piece in fresh[:_SHARED]:
            self._published.put(piece)
        return fresh

    def _share(self, piece: Piece) -> Piece:
        if len(self._readers) < 2:
            return piece
        self._read.put(piece)
        return piece

    def ping(self) -> None:
        """Tell every reader how things stand, now."""
        for reader in tuple(self._readers):
            reader.ping()

    def attach(self, reader: Subscription) -> None:
        self._readers.add(reader)

    def detach(self, reader: Subscription) -> None:
        self._readers.discard(reader)
        if len(self._readers) < 2:
            self._read.clear()


class _Shared:
    """Pieces by the cursor of a reader that lacks them; the oldest go, beyond so many or
    `_SHARED_BYTES`."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._pieces: OrderedDict[int, Piece] = OrderedDict()
        self.bytes = 0

    def get(self, after: int) -> Piece | None:
        return self._pieces.get(after)

    def put(self, piece: Piece) -> None:
        if (before := self._pieces.pop(piece.before, None)) is not None:
            self.bytes -= before.size
        self._pieces[piece.before] = piece
        self.bytes += piece.size
        while self.bytes > _SHARED_BYTES or (self._most and len(self._pieces) > self._most):
            self.bytes -= self._pieces.popitem(last=False)[1].size

    def clear(self) -> None:
        self._pieces.clear()
        self.bytes = 0


class Subscription:
    """One reader of one run: `run` pumps until the run has ended or its owner cancels it."""

    __slots__ = ("_feed", "_live", "_reset", "_transport", "_wake", "seq")

    def __init__(self, feed: Feed, transport: Transport, after: str | None) -> None:
        self._feed = feed
        self._transport = transport
        self._wake: asyncio.Future[None] | None = None
        """While it waits at the head. A future, as an asyncio.Event has a deque of 600 bytes."""
        self._live = False
        self.seq, self._reset = resolve_cursor(feed.log, after)

    @property
    def run_id(self) -> str:
        return self._feed.log.run

    def offer(self, fresh: Sequence[Piece]) -> None:
        """Called by the feed in commit order; writes now as far as nothing stands in between."""
        if self._live and self.seq == fresh[0].before:
            transport = self._transport
            for piece in fresh:
                if not transport.writable:
                    break
                transport.write(piece)
                self.seq = piece.last
            else:
                if not fresh[-1].final:
                    return
        self._live = False
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def run(self) -> None:
        """Replay, then follow. Raises ConnectionError when the socket is no use, and CutShort, of
        which the reader has been told, when the log is none."""
        feed, log = self._feed, self._feed.log
        self._hello()
        feed.attach(self)
        try:
            told_live = False
            while True:
                await self._catch_up()
                if log.sealed:
                    break
                if not told_live:
                    told_live = True
                    self._control("stream.live", seq=self.seq)
                self._live = self.seq == log.head
                if self._live:
                    self._wake = asyncio.get_running_loop().create_future()
                    await self._wake
        finally:
            feed.detach(self)
        if not told_live:
            self._control("stream.live", seq=self.seq)
        self._control("stream.end", id=format_cursor(log.epoch, log.head))
        await self._transport.drain()

    def ping(self) -> None:
        self._control("stream.ping", seq=self.seq, **self._trouble())

    async def _catch_up(self) -> None:
        while piece := await self._next():
            if piece.before != self.seq:
                # Evicted under a reader that lagged behind the retention: said out loud.
                self._control("stream.reset", reason="evicted", **{"from": piece.before + 1})
            self._transport.write(piece)
            self.seq = piece.last
            if not self._transport.writable:
                await self._transport.drain()
            elif self.seq < self._feed.log.head:
                # One that takes all that it is given is not to keep the others from their turn.
                await asyncio.sleep(0)

    async def _next(self) -> Piece | None:
        try:
            return await self._feed.piece(self.seq)
        except StoreError as error:
            logger.error("%s", error)
            self._control("stream.ping", seq=self.seq, trouble=UNREADABLE)
            raise CutShort(UNREADABLE) from error

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
