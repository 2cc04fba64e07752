"""The one writer of a run's facts to its socket: ordered, thread-safe, blocking.

A gateway that reads slowly makes `put` block, and with it the crew: that is the backpressure, and
why nothing here queues.
"""

from __future__ import annotations

import socket
import threading
import time

from crew.coalesce import Coalescer
from crew.redact import Redactor
from sidecar.channel import Fact, encode_line

__all__ = ["Outbox"]


class Outbox:
    """Owns the write side of `sock`, and a thread that sends a held delta when it is due."""

    def __init__(self, sock: socket.socket, redactor: Redactor) -> None:
        self._sock = sock
        self._redactor = redactor
        self._coalescer = Coalescer()
        self._changed = threading.Condition(threading.Lock())
        self._closed = False
        self._timer = threading.Thread(target=self._send_due, name="outbox", daemon=True)
        self._timer.start()

    def put(self, fact: Fact) -> None:
        """Send `fact`; returns when the kernel has it, or it is held as a delta for ≤ 20 ms.

        Silent after `close`: a crew's threads may outlive its last word. Raises OSError when the
        gateway is gone.
        """
        with self._changed:
            if not self._closed:
                self._send(self._coalescer.add(fact, time.monotonic()))
                if self._coalescer.due is not None:
                    self._changed.notify()

    def close(self, last: Fact) -> None:
        """Send what is held and then the run's last word; nothing leaves after it."""
        with self._changed:
            if not self._closed:
                self._closed = True
                now = time.monotonic()
                self._send([*self._coalescer.flush(now), last])
                self._changed.notify()

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
