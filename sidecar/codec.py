"""An event and its bytes: JSON, WebSocket frames, SSE blocks; each built once, shared by all. Pure.

The same event is the same bytes of JSON on every route, so the JSON is what the log stores and
the two framings only wrap it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import orjson

__all__ = [
    "Cursor",
    "Draft",
    "Event",
    "Piece",
    "encode_event",
    "format_cursor",
    "http_chunk",
    "parse_cursor",
    "pieces",
    "sse_control",
    "sse_event",
    "unchunked",
    "ws_close",
    "ws_frame",
    "ws_text",
]

_CURSOR: Final = re.compile(r"([a-z0-9]{1,16})-([0-9]{1,15})\Z")


class Cursor(NamedTuple):
    """One reader's place in one log: the last event it has."""

    epoch: str
    seq: int


def format_cursor(epoch: str, seq: int) -> str:
    return f"{epoch}-{seq}"


def parse_cursor(text: str) -> Cursor | None:
    """None when `text` is not a cursor of any epoch (`-1`, `abc`, an empty epoch)."""
    match = _CURSOR.match(text)
    return Cursor(match[1], int(match[2])) if match else None


# Tuples, because they are made for every token: a frozen dataclass takes three times as long.


class Draft(NamedTuple):
    """What is to be appended: a fact with its place, but no number yet. `ts` in Unix ms."""

    type: str
    ts: float
    data: dict[str, Any]
    task: str | None = None
    agent: str | None = None
    cause: str | None = None
    final: bool = False


class Event(NamedTuple):
    """One entry of a run's log. `json` is what every reader gets, byte for byte."""

    seq: int
    id: str
    json: bytes
    final: bool = False


class Piece:
    """Consecutive events that leave in one write, in either framing."""

    __slots__ = ("_sse", "_ws", "before", "events", "final", "last")

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.before = events[0].seq - 1
        """The cursor of a reader that lacks exactly these."""
        self.last = events[-1].seq
        self.final = events[-1].final
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


def encode_event(draft: Draft, *, run: str, epoch: str, seq: int, at: float) -> Event:
    """Give a draft its number and its bytes. `at` is the time of appending, Unix ms."""
    id = format_cursor(epoch, seq)
    body: dict[str, Any] = {
        "type": draft.type,
        "run": run,
        "seq": seq,
        "id": id,
        "ts": draft.ts,
        "at": at,
    }
    if draft.task:
        body["task"] = draft.task
    if draft.agent:
        body["agent"] = draft.agent
    if draft.cause:
        body["cause"] = draft.cause
    body["data"] = draft.data
    if draft.final:
        body["final"] = True
    return Event(seq, id, orjson.dumps(body), draft.final)


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
