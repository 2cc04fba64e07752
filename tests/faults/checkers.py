"""The invariants of reliability.md as pure functions of what was seen. Nothing here does I/O.

A history holds what each reader was given over each of its connections, what each commander was
answered, and the run's log as it stood once everything had settled. A checker reads it and returns
its violations as sentences; none means that the invariant held.

- I1 each reader's events, joined across its connections, are a contiguous slice of the log
- I2 the same event is the same bytes over WebSocket and over SSE
- I3 whatever anybody saw and every acknowledged command is in the log
- I4 a command has at most one effect, and the same answer each time it is asked again
- I5 a log is numbered from 1, is of one epoch, and has one final event, its last
- I6 a cursor is either honoured to the event or answered with `stream.reset`
- carried_on: a later attempt begins behind the finished tasks and says what it supersedes
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import orjson

__all__ = [
    "CHECKERS",
    "Command",
    "Connection",
    "Frame",
    "History",
    "Reader",
    "Received",
    "at_most_once",
    "carried_on",
    "contiguous",
    "cursors_honoured",
    "is_event",
    "nothing_lost",
    "one_final",
    "same_bytes",
    "violations",
]

Frame = dict[str, Any]
TransportName = Literal["ws", "sse"]


def is_event(frame: Frame) -> bool:
    """Whether it is of the log, and not about the stream or a command."""
    return not frame["type"].startswith(("stream.", "command."))


class Received(NamedTuple):
    """One frame of a stream: its bytes as they came, and what they say."""

    text: bytes
    frame: Frame

    @property
    def is_event(self) -> bool:
        return is_event(self.frame)


@dataclass(slots=True)
class Connection:
    """One stream from its request to its end, however it ended."""

    transport: TransportName
    cursor: str | None
    """What was asked for; None = everything."""
    received: list[Received] = field(default_factory=list)
    status: int | None = None
    """HTTP status of an answer that was no stream, such as 204."""


@dataclass(slots=True)
class Reader:
    """One reader of the run; `finished` when it was told that the run has ended."""

    name: str
    connections: list[Connection] = field(default_factory=list)
    finished: bool = False


@dataclass(slots=True)
class Command:
    """One command under one id, and each ack that it ever got, in the order of arrival."""

    id: str
    cmd: str
    acks: list[Frame] = field(default_factory=list)


@dataclass(slots=True)
class History:
    """Everything about one run; `log` is each event's bytes, from the first to the last."""

    run: str
    readers: list[Reader]
    commands: list[Command]
    log: list[bytes]


EFFECTS: Final = {
    "start": "run.queued",
    "pause": "run.pausing",
    "resume": "run.resumed",
    "modify": "run.modifying",
    "cancel": "run.cancelling",
    "answer": "input.answered",
}
"""The one event that each command leads to (PROTOCOL.md, section 4)."""

_SHOWN: Final = 5
"""Violations of one checker that are told in full."""


def contiguous(history: History) -> list[str]:
    """I1. A `stream.reset` begins a new slice at its `from`, and nothing else does."""
    found = []
    for reader in history.readers:
        due, last = _start(reader), 0
        for text, frame in _told(reader):
            if frame["type"] == "stream.reset":
                due = frame["from"]
                continue
            last = seq = frame["seq"]
            if seq != due:
                what = "gap" if seq > due else "repeated or out of order"
                found.append(f"{reader.name}: {what}: {seq} came where {due} was due")
            if not 1 <= seq <= len(history.log):
                found.append(f"{reader.name}: {seq} is not in the log of {len(history.log)}")
            elif text != history.log[seq - 1]:
                found.append(f"{reader.name}: {seq} has other bytes than the log")
            due = seq + 1
        if reader.finished and last != len(history.log):
            found.append(f"{reader.name}: ended at {last} of {len(history.log)}")
        if not reader.finished:
            found.append(f"{reader.name}: was never told that the run has ended")
    return found


def same_bytes(history: History) -> list[str]:
    """I2. Compares what was received only, so that a wrong log hides nothing."""
    first: dict[int, tuple[str, bytes]] = {}
    found = []
    for reader in history.readers:
        for connection in reader.connections:
            for text, frame in _events(connection):
                who = f"{reader.name} over {connection.transport}"
                other, told = first.setdefault(frame["seq"], (who, text))
                if text != told:
                    found.append(f"{frame['seq']} is not the same to {who} as to {other}")
    return found


def nothing_lost(history: History) -> list[str]:
    """I3. An ack names the event that it stands for, and its run is known from then on."""
    log, found = set(history.log), []
    for reader in history.readers:
        for connection in reader.connections:
            refused = [r.frame for r in connection.received if r.frame["type"] == "command.ack"]
            if refused or connection.status == 404:
                found.append(f"{reader.name}: the run is unknown: {connection.status} {refused}")
            for text, frame in _events(connection):
                if text not in log:
                    found.append(f"{reader.name} saw {frame['seq']}, which the log has not")
    events = _parsed(history)
    for command in history.commands:
        for ack in command.acks:
            if not ack["ok"] or ack.get("noop"):
                continue
            seq = ack.get("seq", 0)
            event = events[seq - 1] if 1 <= seq <= len(events) else {}
            if event.get("cause") != command.id or event["type"] != EFFECTS[command.cmd]:
                found.append(f"{command.cmd} {command.id}: acknowledged as {seq}, not in the log")
    return found


def at_most_once(history: History) -> list[str]:
    """I4. A refusal that is temporary promises nothing, so a repeat may end otherwise."""
    effects = Counter((event["type"], event.get("cause")) for event in _parsed(history))
    found = []
    for command in history.commands:
        count = effects[EFFECTS[command.cmd], command.id]
        answers = [_lasting(ack) for ack in command.acks if not _is_temporary(ack)]
        if count > 1:
            found.append(f"{command.cmd} {command.id}: took effect {count} times")
        if any(answer != answers[0] for answer in answers):
            found.append(f"{command.cmd} {command.id}: answered {answers}")
        without_effect = any(not a["ok"] or a.get("noop") for a in answers)
        if without_effect and count:
            found.append(f"{command.cmd} {command.id}: took effect, and its ack says otherwise")
    return found


def one_final(history: History) -> list[str]:
    """I5."""
    events = _parsed(history)
    found = []
    numbers = [event["seq"] for event in events]
    if numbers != list(range(1, len(events) + 1)):
        found.append(f"the log is numbered {_summary(numbers)}")
    finals = [event["seq"] for event in events if event.get("final")]
    if finals != [len(events)] or not events:
        found.append(f"final events at {finals} in a log of {len(events)}")
    if len(epochs := {_epoch(event["id"]) for event in events}) > 1:
        found.append(f"epochs {sorted(epochs)} in one log")
    if wrong := {event["run"] for event in events} - {history.run}:
        found.append(f"events of {sorted(wrong)}")
    return found


def cursors_honoured(history: History) -> list[str]:
    """I6. A cursor of this log gets the event behind it first; any other a reset first."""
    ids = [event["id"] for event in _parsed(history)]
    places = {id: seq for seq, id in enumerate(ids, 1)}
    found = []
    for reader in history.readers:
        for number, connection in enumerate(reader.connections, 1):
            where = f"{reader.name}, connection {number} ({connection.transport})"
            cursor = connection.cursor
            place = 0 if cursor is None else places.get(cursor)
            if connection.status == 204 and cursor != (ids[-1] if ids else None):
                found.append(f"{where}: 204 to {cursor}, which is not the end")
            first = next(
                (r.frame for r in connection.received if r.frame["type"] in _ANSWERS or r.is_event),
                None,
            )
            if first is None:
                continue
            if first["type"] == "stream.reset":
                if place is not None:
                    found.append(f"{where}: {cursor} is in the log and got {first}")
            elif place is None:
                found.append(f"{where}: {cursor!r} is no cursor of this log and got no reset")
            elif first["type"] == "stream.end":
                if place != len(ids):
                    found.append(f"{where}: nothing between {cursor} and the end")
            elif first["seq"] != place + 1:
                found.append(f"{where}: {first['seq']} came first after {cursor}")
    return found


def carried_on(history: History) -> list[str]:
    """A `run.started` of attempt n > 1 keeps the finished tasks, which do not start again, and its
    `superseded` runs from the start of the unfinished one to at least the crew's last event."""
    found: list[str] = []
    done: list[str] = []
    begun: dict[str, int] = {}
    attempts = last = 0
    for event in _parsed(history):
        type, data, seq = event["type"], event["data"], event["seq"]
        if type == "run.started":
            attempts += 1
            if data["attempt"] < attempts:
                found.append(f"{seq}: attempt {data['attempt']} is the {attempts}. to start")
            if attempts > 1 and data.get("kept", []) != done:
                found.append(f"{seq}: keeps {data.get('kept')}, and {done} were finished")
            unfinished = [at for name, at in begun.items() if name not in done]
            due = [min(unfinished), last] if unfinished else None
            told = data.get("superseded")
            if attempts > 1 and data["tasks"] and not _covers(told, due, seq):
                found.append(f"{seq}: supersedes {told}, not {due}")
            begun = {}
        elif type == "task.started":
            if data["name"] in done:
                found.append(f"{seq}: {data['name']} starts again, and it was finished")
            begun[data["name"]] = seq
        elif type == "task.completed":
            done.append(data["name"])
        if not type.startswith("run."):
            last = seq
    return found


Checker = Callable[[History], list[str]]

CHECKERS: Final[dict[str, Checker]] = {
    "I1": contiguous,
    "I2": same_bytes,
    "I3": nothing_lost,
    "I4": at_most_once,
    "I5": one_final,
    "I6": cursors_honoured,
    "carried on": carried_on,
}


def violations(history: History) -> list[str]:
    """What every checker finds, each sentence with the name of its invariant."""
    told = []
    for name, checker in CHECKERS.items():
        found = checker(history)
        told += [f"{name}: {sentence}" for sentence in found[:_SHOWN]]
        if len(found) > _SHOWN:
            told.append(f"{name}: and {len(found) - _SHOWN} more")
    return told


_ANSWERS: Final = frozenset({"stream.reset", "stream.end"})


def _events(connection: Connection) -> Iterator[Received]:
    return (received for received in connection.received if received.is_event)


def _told(reader: Reader) -> Iterator[Received]:
    for connection in reader.connections:
        for received in connection.received:
            if received.is_event or received.frame["type"] == "stream.reset":
                yield received


def _start(reader: Reader) -> int:
    """The seq that is due first, from the cursor that the reader came with."""
    cursor = reader.connections[0].cursor if reader.connections else None
    tail = (cursor or "").rpartition("-")[2]
    return int(tail) + 1 if tail.isascii() and tail.isdigit() else 1


def _parsed(history: History) -> list[Frame]:
    return [orjson.loads(text) for text in history.log]


def _epoch(id: str) -> str:
    return id.rpartition("-")[0]


def _lasting(ack: Frame) -> Frame:
    return {key: value for key, value in ack.items() if key != "duplicate"}


def _is_temporary(ack: Frame) -> bool:
    return not ack["ok"] and bool(ack["error"]["temporary"])


def _covers(told: list[int] | None, due: list[int] | None, seq: int) -> bool:
    """Events of the run itself may stand between the crew's last and the `run.started` at `seq`."""
    if told is None or due is None:
        return told == due
    return told[0] == due[0] and due[1] <= told[1] < seq


def _summary(numbers: list[int]) -> str:
    odd = next((i for i, n in enumerate(numbers) if n != i + 1), len(numbers))
    return f"{numbers[max(0, odd - 2) : odd + 3]} around its {odd + 1}. event"
