"""A handle on one child process and its channel: facts in, orders out, signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections import deque
from typing import Final, cast

from sidecar.channel import MAX_LINE, LineSplitter, LineTooLong, Order, encode_line

__all__ = ["KILL", "Channel", "Worker"]

_BACKLOG_BYTES: Final = 1 << 20
"""Facts received but not yet taken; above it the socket is not read, which blocks the worker."""

_BATCH: Final = 64
"""Lines taken at once. What is shown at once must fit into what a socket takes at once, or every
reader falls behind and reads the log for itself: 1.6 us per delivery instead of 0.3."""

if sys.platform == "win32":
    KILL: Final = signal.SIGTERM
else:
    KILL: Final = signal.SIGKILL


class Channel(asyncio.Protocol):
    """The gateway's end of a worker's socket: bytes to whole lines, with a bound."""

    def __init__(self) -> None:
        self._splitter = LineSplitter(MAX_LINE)
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self.closed = False
        self.broken: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an isinstance check: uvloop's transports do not derive from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._lines.extend(self._splitter.feed(data))
        except LineTooLong as error:
            self.broken = str(error)
            self.close()
            return
        self._bytes += len(data)
        if self._bytes > _BACKLOG_BYTES and self._transport is not None:
            self._transport.pause_reading()
        self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._arrived.set()

    async def lines(self) -> list[bytes]:
        """The next few lines; none once the peer has closed and all were taken."""
        if self._lines:
            # What the last ones led to leaves in this turn of the loop, before there is more.
            await asyncio.sleep(0)
        while not self._lines and not self.closed:
            self._arrived.clear()
            await self._arrived.wait()
        taken = [self._lines.popleft() for _ in range(min(_BATCH, len(self._lines)))]
        if not self._lines:
            if self._bytes > _BACKLOG_BYTES and self._transport is not None and not self.closed:
                self._transport.resume_reading()
            self._bytes = 0
        return taken

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


class Worker:
    """A handle on one child process and its channel."""

    def __init__(self, pid: int, channel: Channel, exited: asyncio.Future[int | None]) -> None:
        self.pid = pid
        self._channel = channel
        self._exited = exited

    def order(self, order: Order) -> None:
        """Never waits: orders are few and small, and a worker that reads none is killed."""
        self._channel.write(encode_line(order))

    async def facts(self) -> list[bytes]:
        """The next batch of lines; empty when the worker has closed its channel."""
        return await self._channel.lines()

    @property
    def alive(self) -> bool:
        return not self._exited.done()

    async def exit_code(self) -> int | None:
        """Exit code, negative for a signal, None when nobody could tell."""
        return await asyncio.shield(self._exited)

    def signal(self, number: int) -> None:
        """Signal the worker's whole process group, so that children of tools get it too."""
        if self._exited.done():
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                os.kill(self.pid, number)
            else:
                os.killpg(self.pid, number)

    def close(self) -> None:
        self._channel.close()
