"""The crew `synthetic`: a worker without CrewAI that says as many events as it is told, for
measuring what comes after it.

It speaks `sidecar.channel` as main.py does and obeys the same orders. Its model's deltas are
built by formatting, not by a JSON encoder, so that the instrument is faster than what it measures.
Inputs, and what each may be::

    events  how many deltas                                0..10000000 (1000)
    rate    per second; 0 = as fast as the channel takes   0..1000000  (0)
    size    bytes of one event's JSON on the wire, about   0..65536    (300)
    burst   events handed over at once                     1..10000    (1)
    delay   seconds before the first                       0..3600     (1)

Each delta's data has `t`, the CLOCK_MONOTONIC nanoseconds at which it was born; its text begins
with its number, counted from 0.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from sidecar.channel import WORKER_READY, Fact, Order, RunSpec, encode_line, fact
from sidecar.worker import process
from sidecar.worker.line.orders import Orders
from sidecar.worker.started import kept_of, planned, started

__all__ = ["BadInput", "Deltas", "Plan", "main"]

_TASK: Final = "synthetic"
_AGENT: Final = "Synthetic"
_CALL: Final = "synthetic"
_MAX_SEND: Final = 64 * 1024
"""Bytes sent between two looks at the orders; a larger burst goes in several parts."""
_MAX_CHANGES: Final = 1_000
"""Modifications that may wait while paused, as in engine/gates.py."""


class BadInput(ValueError):
    """An input that is not what it may be; the text says which, and what it may be."""


@dataclass(frozen=True)
class Plan:
    """The inputs, checked."""

    events: int
    rate: float
    size: int
    burst: int
    delay: float

    @classmethod
    def of(cls, inputs: Mapping[str, Any]) -> Plan:
        """Raises BadInput. Inputs of other names are ignored."""
        return cls(
            events=int(_number(inputs, "events", 1_000, 0, 10_000_000, whole=True)),
            rate=_number(inputs, "rate", 0, 0, 1_000_000),
            size=int(_number(inputs, "size", 300, 0, 65_536, whole=True)),
            burst=int(_number(inputs, "burst", 1, 1, 10_000, whole=True)),
            delay=_number(inputs, "delay", 1, 0, 3_600),
        )


def _number(
    inputs: Mapping[str, Any], name: str, default: int, low: int, high: int, *, whole: bool = False
) -> float:
    value = inputs.get(name, default)
    # A bool is an int to Python; NaN is in no range.
    fits = isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high
    if not fits or (whole and value != int(value)):
        kind = "a whole number" if whole else "a number"
        raise BadInput(f"inputs.{name} must be {kind} from {low} to {high}, not {value!r:.80}")
    return float(value)


class Deltas:
    """The lines of one run's deltas, each about as long as `size` makes it once it is an event."""

    def __init__(self, run: str, plan: Plan, tid: str = "1.1") -> None:
        # What the log adds (PROTOCOL.md, "Events"); its epoch has 6 characters.
        seq = len(str(plan.events))
        added = len(f'"run":"{run}","seq":,"id":"epoch6-","at":1763841600123.456,') + 2 * seq
        self._line = _line(tid, 0)
        bare = len(self.lines(0, 1)) - len("\n")
        self._line = _line(tid, max(0, plan.size - added - bare))

    def lines(self, first: int, count: int) -> bytes:
        """Deltas number `first` to `first + count - 1`, born now."""
        made = []
        for number in range(first, first + count):
            milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
            made.append(
                self._line % (milliseconds, nanoseconds // 1_000, number, time.monotonic_ns())
            )
        return b"".join(made)


def _line(tid: str, padding: int) -> bytes:
    """A format of Unix milliseconds, the microseconds beyond them, number, and birth."""
    return (
        f'{{"type":"llm.delta","ts":%d.%03d,"task":"{_TASK}","agent":"{_AGENT}",'
        f'"tid":"{tid}",'
        f'"data":{{"call":"{_CALL}","text":"%08d{"." * padding} ","kind":"text","t":%d}}}}\n'
    ).encode()


class _Run:
    """One run, on one thread: it looks at the orders between two sends, and while one waits."""

    def __init__(self, sock: socket.socket, orders: Orders, spec: RunSpec) -> None:
        self._sock = sock
        self._orders = orders
        self._spec = spec
        self._tid = f"{spec['attempt']}.1"
        self._cancel: Order | None = None
        self._pause: Order | None = None
        self._changes: list[Order] = []
        self._begin = 0.0
        """When the first burst is due (monotonic seconds); a pause puts it off."""

    def execute(self) -> NoReturn:
        try:
            plan = Plan.of(self._spec["inputs"])
        except BadInput as error:
            self._end("run.failed", {"error": {"code": "bad_crew", "message": str(error)}})
        kept = kept_of(self._spec, [_TASK])
        tasks = planned([{"name": _TASK, "agent": _AGENT}], kept, lambda: self._tid)
        self._say(started(self._spec, _TASK, tasks, kept))
        self._obey(0)
        output = kept[0]["output"] if kept else self._work(plan)
        self._end("run.completed", {"output": output})

    def _work(self, plan: Plan) -> str:
        self._tell("task.started", {"name": _TASK, "index": 1, "of": 1})
        self._tell("llm.started", {"call": _CALL, "model": _TASK})
        self._speak(plan)
        output = f"{plan.events} events"
        usage = {"prompt_tokens": 0, "completion_tokens": plan.events, "total_tokens": plan.events}
        ended = {"call": _CALL, "usage": usage, "finish_reason": "stop"}
        self._tell("llm.completed", ended)
        self._tell("task.completed", {"name": _TASK, "output": output})
        return output

    def _speak(self, plan: Plan) -> None:
        """Say all deltas, each burst when the schedule has it, however late the one before was."""
        deltas = Deltas(self._spec["run"], plan, self._tid)
        at_once = max(1, _MAX_SEND // len(deltas.lines(0, 1)))
        said = 0
        self._begin = time.monotonic() + plan.delay
        while said < plan.events:
            bursts = said // plan.burst
            due = self._begin + (bursts * plan.burst / plan.rate if plan.rate else 0.0)
            early = due - time.monotonic()
            self._obey(max(0.0, early))
            self._modify()
            if early <= 0:
                end = min((bursts + 1) * plan.burst, plan.events, said + at_once)
                self._send(deltas.lines(said, end - said))
                said = end
        self._obey(0)

    def _modify(self) -> None:
        """Before a delta. What is ordered after the last, or is no instruction, stays unapplied."""
        changes, self._changes = self._changes, []
        for order in changes:
            change, cause = order["change"], order.get("cause")
            if "instruction" in change and cause is not None:
                self._tell("run.modified", {**change, "applied": "model_call"}, cause)

    def _obey(self, timeout: float) -> None:
        """Do what has been ordered, waiting up to `timeout` s for it; returns when to go on."""
        self._hear(timeout)
        while pause := self._pause:
            paused = time.monotonic()
            self._say(fact("run.paused", {"boundary": "token"}, cause=pause.get("cause")))
            while self._pause is pause:
                self._hear(None)
            self._begin += time.monotonic() - paused
        if self._cancel:
            self._end("run.cancelled", {}, self._cancel.get("cause"))

    def _hear(self, timeout: float | None) -> None:
        """Take note of all that has been ordered, waiting up to `timeout` s for the first."""
        try:
            while (order := self._orders.take(timeout)) is not None:
                timeout = 0
                self._note(order)
        except EOFError:
            process.abandon()

    def _note(self, order: Order) -> None:
        if order["order"] == "cancel":
            self._cancel, self._pause = self._cancel or order, None
        elif order["order"] == "pause" and self._cancel is None:
            self._pause = self._pause or order
        elif order["order"] == "resume":
            self._pause = None
        elif order["order"] == "modify" and len(self._changes) < _MAX_CHANGES:
            self._changes.append(order)

    def _tell(self, type: str, data: dict[str, Any], cause: str | None = None) -> None:
        self._say(fact(type, data, task=_TASK, agent=_AGENT, tid=self._tid, cause=cause))

    def _say(self, said: Fact) -> None:
        self._send(encode_line(said))

    def _send(self, data: bytes) -> None:
        """Returns when the kernel has all of it; notes what is ordered while it has no room."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                ordered, _, _ = select.select([self._sock], [self._sock], [])
                if ordered:
                    self._hear(0)
            except OSError:
                process.abandon()

    def _end(self, type: str, data: dict[str, Any], cause: str | None = None) -> NoReturn:
        self._say(fact(type, data, cause=cause))
        process.leave(0)


def main(sock: socket.socket) -> NoReturn:
    """Say that this worker is ready, wait for `start`, and do it. Ends the process."""
    sock.setblocking(False)
    sock.send(encode_line(fact(WORKER_READY, {"pid": os.getpid()})))
    orders = Orders(sock)
    try:
        spec = orders.spec()
    except EOFError:  # the gateway wants no run of it
        process.leave(0)
    _Run(sock, orders, spec).execute()


def spawned(arguments: list[str]) -> NoReturn:
    """The process's whole life."""
    sock = process.own_channel(arguments, "synthetic")
    process.detach()
    main(sock)
