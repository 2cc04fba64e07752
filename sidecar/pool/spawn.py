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

from sidecar.pool.pool import Pool, Process, command
from sidecar.settings import Settings
from sidecar.tasks import Tasks

__all__ = ["SpawnPool"]


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
        await self._watchers.settle()

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
            else:
                fd = theirs.fileno()
                process = await asyncio.create_subprocess_exec(
                    *command(self._program, "--channel", str(fd)),
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    pass_fds=(fd,), start_new_session=True,
                )  # fmt: skip
        exited: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

        async def watch() -> None:
            code = await process.wait()
            _sweep(process.pid)
            if not exited.done():
                exited.set_result(code)

        self._watchers.spawn(watch(), name=f"watch over worker {process.pid}")
        return process.pid, exited


def _sweep(pid: int) -> None:
    """Kill what a dead worker left in its process group: children of its tools."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
