"""The vocabulary between the gateway and a worker: facts out, orders in.

One stream socket per run carries newline-delimited JSON both ways. This module is pure; it
and `inputs` are all that `sidecar.worker` imports of the rest.

Fact, worker to gateway::

    {"type": "llm.delta", "ts": 1763841600123.456, "task"?: str, "agent"?: str, "method"?: str,
     "tid"?: str, "in"?: str, "cause"?: str, "data": {...}}

`type` is an event type of docs/PROTOCOL.md. `tid` names the execution of a task, method, crew or
flow that it happens inside, and `in` the one that this happens inside; a fact of an execution's
own beginning or end carries that execution's. Three of them are terminal and are the worker's last
word; the gateway adds what it has counted itself (tasks, usage, seconds) before they become the
run's final event: ``run.completed`` {output}, ``run.failed`` {error: {code, message}},
``run.cancelled`` {}. A worker that closes the socket without one has crashed.
``worker.ready`` {pid} is said once, before the first order; by a worker that cannot import what it
needs, ``worker.broken`` {message} instead. ``worker.described`` {crews, files} says what crews
there are: each as `GET /crews` has it and with `needs`, the inputs that it can't do without, and
`lenient`, whether it runs without any; and the files that this was read from, with their
modification times in ns, null where there is none. None of them reaches a log.

Order, gateway to worker::

    {"order": "prepare", "look": {...Look}}   before `start`: import the crews' modules meanwhile
    {"order": "describe", "look": {...Look}}  instead of it: answered by worker.described, the last
                                              word
    {"order": "start", "spec": {...RunSpec}}
    {"order": "cancel", "cause": "c-7"}
    {"order": "pause", "cause": "c-8"}        answered by the fact run.paused {boundary}
    {"order": "resume", "cause": "c-9"}
    {"order": "modify", "cause": "c-10", "change": {"instruction": str, "now"?: true, "task"?: str}
                                                 | {"task": str, "description": str}
                                                 | {"inputs": {...}}}
                                              answered by run.modified {...change, applied}
    {"order": "answer", "cause": "c-11", "input": str, "text": str}
    {"order": "expire", "input": str}         nobody answered: go on as if accepted

Every fact that an order leads to carries its `cause`. A `modify` without one was told as applied by
an earlier attempt: it is applied again, silently.

`run.started` {model, attempt, tasks: [{name, agent, tid}]} of a later attempt also has the names of
the spec's `kept` and, unless null, `superseded`; a kept task has the tid that it had. That of a
fork always has `kept`, and `forked`, and each kept task its `output`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, NotRequired, TypedDict

import orjson

from sidecar.clock import now_ms

__all__ = [
    "MAX_LINE",
    "MAX_STRING",
    "TERMINAL",
    "WORKER_BROKEN",
    "WORKER_DESCRIBED",
    "WORKER_READY",
    "Fact",
    "Kept",
    "LineSplitter",
    "LineTooLong",
    "Look",
    "Named",
    "Order",
    "RunSpec",
    "encode_line",
    "fact",
    "now_ms",
    "truncate",
]

MAX_STRING: Final = 64 * 1024
"""Longest string in a fact, in UTF-8 bytes; PROTOCOL.md cuts longer ones and says so."""

MAX_LINE: Final = 16 * 1024 * 1024
"""Longest line on the channel, in bytes. A worker that exceeds it is broken, not merely verbose."""

WORKER_READY: Final = "worker.ready"
WORKER_BROKEN: Final = "worker.broken"
WORKER_DESCRIBED: Final = "worker.described"
TERMINAL: Final = frozenset({"run.completed", "run.failed", "run.cancelled"})


class Kept(TypedDict):
    """A task that an earlier attempt finished, or the run that was forked."""

    tid: str
    name: str
    output: str
    """Cut at MAX_STRING where the log's copy is."""
    source: NotRequired[str]
    """Its tid in the run that was forked, until the fork has started."""


class RunSpec(TypedDict):
    """All a worker needs to know to execute one run. Paths are absolute."""

    run: str
    crew: str
    """`default`, or the name of a folder in `config`."""
    inputs: dict[str, Any]
    config: str
    """Folder with agents.yaml and tasks.yaml (that of this crew, not of all crews)."""
    target: str | None
    """`package.module:attribute` of a user's own Python crew; then `config` is not read."""
    directory: str
    """This run's own folder: the worker's working files and CrewAI's storage."""
    environ: dict[str, str]
    """All of the worker's environment: its gateway's, whoever forked it."""
    folder: str
    """The user's: worked in, and imported from, by a crew of their own."""
    attempt: int
    """From 1; a later one carries a run on whose worker or gateway died."""
    kept: list[Kept]
    """Tasks that an earlier attempt finished, or the run that was forked, and that are not run
    again: always the crew's first, in its order."""
    forked: dict[str, str] | None
    """{run, task} that a fork begins at; the run's folder has FORKED then, if there is one."""
    superseded: list[int] | None
    """First and last seq of the events of tasks that were begun and are begun again."""
    memory_mb: int
    """RLIMIT_DATA for the worker in MiB; 0 = no limit."""
    review: list[str]
    """Tasks whose output a person is asked about, beside those with `human_input: true`."""
    input_timeout: float
    """Seconds a question stays open; 0 = for ever. The gateway keeps the time."""


class _FactRequired(TypedDict):
    type: str
    ts: float
    data: dict[str, Any]


_Inside = TypedDict("_Inside", {"in": str}, total=False)
"""Apart, since `in` is no name that a class can give."""


class Fact(_FactRequired, _Inside, total=False):
    """What a worker says: type and data, no number yet. `ts` is Unix milliseconds."""

    task: str
    agent: str
    method: str
    tid: str
    cause: str


class Named(TypedDict):
    """A crew that a run may ask for; the fields are those of a RunSpec."""

    crew: str
    config: str
    target: str | None


class Look(TypedDict):
    """What there is to look at; paths are absolute."""

    folder: str
    environ: dict[str, str]
    crews: list[Named]


class _OrderRequired(TypedDict):
    order: Literal[
        "prepare", "describe", "start", "cancel", "pause", "resume", "modify", "answer", "expire"
    ]


class Order(_OrderRequired, total=False):
    """What a worker is told."""

    cause: str
    look: Look
    spec: RunSpec
    change: dict[str, Any]
    input: str
    text: str


class LineTooLong(ValueError):
    """The peer sent more than `MAX_LINE` bytes without a newline."""


def fact(
    type: str,
    data: dict[str, Any],
    *,
    task: str | None = None,
    agent: str | None = None,
    tid: str | None = None,
    cause: str | None = None,
) -> Fact:
    """A fact born now; absent places are left out, not null."""
    made: Fact = {"type": type, "ts": now_ms(), "data": data}
    if task:
        made["task"] = task
    if agent:
        made["agent"] = agent
    if tid:
        made["tid"] = tid
    if cause:
        made["cause"] = cause
    return made


def encode_line(message: Fact | Order) -> bytes:
    """One line of the channel. Lone surrogates from a model become U+FFFD instead of an error."""
    try:
        return orjson.dumps(message, default=str, option=orjson.OPT_NON_STR_KEYS) + b"\n"
    except (orjson.JSONEncodeError, TypeError):
        # orjson refuses lone surrogates (they have no UTF-8 form) and integers beyond 64 bits.
        clean = _sanitise(message)
        return orjson.dumps(clean, default=str, option=orjson.OPT_NON_STR_KEYS) + b"\n"


def truncate(text: str, limit: int = MAX_STRING) -> tuple[str, bool]:
    """`text` cut to at most `limit` UTF-8 bytes at a character boundary, and whether it was."""
    if len(text) * 4 <= limit:
        return text, False
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit:
        return text, False
    return raw[:limit].decode("utf-8", "ignore"), True


def _sanitise(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        if depth > 64:
            return "(too deep)"
        return {_sanitise(str(k)): _sanitise(v, depth + 1) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        if depth > 64:
            return "(too deep)"
        return [_sanitise(v, depth + 1) for v in value]
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**64 else str(value)
    return _sanitise(str(value), depth)


class LineSplitter:
    """Bytes in, whole lines out; holds at most `MAX_LINE` bytes of an unfinished one."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        # Grown in place: to join a line of 12 MB anew with each of its pieces would copy 1 GB.
        self._rest = bytearray()

    @property
    def unfinished(self) -> int:
        """Bytes held of a line whose end has not come."""
        return len(self._rest)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each complete line without its newline.

        Raises LineTooLong at a line that outgrows the limit, after those before it.
        """
        first, *more = data.split(b"\n")
        self._rest += first
        if more:
            lines = [bytes(self._rest), *more[:-1]]
            self._rest = bytearray(more[-1])
            for line in lines:
                self._check(len(line))
                if line:
                    yield line
        self._check(len(self._rest))

    def _check(self, length: int) -> None:
        if length > self._limit:
            raise LineTooLong(f"a line of more than {self._limit} bytes")
