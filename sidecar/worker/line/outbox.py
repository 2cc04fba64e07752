"""The one writer of a run's facts to its socket: ordered, thread-safe, blocking.

A gateway that reads slowly makes `put` block, and with it the crew: that is the backpressure, and
why nothing here queues while the run goes on. While it is paused nothing may leave, and what still
happens (a reply being read to its end, a child process that prints) is kept, within a bound.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import Final

from sidecar.channel import Fact, encode_line
from sidecar.worker.line.coalesce import Coalescer
from sidecar.worker.line.redact import Redactor

__all__ = ["Outbox"]

_MAX_KEPT: Final = 4 * 1024 * 1024
"""Bytes of facts kept while paused; with so many, `put` blocks until the run goes on."""


class Outbox:
    """Owns the write side of `sock`, and a thread that sends a held delta when it is due."""

    def __init__(self, sock: socket.socket, redactor: Redactor) -> None:
        self._sock = sock
        self._redactor = redactor
        self._coalescer = Coalescer()
        self._changed = threading.Condition(threading.Lock())
        self._closed = False
        self._halted = False
        self._kept: list[Fact] = []
        self._kept_size = 0
        self._timer = threading.Thread(target=self._send_due, name="outbox", daemon=True)
        self._timer.start()

    def put(self, fact: Fact) -> None:
        """Send `fact`; returns when the kernel has it, or it is held as a delta for ≤ 20 ms, or
        kept until `go`.

        Silent after `close`: a crew's threads may outlive its last word. Raises OSError when the
        gateway is gone.
        """
        with self._changed:
            while self._halted and self._kept_size >= _MAX_KEPT and not self._closed:
                self._changed.wait()
            if self._closed:
                return
            if self._halted:
                self._kept.append(fact)
                self._kept_size += len(encode_line(fact))
                return
            self._send(self._coalescer.add(fact, time.monotonic()))
            if self._coalescer.due is not None:
                self._changed.notify_all()

    def halt(self, last: Fact) -> None:
        """Send what is held and then `last`; nothing leaves after it until `go`."""
        with self._changed:
            if not self._closed:
                self._halted = True
                self._send([*self._coalescer.flush(time.monotonic()), last])

    def go(self) -> None:
        """Send what was kept since `halt`, in order, and go on."""
        with self._changed:
            if not self._closed:
                self._release()
            self._changed.notify_all()

    def close(self, last: Fact) -> None:
        """Send what is held and then the run's last word; nothing leaves after it."""
        with self._changed:
            if not self._closed:
                self._release()
                self._closed = True
                self._send([*self._coalescer.flush(time.monotonic()), last])
                self._changed.notify_all()

    def _release(self) -> None:
        self._halted = False
        kept, self._kept, self._kept_size = self._kept, [], 0
        now = time.monotonic()
        self._send([ready for fact in kept for ready in self._coalescer.add(fact, now)])

    def _send(self, facts: list[Fact]) -> None:
        lines = [encode_line(clean) for fact in facts for clean in self._redactor.facts(fact)]
        if lines:
            self._sock.sendall(b"".join(lines))

    def _send_due(self) -> None:
        with self._changed:
            while not self._closed:
                due = self._coalescer.due
                if due is None:
                    self._changed.wait()
                    continue
                now = time.monotonic()
                if now < due:
                    self._changed.wait(due - now)
                    continue
                try:
                    self._send(self._coalescer.flush(now))
                except OSError:
                    return  # the gateway is gone; the order reader ends this process
