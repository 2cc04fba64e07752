"""An event, its place in a log and its JSON. Pure.

The same event is the same bytes of JSON on every route, so the JSON is what the log stores.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from sidecar.protocol.compact import compact

__all__ = ["Cursor", "Draft", "Event", "encode_event", "format_cursor", "parse_cursor"]

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
    """What is to be appended: a fact with its place, but no number yet. `ts` in Unix ms.

    `tid` is the execution that it belongs to, and `inside` the one that this happens inside: `in`
    on the wire, which is no name in Python.
    """

    type: str
    ts: float
    data: dict[str, Any]
    task: str | None = None
    agent: str | None = None
    cause: str | None = None
    final: bool = False
    method: str | None = None
    tid: str | None = None
    inside: str | None = None


class Event(NamedTuple):
    """One entry of a run's log. `json` is what every reader gets, byte for byte."""

    seq: int
    id: str
    json: bytes
    final: bool = False


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
    if draft.method:
        body["method"] = draft.method
    if draft.tid:
        body["tid"] = draft.tid
    if draft.inside:
        body["in"] = draft.inside
    if draft.cause:
        body["cause"] = draft.cause
    body["data"] = draft.data
    if draft.final:
        body["final"] = True
    return Event(seq, id, compact(body), draft.final)
