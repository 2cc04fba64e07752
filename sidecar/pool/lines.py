"""The gateway's end of a worker's socket: bytes to whole lines, with a bound."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Final, cast

from sidecar.channel import MAX_LINE, LineSplitter, LineTooLong

__all__ = ["WorkerLines"]

_BACKLOG_BYTES: Final = 1 << 20
"""Facts received but not yet taken; above it the socket is not read, which blocks the worker, as
long as there is a whole line to take. So what is held is at most one line of MAX_LINE, what was
read with its end, and this."""

_BATCH: Final = 64
"""Lines taken at once. What is shown at once must fit into what a socket takes at once, or every
reader falls behind and reads the log for itself: 1.6 us per delivery instead of 0.3."""


class WorkerLines(asyncio.Protocol):
    """Facts in as lines, orders out as bytes. The worker stands still while too many wait."""

    def __init__(self) -> None:
        self._splitter = LineSplitter(MAX_LINE)
        self._lines: deque[bytes] = deque()
        self._waiting = 0
        """Bytes of `_lines`."""
        self._paused = False
        self._arrived = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self.closed = False
        self._broken: LineTooLong | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an isinstance check: uvloop's transports do not derive from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for line in self._splitter.feed(data):
                self._lines.append(line)
                self._waiting += len(line)
        except LineTooLong as error:
            self._broken = error
            self.close()
        if self._lines:
            self._arrived.set()
        self._pace()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._arrived.set()

    async def take(self) -> list[bytes]:
        """The next few lines; none once the peer has closed and all were taken.

        Raises LineTooLong instead when the peer was cut off for one.
        """
        if self._lines:
            # What the last ones led to leaves in this turn of the loop, before there is more.
            await asyncio.sleep(0)
        while not self._lines and not self.closed:
            self._arrived.clear()
            await self._arrived.wait()
        if not self._lines and self._broken is not None:
            raise self._broken
        taken = [self._lines.popleft() for _ in range(min(_BATCH, len(self._lines)))]
        self._waiting -= sum(map(len, taken))
        self._pace()
        return taken

    def _pace(self) -> None:
        """Read on or not. Only the taking of a line ends a pause, so without one there is none: a
        line longer than the backlog would never be whole, nor its worker's death be seen."""
        if self._transport is None or self.closed or self._broken is not None:
            return
        if not self._lines:
            if self._paused:
                self._paused = False
                self._transport.resume_reading()
        elif not self._paused and self._waiting + self._splitter.unfinished > _BACKLOG_BYTES:
            self._paused = True
            self._transport.pause_reading()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self.closed:
            self._transport.write(data)

    async def open(self, sock: socket.socket) -> None:
        """Take over `sock`, which does not block."""
        loop = asyncio.get_running_loop()
        if sock.family == getattr(socket, "AF_UNIX", None):
            await loop.create_unix_connection(lambda: self, sock=sock)
        else:
            await loop.create_connection(lambda: self, sock=sock)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()
