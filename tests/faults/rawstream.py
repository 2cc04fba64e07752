"""Streams on bare sockets, for what no client library does: not reading, and resetting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import orjson

from tests.faults.checkers import Frame, TransportName, is_event

__all__ = ["RawStream", "events_of", "websocket_frames"]

_SMALL_BUFFER: Final = 4_096
"""SO_RCVBUF of a reader that stalls: it does so after few events. The kernel doubles it. Not for
one that is to read on: once in some 200 times Linux then keeps the window so small that its sender
only probes it, 2.7 KB every 200 ms (ss: `timer:(persist`, rwnd_limited 98 %)."""


class RawStream:
    """One subscription; nothing is read but what is asked for."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    @classmethod
    async def open(
        cls,
        url: str,
        run: str,
        transport: TransportName,
        *,
        after: str | None = None,
        small: bool = False,
    ) -> RawStream:
        """Connect and send the request; `small` stalls after few events."""
        address = urlsplit(url)
        query = f"run={run}" if after is None else f"run={run}&after={after}"
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setblocking(False)
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(sock, (address.hostname, address.port))
            await loop.sock_sendall(sock, _request(address.netloc, query, transport))
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    async def read(self) -> bytes:
        """What has come; empty at its end, whether orderly or by a reset."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._sock, 65_536)
        except ConnectionError:
            return b""

    async def read_until(self, mark: bytes, bound: float = 60.0) -> bytes:
        """What has come up to and with the chunk that has `mark`, within `bound` seconds."""
        seen, looked, reads = bytearray(), 0, 0
        try:
            async with asyncio.timeout(bound):
                while seen.find(mark, max(0, looked - len(mark))) < 0:
                    looked = len(seen)
                    data = await self.read()
                    assert data, f"it ended before {mark!r} came"
                    seen += data
                    reads += 1
        except TimeoutError:
            raise AssertionError(
                f"no {mark!r} in {bound:g} s: {len(seen)} bytes in {reads} reads, "
                f"the last of them {bytes(seen[-300:])!r}"
            ) from None
        return bytes(seen)

    async def send(self, command: Frame) -> None:
        """A text frame, masked with zeros, of at most 125 bytes (RFC 6455, 5.2)."""
        payload = orjson.dumps(command)
        assert len(payload) < 126
        frame = bytes((0x81, 0x80 | len(payload), 0, 0, 0, 0)) + payload
        await asyncio.get_running_loop().sock_sendall(self._sock, frame)

    async def read_on(self) -> bytes:
        """Everything up to the end."""
        parts = []
        while data := await self.read():
            parts.append(data)
        return b"".join(parts)

    def reset(self) -> None:
        """Close with an RST (socket(7), SO_LINGER of zero seconds)."""
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()


def websocket_frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(opcode, payload) of each whole unmasked frame behind the HTTP head (RFC 6455, 5.2)."""
    place = data.index(b"\r\n\r\n") + 4
    while place + 2 <= len(data):
        opcode, size = data[place] & 15, data[place + 1]
        place += 2
        if size == 126:
            size = int.from_bytes(data[place : place + 2], "big")
            place += 2
        elif size == 127:
            size = int.from_bytes(data[place : place + 8], "big")
            place += 8
        if place + size > len(data):
            return
        yield opcode, data[place : place + size]
        place += size


def events_of(data: bytes) -> list[Frame]:
    """The events among the text frames of a WebSocket."""
    frames = [orjson.loads(payload) for opcode, payload in websocket_frames(data) if opcode == 1]
    return [frame for frame in frames if is_event(frame)]


def _request(host: str, query: str, transport: TransportName) -> bytes:
    upgrade = (
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: crew.v1\r\n"
    )
    head = f"GET /{transport}?{query} HTTP/1.1\r\nHost: {host}\r\n"
    return f"{head}{upgrade if transport == 'ws' else ''}\r\n".encode()
