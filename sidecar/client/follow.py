"""One run over as many connections as it takes, each event once and in order.

A connection is worth something only while it speaks: the sidecar pings every 10 s. One that has
said nothing for `silence` gets a rival, the other transport where that may be, opened at the same
cursor. Whichever has a frame first is followed; until then both are read, and nothing is given up
for a connection that does not work yet. A run that is followed over SSE gets a WebSocket as a rival
from time to time, to go back to. What both tell is told once: the cursor decides.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from typing import Final

from sidecar.client.reach import UNREACHED, Disconnected, Frame, Kind, Reach, backoff
from sidecar.client.stream import Stream

__all__ = ["Follower"]

_PROBE_MOST: Final = 300.0
_PROVEN_SECONDS: Final = 60.0


class Follower:
    """Follows `run` from the cursor `after` (None: from its beginning). For one use."""

    def __init__(self, reach: Reach, run: str, after: str | None) -> None:
        self._reach = reach
        self._run = run
        self._cursor = after
        self._seq = 0
        self._stream: Stream | None = None
        self._rival: Stream | None = None
        self._rival_until = 0.0
        self._probing = False
        self._probes = _Probes(reach.probe)
        self._loop = asyncio.get_running_loop()
        self._news: asyncio.Future[None] = self._loop.create_future()
        self._heard_at = self._loop.time()
        self._quiet_since: float | None = None
        self._tried = False
        self._failures = 0

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """Every event once, control frames as they come, `stream.end` last.

        Raises CommandError when the sidecar refuses for good, Disconnected when it stays away.
        """
        try:
            while True:
                stream = self._stream or await self._come_back()
                if self._rival is not None:
                    self._judge(self._rival)
                    if self._stream is not stream:
                        continue
                try:
                    frame = stream.pop()
                except UNREACHED:
                    self._drop()
                    continue
                if frame is None:
                    await self._watch(stream)
                elif self._is_new(frame):
                    yield frame
                    if frame["type"] == "stream.end":
                        return
        finally:
            self._drop()

    def _is_new(self, frame: Frame) -> bool:
        self._heard_at, self._quiet_since = self._loop.time(), None
        if self._rival is not None and not self._probing:
            self._abandon()
        type: str = frame["type"]
        if type.startswith("stream."):
            if type == "stream.reset":
                # Unless it lagged behind what is kept, the cursor was of another log: all is new.
                if frame["reason"] != "evicted":
                    self._seq = 0
            elif type != "stream.hello":
                self._failures = 0
            return True
        if frame["seq"] <= self._seq:
            return False
        self._cursor, self._seq, self._failures = frame["id"], frame["seq"], 0
        return True

    async def _come_back(self) -> Stream:
        """A connection that has its first frame, however long that takes."""
        reach = self._reach
        while True:
            if self._tried:
                if self._loop.time() - self._heard_at > reach.patience:
                    raise Disconnected(f"{reach.url} was away for more than {reach.patience:g} s")
                await asyncio.sleep(backoff(self._failures))
                self._failures += 1
            self._tried = True
            other = self._other(reach.kind)
            for kind in (reach.kind,) if other == reach.kind else (reach.kind, other):
                stream = self._open(kind)
                while not (stream.opened or stream.over or self._loop.time() >= self._rival_until):
                    await self._news_by(self._rival_until)
                if stream.opened:
                    self._use(stream)
                    return stream
                self._abandon()
                if stream.failure is not None and not isinstance(stream.failure, UNREACHED):
                    raise stream.failure

    async def _watch(self, stream: Stream) -> None:
        """Wait for something to arrive on either connection; open a rival when it is time to."""
        now = self._loop.time()
        if self._quiet_since is None:
            # Counted from here and not from the last frame: meanwhile the caller had its turn.
            self._quiet_since = now
        probe_at = math.inf
        if self._reach.mode == "auto" and stream.kind == "sse":
            probe_at = self._probes.at
        if self._rival is None:
            if now >= self._quiet_since + self._reach.silence:
                self._open(self._other(stream.kind))
            elif now >= probe_at:
                self._probes.begin()
                self._open("ws", probing=True)
        if self._rival is None:
            await self._news_by(min(self._quiet_since + self._reach.silence, probe_at))
        else:
            await self._news_by(self._rival_until)

    def _judge(self, rival: Stream) -> None:
        """Take a rival that has its first frame; one that failed takes a silent stream with it."""
        now = self._loop.time()
        if rival.opened:
            self._use(rival)
        elif rival.over or now >= self._rival_until:
            self._abandon()
            self._probes.fail(now)
            if self._quiet_since is not None and now >= self._quiet_since + self._reach.silence:
                self._drop()

    def _open(self, kind: Kind, *, probing: bool = False) -> Stream:
        query = {"run": self._run, **({"after": self._cursor} if self._cursor else {})}
        self._rival = Stream(self._reach, kind, query, self._wake)
        self._rival_until = self._loop.time() + self._reach.answer
        self._probing = probing
        return self._rival

    def _use(self, stream: Stream) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream, self._rival, self._quiet_since = stream, None, None
        self._probes.changed(stream.kind, self._loop.time())
        self._reach.kind = stream.kind

    def _abandon(self) -> None:
        if self._rival is not None:
            self._rival.close()
        self._rival = None

    def _drop(self) -> None:
        self._abandon()
        if self._stream is not None:
            self._stream.close()
        self._stream, self._quiet_since = None, None

    def _other(self, kind: Kind) -> Kind:
        """The rival's kind; with a fixed transport a fresh connection of the same."""
        if self._reach.mode != "auto":
            return kind
        return "sse" if kind == "ws" else "ws"

    def _wake(self) -> None:
        if not self._news.done():
            self._news.set_result(None)

    async def _news_by(self, when: float) -> None:
        """Wait until either connection has something new, or `when` on the loop's clock.

        Nothing is lost between two waits: a caller looks at both connections before it waits.
        """
        self._news = self._loop.create_future()
        timer = self._loop.call_at(when, self._wake)
        try:
            await self._news
        finally:
            timer.cancel()


class _Probes:
    """When to try WebSocket again while on SSE: after `first` s, then each time twice as long.

    It starts over only once a WebSocket has held: one that opens and then falls silent each time
    would else cost `silence` s of every few.
    """

    def __init__(self, first: float) -> None:
        self.at = math.inf
        self._first = self._delay = first
        self._kind: Kind | None = None
        self._since = -math.inf

    def changed(self, kind: Kind, now: float) -> None:
        """The run is followed over a new connection of `kind`."""
        if kind == "sse" and self._kind != "sse":
            if now - self._since >= _PROVEN_SECONDS:
                self._delay = self._first
            self.at = now + self._delay
        elif kind == "ws":
            self._since = now
        self._kind = kind

    def begin(self) -> None:
        self._delay = min(2 * self._delay, _PROBE_MOST)

    def fail(self, now: float) -> None:
        self.at = now + self._delay
