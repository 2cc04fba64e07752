"""Where WebSocket and SSE differ: how bytes get to the socket. Nothing above knows.

Both write to aiohttp's own transport, so that one buffer built for an event serves every reader.
aiohttp writes whole frames to the same transport too (pongs, close), so frames never interleave.
`_payload_writer.drain` is aiohttp's private flow control; tests/sidecar/test_transport.py pins it.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

from aiohttp import web

from sidecar.codec import Piece, http_chunk, sse_control, ws_close, ws_frame, ws_text
from sidecar.deadline import within
from sidecar.fanout import Transport
from sidecar.protocol import encode

__all__ = ["SseTransport", "WsTransport", "tune"]

_SEND_BUFFER: Final = 65_536
"""The kernel otherwise grows to 4 MB for a stalled reader: 200 of them took 763 MB, now 47 MB."""

_HIGH_WATER: Final = 16_384
"""Bytes waiting in user space above which `drain` waits."""

_USER_TIMEOUT_MS: Final = 25_000
"""The kernel's own end for a peer that acknowledges nothing, a little after ours has had its say
(STALL_SECONDS and _GOODBYE_SECONDS)."""

_GOODBYE_SECONDS: Final = 8.0
"""How long a reader that was too slow may take to hear that."""

_PING: Final = ws_frame(9, b"")
_TCP_USER_TIMEOUT: Final = getattr(socket, "TCP_USER_TIMEOUT", None)


def tune(request: web.Request) -> None:
    """Bound what the kernel buffers for this reader and how long a dead peer goes unnoticed."""
    if request.transport is not None:
        request.transport.set_write_buffer_limits(high=_HIGH_WATER)
    sock = request.get_extra_info("socket")
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    if _TCP_USER_TIMEOUT is not None:
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)


class _AiohttpTransport(Transport):
    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        assert request.transport is not None
        self._transport: asyncio.Transport = request.transport
        self._writer = response._payload_writer
        self._draining: asyncio.Future[None] | None = None

    @property
    def writable(self) -> bool:
        return self._transport.get_write_buffer_size() <= _HIGH_WATER

    async def drain(self) -> None:
        if self._transport.is_closing() or self._writer is None:
            raise ConnectionResetError("the reader is gone")
        # One wait for all, and shielded: aiohttp's waiters share a future, so that one who gives
        # up would take the others along (3.14.5, BaseProtocol._drain_helper). It ends with the
        # connection.
        if self._draining is None or self._draining.done():
            self._draining = asyncio.ensure_future(self._writer.drain())
            self._draining.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.shield(self._draining)

    def abort(self) -> None:
        """Free the socket now: `close` would wait for a flush that a stalled peer never takes."""
        self._transport.abort()

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


class WsTransport(_AiohttpTransport):
    """Many frames in one write.

    Its own pings and pongs: aiohttp's wait for a peer that takes nothing.
    """

    dismissed = False

    def ping(self) -> None:
        self._write(_PING)

    def pong(self, payload: bytes) -> None:
        self._write(ws_frame(10, payload))

    async def dismiss(self, code: int, reason: str) -> None:
        """Say goodbye behind what is on its way already, and free the socket."""
        if self.dismissed:
            return
        self._write(ws_close(code, reason))
        self.dismissed = True
        try:
            await within(_GOODBYE_SECONDS, self.drain())
        except (asyncio.TimeoutError, ConnectionError):
            self.abort()
        else:
            self._transport.close()

    def _write(self, data: bytes) -> None:
        if not self.dismissed:
            super()._write(data)

    def write(self, piece: Piece) -> None:
        self._write(piece.ws)

    def write_control(self, message: dict[str, Any]) -> None:
        self._write(ws_text(encode(message)))


class SseTransport(_AiohttpTransport):
    """Many blocks in one chunk, and one write."""

    def write(self, piece: Piece) -> None:
        self._write(piece.sse)

    def write_control(self, message: dict[str, Any]) -> None:
        self._write(http_chunk(sse_control(message)))
