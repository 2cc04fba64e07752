"""An event and its bytes: JSON, WebSocket frame, SSE block; each built once, shared by all. Pure.

The same event is the same bytes of JSON on every route, so the JSON is what the log stores and
the two framings only wrap it.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import orjson

__all__ = [
    "Cursor",
    "Draft",
    "Event",
    "encode_event",
    "format_cursor",
    "parse_cursor",
    "sse_control",
    "sse_event",
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


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be appended: a fact with its place, but no number yet. `ts` in Unix ms."""

    type: str
    ts: float
    data: dict[str, Any]
    task: str | None = None
    agent: str | None = None
    cause: str | None = None
    final: bool = False


@dataclass(frozen=True)
class Event:
    """One entry of a run's log. `json` is what every reader gets, byte for byte."""

    seq: int
    id: str
    json: bytes
    final: bool = False

    @cached_property
    def ws(self) -> bytes:
        return ws_text(self.json)

    @cached_property
    def sse(self) -> bytes:
        return sse_event(self.id, self.json)


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


def sse_control(message: dict[str, Any]) -> bytes:
    """A control frame: named, so that EventSource.onmessage sees events only, and without an id,
    so that it never moves a reader's Last-Event-ID."""
    return b"event: %b\ndata: %b\n\n" % (str(message["type"]).encode(), orjson.dumps(message))
