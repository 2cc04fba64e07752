"""Tasks with an owner."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["Tasks"]

_T = TypeVar("_T")


class Tasks:
    """The owner of what goes on beside its spawner, who need not wait for it: nothing outlives
    `close`."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def close(self) -> None:
        # Over and over: a cancel in the moment of a result can get lost (CPython gh-86296).
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.wait(self._running)
