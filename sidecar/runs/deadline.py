"""A limit on time that can be held and goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Deadline"]


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
