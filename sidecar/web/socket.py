"""A reader's socket without the machinery of HTTP: what a stream keeps once its head is sent.

aiohttp answers the request; then the socket is taken from it. Of the 13.4 KB that an idle WebSocket
of aiohttp takes (11.0 an SSE reader), nearly all is for requests that will not come any more
(docs/decisions/11). `take_over` is the one place that knows how aiohttp lets go of a socket;
tests/web/test_socket.py pins it.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Final, cast

from aiohttp import web

from sidecar.log import Transport
from sidecar.web.stall import Stall
from sidecar.web.untaken import untaken

__all__ = ["PeerSocket", "take_over"]

_SEND_BUFFER: Final = 65_536
"""The kernel otherwise grows to 4 MB for a stalled reader: 200 of them took 763 MB, now 47 MB."""

_HIGH_WATER: Final = 16_384
"""Bytes waiting in user space above which `drain` waits."""


class PeerSocket(asyncio.Protocol, Transport):
    """Bytes to one peer, with flow control. What they mean is the subclass's."""

    __slots__ = (
        "_draining",
        "_given",
        "_paused",
        "_seen",
        "_socket",
        "_stall",
        "_still",
        "lags",
    )

    _socket: asyncio.Transport

    def __init__(self) -> None:
        self._paused = False
        self._draining: asyncio.Future[None] | None = None
        self._given = self._seen = 0
        """Bytes: written, and of those acknowledged at the last look."""
        self._still = 0
        self.lags = False
        """Something was on its way at the last two looks, and some of it taken in between."""
        self._stall: Stall | None = None
        """While it takes no more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what the kernel buffers for this reader."""
        self._socket = cast(asyncio.Transport, transport)  # uvloop's own is not derived from it
        self._socket.set_write_buffer_limits(high=_HIGH_WATER)
        sock = transport.get_extra_info("socket")
        # macOS refuses (EINVAL) once the peer has left, which the first write or read then tells.
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_stall()
        if self._draining is not None and not self._draining.done():
            self._draining.set_exception(ConnectionResetError("the reader is gone"))
            self._draining.exception()  # looked at: there may be nobody waiting any more

    def pause_writing(self) -> None:
        self._paused = True
        self._end_stall()
        self._stall = Stall(lambda: self.taken, self.stalled)

    def resume_writing(self) -> None:
        self._paused = False
        self._end_stall()
        if self._draining is not None and not self._draining.done():
            self._draining.set_result(None)
        self._draining = None

    def _end_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def stalled(self) -> None:
        """It has taken nothing for `STALL_SECONDS`, whatever it sends."""
        self.abort()

    @property
    def taken(self) -> int:
        """Bytes that the peer has acknowledged so far, whoever wrote them."""
        return self._given - untaken(self._socket)

    @property
    def closing(self) -> bool:
        """`close` was called, or the peer is gone."""
        return self._socket.is_closing()

    @property
    def writable(self) -> bool:
        return self._socket.get_write_buffer_size() <= _HIGH_WATER

    def look(self) -> int:
        """How many looks in a row, this one the last, found something on its way to the peer of
        which nothing was acknowledged from one to the next; 0 if nothing is on its way."""
        waiting, before = untaken(self._socket), self._seen
        self._seen = self._given - waiting
        moved = self._seen != before
        self.lags = moved and waiting > 0 and self._still > 0
        self._still = 0 if not waiting else 1 if moved else self._still + 1
        return self._still

    async def drain(self) -> None:
        """Of many who wait, each looks again when its turn comes: who was before it may have
        filled the buffer. All 256 subscriptions of a socket at once would be 8 MB."""
        if not self.writable:
            # Who has just filled it is behind those who woke in the same turn of the loop and have
            # not: else the first always fills it again, and the others never come to it.
            await asyncio.sleep(0)
        while True:
            if self.closing:
                raise ConnectionResetError("the reader is gone")
            if self._paused:
                if self._draining is None:
                    self._draining = asyncio.get_running_loop().create_future()
                # Shielded: one that gives up must not take the others along.
                await asyncio.shield(self._draining)
            elif self.writable:
                return
            else:
                # Written in this turn of the loop, and not yet offered to the kernel.
                await asyncio.sleep(0)

    def abort(self) -> None:
        """Free the socket now: `close` would wait for a flush that a stalled peer never takes."""
        self._socket.abort()

    def close(self) -> None:
        """Free the socket when all is sent."""
        self._socket.close()

    def send(self, data: bytes) -> None:
        if not self.closing:
            self._given += len(data)
            self._socket.write(data)


class _Head(web.StreamResponse):
    """A response of which aiohttp sends the head and nothing more."""

    async def write_eof(self, data: bytes = b"") -> None:
        pass


async def take_over(
    request: web.Request, peer: PeerSocket, *, status: int, headers: dict[str, str]
) -> web.StreamResponse:
    """Send the head of the response, and give the socket to `peer` from then on.

    What the peer has sent already behind its request is given to `peer` too. The handler has to
    return the response given here without another await: what is left of aiohttp's side ends then.
    """
    response = _Head(status=status, headers=headers)
    response.force_close()  # aiohttp's loop for this socket ends with this request
    if status != 101 and request.version >= (1, 1):
        response.enable_chunked_encoding()
    await response.prepare(request)
    assert response._payload_writer is not None
    response._payload_writer.send_headers()

    handler, task = request.protocol, request.task
    transport, early = handler.transport, handler._message_tail
    if transport is None:
        raise ConnectionResetError("the reader is gone")
    transport.set_protocol(peer)
    # Without it aiohttp would close the socket at the end of `handler.start`, and with it there
    # is nothing that its `connection_lost` could close: that only drops its references.
    handler.transport = None
    task.add_done_callback(lambda _: handler.connection_lost(None))
    peer.connection_made(transport)
    if not transport.is_reading():
        transport.resume_reading()
    if early:
        peer.data_received(early)
    return response
