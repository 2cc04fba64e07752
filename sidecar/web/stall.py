"""A socket that takes nothing of what it is given, however much it sends itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

__all__ = ["STALL_SECONDS", "Stall"]

STALL_SECONDS: Final = 15.0
"""A peer that takes nothing for this long is let go; a reader resumes by its cursor."""

_LOOK_SECONDS: Final = 3.0
"""Between two looks at whether it has moved."""


class Stall:
    """From the moment that a socket takes no more until it does again (`cancel`).

    `taken` is a number that grows as the socket takes; `let_go` is called once, when that has
    stood still for `STALL_SECONDS`. Slow is who makes no progress: one who takes a little lives.
    """

    __slots__ = ("_last", "_let_go", "_moved", "_taken", "_timer")

    def __init__(self, taken: Callable[[], int], let_go: Callable[[], None]) -> None:
        self._taken = taken
        self._let_go = let_go
        self._last = taken()
        self._moved = asyncio.get_running_loop().time()
        self._timer = self._look_later()

    def cancel(self) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        if (taken := self._taken()) != self._last:
            self._last, self._moved = taken, now
        if now >= self._moved + STALL_SECONDS:
            self._let_go()
        else:
            self._timer = self._look_later()

    def _look_later(self) -> asyncio.TimerHandle:
        loop = asyncio.get_running_loop()
        due = min(loop.time() + _LOOK_SECONDS, self._moved + STALL_SECONDS)
        return loop.call_at(due, self._look)
