"""The gateway's orders as they arrive: whole, one by one."""

from __future__ import annotations

import json
import select
import socket
from collections import deque
from typing import Final, cast

from sidecar.channel import LineSplitter, Order, RunSpec

__all__ = ["Orders"]

_RECEIVE: Final = 64 * 1024
_BEFORE: Final = ("prepare", "describe", "start")


class Orders:
    """The read side of a worker's channel. One thread takes at a time, any may `wait`."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._splitter = LineSplitter()
        self._lines: deque[bytes] = deque()

    def spec(self) -> RunSpec:
        """Wait for `start`; its spec. For a worker that knows no crews of a user's: raises EOFError
        as `take` does, and where it is asked to describe some."""
        while (order := self.first())["order"] != "start":
            if order["order"] == "describe":
                raise EOFError("there are no crews here to describe")
        return order["spec"]

    def first(self) -> Order:
        """Wait for the next order that is one before a run, or its start. Raises EOFError as `take`
        does."""
        while (order := self.take(None)) is None or order["order"] not in _BEFORE:
            continue
        return order

    def take(self, timeout: float | None) -> Order | None:
        """The next order, or None when none has come within `timeout` seconds (None = for ever).

        Raises EOFError when the gateway has closed the channel.
        """
        while not self._lines:
            if not self.wait(timeout):
                return None
            try:
                data = self._sock.recv(_RECEIVE)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                raise EOFError("the gateway has closed the channel")
            self._lines.extend(self._splitter.feed(data))
        return cast(Order, json.loads(self._lines.popleft()))

    def wait(self, timeout: float | None = None) -> bool:
        """Whether something arrives within `timeout` seconds; takes nothing."""
        return bool(self._lines) or bool(select.select([self._sock], [], [], timeout)[0])
