"""A handle on one child process: facts in, orders out, signals."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

from sidecar.channel import Order, encode_line
from sidecar.pool.lines import WorkerLines

__all__ = ["KILL", "Worker"]

if sys.platform == "win32":
    KILL: Final = signal.SIGTERM
else:
    KILL: Final = signal.SIGKILL


class Worker:
    """A handle on one child process and its channel."""

    def __init__(self, pid: int, lines: WorkerLines, exited: asyncio.Future[int | None]) -> None:
        self.pid = pid
        self._lines = lines
        self._exited = exited

    def order(self, order: Order) -> None:
        """Never waits: orders are few and small, and a worker that reads none is killed."""
        self._lines.write(encode_line(order))

    async def facts(self) -> list[bytes]:
        """The next batch of lines; empty when the worker has closed its channel.

        Raises LineTooLong for a worker that was cut off for one.
        """
        return await self._lines.take()

    @property
    def alive(self) -> bool:
        return not self._exited.done()

    def when_gone(self, act: Callable[[], None]) -> None:
        """Call `act` once the process has ended, in a later turn of the loop."""
        self._exited.add_done_callback(lambda _: act())

    async def exit_code(self) -> int | None:
        """Exit code, negative for a signal, None when nobody could tell."""
        return await asyncio.shield(self._exited)

    def signal(self, number: int) -> None:
        """Signal the worker's whole process group, so that children of tools get it too."""
        if self._exited.done():
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                os.kill(self.pid, number)
            else:
                os.killpg(self.pid, number)

    def close(self) -> None:
        self._lines.close()
