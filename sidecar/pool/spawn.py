"""Spawned workers: each a fresh process that imported crewai ahead of need; anywhere."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Coroutine
from typing import Any, BinaryIO, Final

from sidecar.pool.pool import Pool, Process, command
from sidecar.settings import Settings
from sidecar.tasks import Tasks

__all__ = ["SpawnPool"]

_STOP_SECONDS: Final = 10.0
"""For processes that were killed to have gone."""


class SpawnPool(Pool):
    """Warm spawned processes of a `program` of sidecar.worker, one per run, replaced at once."""

    def __init__(self, settings: Settings, *, program: str = "main") -> None:
        super().__init__(settings)
        self._program = program
        self._log = settings.data.resolve() / "workers.log"
        self._watchers = Tasks()

    @property
    def log_hint(self) -> str:
        return str(self._log)

    async def stop(self) -> None:
        await super().stop()
        await self._watchers.settle(_STOP_SECONDS)

    async def _launch(self, theirs: socket.socket) -> Process:
        with self._log.open("ab") as log:
            if sys.platform == "win32":
                process = await asyncio.create_subprocess_exec(
                    *command(self._program, "--channel-share"),
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                )
                assert process.stdin is not None
                process.stdin.write(base64.b64encode(theirs.share(process.pid)) + b"\n")
                await process.stdin.drain()
                return self._watch(process.pid, process.wait())
            fd = theirs.fileno()
            words = command(self._program, "--channel", str(fd))
            if sys.platform == "linux" and _has_pidfd():
                return self._watch(*_start(words, fd, log))
            process = await asyncio.create_subprocess_exec(
                *words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(fd,), start_new_session=True,
            )  # fmt: skip
            return self._watch(process.pid, _swept(process))

    def _watch(self, pid: int, end: Coroutine[Any, Any, int]) -> Process:
        exited: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

        async def watch() -> None:
            # In the turn in which it is reaped: nobody signals a number that is another's by then.
            code = await end
            if not exited.done():
                exited.set_result(code)

        self._watchers.spawn(watch(), name=f"watch over worker {pid}")
        return pid, exited


def _has_pidfd() -> bool:
    """Linux 5.3 and newer; not in every sandbox."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def _start(words: list[str], fd: int, log: BinaryIO) -> tuple[int, Coroutine[Any, Any, int]]:
    """A process that inherits `fd`: its pid, and its end, to be awaited.

    Not asyncio's, which reaps a process before it tells that it has ended. Raises OSError.
    """
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        pass_fds=(fd,), start_new_session=True,
    )  # fmt: skip
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        process.kill()
        process.wait()
        raise
    return process.pid, _ended(process, handle)


async def _ended(process: subprocess.Popen[bytes], handle: int) -> int:
    """The exit code, once the process is gone with all that it left in its group."""
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    try:
        loop.add_reader(handle, gone.set)
        await gone.wait()
        _sweep(process.pid)
        return process.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)


async def _swept(process: asyncio.subprocess.Process) -> int:
    """The same where a process can be watched only by reaping it: what is left of its group keeps
    its number from others; without any, there is a moment in which that may be given away."""
    code = await process.wait()
    _sweep(process.pid)
    return code


def _sweep(pid: int) -> None:
    """Kill what a dead worker left in its process group: children of its tools."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
