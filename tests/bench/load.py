"""The one load client: any number of subscribers on raw sockets, in this process.

It knows neither WebSocket nor SSE. It asks, and counts a marker that every event's JSON has once,
at the speed of memory; only where latency is asked for does it look at single events. What it costs
is reported with every figure (`Outcome.client_cpu_ns`).
"""

from __future__ import annotations

import gc
import select
import socket
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.bench.meters import cpu_ns

__all__ = ["Load", "Mark", "Outcome", "Subscriber"]

_EVENT: Final = b'{"type":"llm.delta"'
_BIRTH: Final = b'"t":'
_CARRY: Final = len(_EVENT) - 1
"""Bytes of a chunk's end that may be the beginning of a marker."""

_BUFFER: Final = 256 * 1024
_QUIET_SECONDS: Final = 0.02
"""A server that sends nothing for so long is idle, and its CPU so far is not the work's."""

_UNANSWERED: Final = 500
"""Subscribers under way at once while connecting; the listen queue has room for them."""

_PONG: Final = b"\x8a\x80\0\0\0\0"
"""Unasked-for pong (RFC 6455 section 5.5.3): keeps servers from taking a listener for dead."""
_PONG_SECONDS: Final = 6.0


@dataclass(frozen=True, slots=True)
class Subscriber:
    """`request` is what it says once connected; `source` the loopback address it comes from."""

    request: bytes
    is_websocket: bool
    source: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Mark:
    """How things stood when `delivered` events had come. CPU is the server's; monotonic ns."""

    delivered: int
    cpu_ns: int
    at_ns: int


@dataclass(slots=True)
class Outcome:
    """Of the time from the first to the last event delivered; CPU from just before the first."""

    expected: int
    delivered: int = 0
    complete: int = 0
    """Subscribers that got exactly what was expected."""
    asked_ns: int = 0
    first_ns: int = 0
    last_ns: int = 0
    server_cpu_ns: int = 0
    client_cpu_ns: int = 0
    per_append: float = 0
    """Events that the server took in at once, on average; 0 where it can't be known."""
    latencies_ns: array[int] = field(default_factory=lambda: array("q"))
    marks: list[Mark] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return (self.last_ns - self.first_ns) / 1e9

    @property
    def server_us(self) -> float:
        """Server CPU microseconds per delivered event."""
        return self.server_cpu_ns / 1000 / max(1, self.delivered)

    @property
    def client_us(self) -> float:
        return self.client_cpu_ns / 1000 / max(1, self.delivered)

    def percentile(self, percent: float) -> float:
        """Latency in ms, by nearest rank; 100 is the greatest."""
        ordered = sorted(self.latencies_ns)
        rank = min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100) - 1))
        return ordered[int(rank)] / 1e6


class _Reader:
    __slots__ = ("count", "got", "is_websocket", "sock", "tail")

    def __init__(self, sock: socket.socket, is_websocket: bool) -> None:
        self.sock = sock
        self.is_websocket = is_websocket
        self.tail = b"\0" * _CARRY
        self.count = 0
        self.got = 0
        """Bytes."""


class Load:
    """`with Load(...) as load: load.connect(); ...; load.receive(...)`, once."""

    def __init__(
        self, address: tuple[str, int], subscribers: Sequence[Subscriber], *, latency: bool = False
    ) -> None:
        """`latency`: read when each event was born; CLOCK_MONOTONIC nanoseconds."""
        self._address = address
        self._subscribers = subscribers
        self._poll = select.epoll()
        self._readers: dict[int, _Reader] = {}
        self._buffer = bytearray(_BUFFER)
        self._room = memoryview(self._buffer)[_CARRY:]
        self._take = self._measure if latency else self._count
        self._latencies = array("q")
        self._delivered = 0
        self._open = 0
        self._asked_ns = 0

    def __enter__(self) -> Load:
        # A collection of everything that the bench holds would be taken for the server's delay.
        gc.collect()
        gc.disable()
        return self

    def __exit__(self, *_: object) -> None:
        gc.enable()
        for reader in self._readers.values():
            reader.sock.close()
        self._poll.close()

    def connect(self, within: float = 60.0) -> None:
        """Return once every subscriber has had an answer."""
        deadline = time.monotonic() + within
        waiting: set[int] = set()
        for subscriber in self._subscribers:
            waiting.add(self._ask(subscriber))
            while len(waiting) >= _UNANSWERED:
                self._answers(waiting, deadline)
        while waiting:
            self._answers(waiting, deadline)

    def receive(
        self,
        pid: int,
        each: int,
        *,
        within: float,
        marks: Sequence[int] = (),
        tick: Callable[[], None] | None = None,
    ) -> Outcome:
        """Read until all have `each` events, all have left, or `within` s are over.

        `pid` is the server's; at each number of deliveries in `marks` its CPU is noted; `tick` is
        called every second.
        """
        outcome = Outcome(expected=each * len(self._readers), asked_ns=self._asked_ns)
        due = list(marks)
        server, client = cpu_ns(pid), time.process_time_ns()
        now = time.monotonic_ns()
        deadline, next_tick = now + int(within * 1e9), now + 1_000_000_000
        pongs = _Pongs([r for r in self._readers.values() if r.is_websocket])
        while self._delivered < outcome.expected and now < deadline and self._open:
            ready = self._poll.poll(_QUIET_SECONDS)
            for fd, _ in ready:
                self._take(fd)
            now = time.monotonic_ns()
            if outcome.first_ns == 0:
                if self._delivered:
                    outcome.first_ns = now
                elif not ready:
                    server, client = cpu_ns(pid), time.process_time_ns()
            if due and self._delivered >= due[0]:
                outcome.marks.append(Mark(self._delivered, cpu_ns(pid), now))
                due.pop(0)
            if now >= next_tick:
                next_tick += 1_000_000_000
                pongs.send()
                if tick is not None:
                    tick()
        outcome.last_ns = now
        outcome.server_cpu_ns = cpu_ns(pid) - server
        outcome.client_cpu_ns = time.process_time_ns() - client
        outcome.delivered = self._delivered
        outcome.latencies_ns = self._latencies
        outcome.complete = sum(r.count == each for r in self._readers.values())
        return outcome

    def _ask(self, subscriber: Subscriber) -> int:
        sock = socket.socket()
        sock.bind((subscriber.source, 0))
        sock.connect(self._address)
        sock.setblocking(False)
        self._asked_ns = time.monotonic_ns()
        sock.sendall(subscriber.request)
        fd = sock.fileno()
        self._readers[fd] = _Reader(sock, subscriber.is_websocket)
        self._poll.register(fd, select.EPOLLIN)
        self._open += 1
        return fd

    def _answers(self, waiting: set[int], deadline: float) -> None:
        ready = self._poll.poll(max(0.0, deadline - time.monotonic()))
        for fd, _ in ready:
            self._take(fd)
            waiting.discard(fd)
        if not self._open:
            raise ConnectionError("the server has closed every connection")
        if not ready and waiting:
            raise TimeoutError(f"{len(waiting)} subscribers had no answer")

    def _count(self, fd: int) -> None:
        reader = self._readers[fd]
        size = self._read(reader)
        if size:
            buffer = self._buffer
            buffer[:_CARRY] = reader.tail
            end = size + _CARRY
            found = buffer.count(_EVENT, 0, end)
            reader.tail = bytes(buffer[size:end])
            reader.count += found
            self._delivered += found

    def _measure(self, fd: int) -> None:
        reader = self._readers[fd]
        size = self._read(reader)
        if not size:
            return
        now = time.monotonic_ns()
        data = reader.tail + bytes(self._room[:size])
        at = data.find(_BIRTH)
        while at >= 0:
            end = data.find(b"}", at)
            if end < 0:
                break
            self._latencies.append(now - int(data[at + len(_BIRTH) : end]))
            reader.count += 1
            self._delivered += 1
            at = data.find(_BIRTH, end)
        reader.tail = data[at:] if at >= 0 else data[-_CARRY:].rpartition(b"}")[2]

    def _read(self, reader: _Reader) -> int:
        """Bytes read into `_room`; 0 when there are none or the server has closed."""
        try:
            size = reader.sock.recv_into(self._room)
        except BlockingIOError:
            return 0
        except ConnectionError:
            size = 0
        reader.got += size
        if size == 0:
            self._poll.unregister(reader.sock.fileno())
            self._open -= 1
        return size


class _Pongs:
    """A pong from every WebSocket each _PONG_SECONDS, some at a time."""

    def __init__(self, readers: Sequence[_Reader]) -> None:
        self._readers = readers
        self._next = 0
        self._each = -(-len(readers) // int(_PONG_SECONDS))

    def send(self) -> None:
        """Called every second."""
        for reader in self._readers[self._next : self._next + self._each]:
            try:
                reader.sock.send(_PONG)
            except OSError:
                continue  # it has left; counted as incomplete where that matters
        self._next = self._next + self._each if self._next + self._each < len(self._readers) else 0
