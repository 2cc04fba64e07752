"""Time: a limit for one wait, one for a run whose pauses don't count, and rounds to visit many."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

__all__ = ["Deadline", "Rounds", "within"]

T = TypeVar("T")
M = TypeVar("M")

_VISITS: Final = 256
"""Most visits in one go; the loop sees to its other work before the next."""


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


class Rounds(Generic[M]):
    """Calls `visit` with each member once per `seconds`, first a period after it joined.

    One timer for all: with one each, ten thousand connections had 3 MB of timers. Visits keep the
    distances in which members joined, so that no crowd is visited at once.
    """

    def __init__(self, seconds: float, visit: Callable[[M], None]) -> None:
        self._seconds = seconds
        self._visit = visit
        self._due: OrderedDict[M, float] = OrderedDict()
        """Soonest first: as all have the same period, who was visited goes to the end."""
        self._timer: asyncio.TimerHandle | None = None

    def join(self, member: M) -> None:
        self._due[member] = asyncio.get_running_loop().time() + self._seconds
        if self._timer is None:
            self._arm()

    def leave(self, member: M) -> None:
        """No effect on one who is not a member."""
        self._due.pop(member, None)
        if not self._due:
            self._arm()

    def _go(self) -> None:
        now = asyncio.get_running_loop().time()
        try:
            for _ in range(_VISITS):
                if not self._due:
                    break
                member, due = next(iter(self._due.items()))
                if due > now:
                    break
                self._due[member] = now + self._seconds
                self._due.move_to_end(member)
                self._visit(member)
        finally:
            self._arm()

    def _arm(self) -> None:
        """For the soonest, if there is one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for due in self._due.values():
            self._timer = asyncio.get_running_loop().call_at(due, self._go)
            break
