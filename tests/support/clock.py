"""A clock that tests turn: what waits for seconds waits for the test, not for the seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

__all__ = ["Clock", "clock", "settle"]


class Clock:
    """The running loop's clock. It stands still but for `turn`, so that no deadline of the code
    under test, and none of the test's own, passes by itself."""

    def __init__(self, now: float) -> None:
        self._now = now

    def time(self) -> float:
        return self._now

    async def turn(self, seconds: float) -> None:
        """Let everything happen that need not wait; then let `seconds` pass, and everything
        happen that had waited for them."""
        await settle()
        self._now += seconds
        await settle()


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Clock]:
    loop = asyncio.get_running_loop()
    made = Clock(loop.time())
    with monkeypatch.context() as patch:
        patch.setattr(loop, "time", made.time)
        yield made


async def settle() -> None:
    """Let every task that can run do so; nothing here waits for a clock or a socket."""
    for _ in range(30):
        await asyncio.sleep(0)
