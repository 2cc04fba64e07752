"""Events and control frames in the framings of both transports. Pure.

An event's JSON is encoded once (events.py); a framing only wraps it, once for all its readers.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from sidecar.protocol.events import Event

__all__ = [
    "Piece",
    "http_chunk",
    "pieces",
    "sse_control",
    "sse_event",
    "unchunked",
    "ws_close",
    "ws_frame",
    "ws_text",
]


class Piece:
    """Consecutive events that leave in one write, in either framing."""

    __slots__ = ("_sse", "_ws", "before", "events", "final", "last", "size")

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.before = events[0].seq - 1
        """The cursor of a reader that lacks exactly these."""
        self.last = events[-1].seq
        self.final = events[-1].final
        self.size = sum([len(event.json) for event in events])
        """Bytes of JSON."""
        self._ws: bytes | None = None
        self._sse: bytes | None = None

    @property
    def ws(self) -> bytes:
        """One text frame per event (RFC 6455 section 5.6)."""
        if self._ws is None:
            self._ws = b"".join([ws_text(event.json) for event in self.events])
        return self._ws

    @property
    def sse(self) -> bytes:
        """One block per event, all in one HTTP/1.1 chunk."""
        if self._sse is None:
            self._sse = http_chunk(b"".join([sse_event(e.id, e.json) for e in self.events]))
        return self._sse


def pieces(events: Sequence[Event], most: int) -> Iterator[Piece]:
    """`events` in pieces of at most `most` bytes of JSON, or of one event that is more."""
    start = size = 0
    for end, event in enumerate(events):
        if size + len(event.json) > most and end > start:
            yield Piece(events[start:end])
            start, size = end, 0
        size += len(event.json)
    if start < len(events):
        yield Piece(events[start:])


def ws_frame(opcode: int, payload: bytes) -> bytes:
    """A whole, unmasked frame (RFC 6455 section 5.2)."""
    first, size = 0x80 | opcode, len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", first, 126, size) + payload
    return struct.pack("!BBQ", first, 127, size) + payload


def ws_text(payload: bytes) -> bytes:
    return ws_frame(1, payload)


def ws_close(code: int, reason: str) -> bytes:
    """A close frame; `reason` has at most 123 bytes (RFC 6455 section 5.5.1)."""
    return ws_frame(8, struct.pack("!H", code) + reason.encode()[:123])


def sse_event(id: str, json: bytes) -> bytes:
    """One dispatchable block (WHATWG HTML section 9.2.6); JSON has no raw newline to escape."""
    return b"id: %b\ndata: %b\n\n" % (id.encode(), json)


def http_chunk(data: bytes) -> bytes:
    """RFC 9112 section 7.1."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def unchunked(chunk: bytes) -> bytes:
    """What `http_chunk` was given."""
    return chunk[chunk.index(b"\r\n") + 2 : -2]


def sse_control(message: dict[str, Any]) -> bytes:
    """A control frame: named, so that EventSource.onmessage sees events only, and without an id,
    so that it never moves a reader's Last-Event-ID."""
    return b"event: %b\ndata: %b\n\n" % (str(message["type"]).encode(), orjson.dumps(message))
