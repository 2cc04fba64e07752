"""Tasks with an owner, who tells of what went wrong in them and sees them end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

__all__ = ["Tasks"]

logger = logging.getLogger("sidecar.tasks")

_AGAIN_SECONDS: Final = 2.0
"""Between two cancels of a task that goes on: what it does when it ends may take that long."""

_CANCELS: Final = 5

_T = TypeVar("_T")


class Tasks:
    """The owner of what goes on beside its spawner, who need not wait for it: nothing outlives
    `close`, and no failure passes in silence."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(
        self, work: Coroutine[Any, Any, _T], *, name: str | None = None, awaited: bool = False
    ) -> asyncio.Task[_T]:
        """Begin `work`, called `name` (else as its function is) where it is spoken of.

        What it raises is logged when it ends. Of a task that is `awaited` who awaits it is told
        instead, and if nobody does in the end, asyncio says so. To be cancelled is no failure.
        """
        task = asyncio.create_task(work, name=name or getattr(work, "__qualname__", None))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if not awaited:
            task.add_done_callback(_tell)
        return task

    async def settle(self, timeout: float | None = None) -> set[asyncio.Task[Any]]:
        """Wait for all that go on now, at most `timeout` seconds (None = for ever); who is left."""
        if not self._running:
            return set()
        _, left = await asyncio.wait(set(self._running), timeout=timeout)
        return left

    async def close(self) -> None:
        """Cancel all and wait for their end, for at most 10 s."""
        # Over and over: a cancel in the moment of a result can get lost (CPython gh-86296).
        for _ in range(_CANCELS):
            for task in self._running:
                task.cancel()
            await self.settle(_AGAIN_SECONDS)
            if not self._running:
                return
        for task in self._running:
            logger.error("%s goes on, though it was cancelled %d times", task.get_name(), _CANCELS)


def _tell(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger.error("%s broke", task.get_name(), exc_info=error)
