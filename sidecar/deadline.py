"""Time: a limit for one wait, one for a run whose pauses don't count, and what is done again and
again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

__all__ = ["Deadline", "Every", "within"]

T = TypeVar("T")


async def within(seconds: float, awaitable: Awaitable[T]) -> T:
    """The result of `awaitable`, or asyncio.TimeoutError and it is cancelled.

    Not `asyncio.wait_for`: before Python 3.12 that swallows a cancellation which comes in the
    moment of the result (CPython gh-86296), and whoever cancelled waits for ever.
    """
    task = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
        raise asyncio.TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        elif not task.cancelled():
            task.exception()  # of one that failed as we were cancelled: now it was looked at


class Deadline:
    """Calls `expired` once, after `seconds` of counted time on the running loop's clock."""

    def __init__(self, seconds: float, expired: Callable[[], None]) -> None:
        self._left = seconds
        self._expired = expired
        self._timer: asyncio.TimerHandle | None = None

    def go(self) -> None:
        """Count from now on; no effect if it does."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._left, self._expired)

    def hold(self) -> None:
        """Stop counting; no effect if it does not count."""
        if self._timer is not None:
            self._left = max(0.0, self._timer.when() - asyncio.get_running_loop().time())
            self._timer.cancel()
            self._timer = None


class Every:
    """Calls `tick` each `seconds` until it is stopped. Not a task: each of ten thousand
    connections has one or two, and a timer takes a tenth of a task's memory."""

    def __init__(self, seconds: float, tick: Callable[[], None]) -> None:
        self._seconds = seconds
        self._tick = tick
        self._again()

    def stop(self) -> None:
        self._timer.cancel()

    def _again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._due)

    def _due(self) -> None:
        self._again()
        self._tick()
