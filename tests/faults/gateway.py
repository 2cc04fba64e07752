"""A gateway that is killed, frozen and started again on one data folder, as a child process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Final

from tests.support.sidecar import ROOT, clean_environment, descendants

__all__ = ["Gateway", "send"]

_READY_SECONDS: Final = 60.0
_LEFTOVER_SECONDS: Final = 15.0
"""A worker notices at once that its gateway is gone; bounds what is stuck."""

_POLL: Final = 0.02

Identity = tuple[int, str]
"""Pid and start time, since pids come again."""


class Gateway:
    """`start`, then any number of `kill` and `start`; `close` in any case."""

    def __init__(self, data: Path, **environ: str) -> None:
        self.url = ""
        self._data = data
        self._environ = clean_environment(**environ)
        self._process: asyncio.subprocess.Process | None = None
        self._bereft: set[Identity] = set()
        """Processes whose gateway was killed."""

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def stderr(self) -> str:
        return (self._data / "stderr.log").read_text()

    async def launch(self) -> None:
        """Start it, and don't wait."""
        self._data.mkdir(parents=True, exist_ok=True)
        with (self._data / "stderr.log").open("a") as stderr:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "sidecar", "--port", "0", "--data", str(self._data),
                cwd=ROOT, env=self._environ, stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE, stderr=stderr,
            )  # fmt: skip

    async def start(self) -> None:
        """Start it and wait until it takes connections."""
        await self.launch()
        assert self._process is not None
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), _READY_SECONDS)
        assert line.startswith(b"sidecar ready "), f"{line!r}\n{self.stderr}"
        self.url = line.split()[-1].decode()

    async def kill(self) -> None:
        """kill -9, at whatever point it is."""
        assert self._process is not None
        below = {_identity(pid) for pid in descendants(self.pid)}
        self._bereft |= {one for one in below if one is not None}
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def wait(self) -> int:
        """The exit code of one that ends by itself."""
        assert self._process is not None
        return await asyncio.wait_for(self._process.wait(), _READY_SECONDS)

    async def close(self) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.kill()

    def workers(self) -> list[int]:
        """The processes below it, if it lives."""
        if self._process is None or self._process.returncode is not None:
            return []
        return sorted(descendants(self.pid))

    async def leftovers(self) -> list[int]:
        """Pids that have outlived a killed gateway for too long (I11)."""
        deadline = asyncio.get_running_loop().time() + _LEFTOVER_SECONDS
        while left := [one[0] for one in self._bereft if _identity(one[0]) == one]:
            if asyncio.get_running_loop().time() > deadline:
                return left
            await asyncio.sleep(_POLL)
        return []


def send(pid: int, number: signal.Signals) -> None:
    """Signal a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _identity(pid: int) -> Identity | None:
    """None for one that is no more; see proc(5) for the fields of stat."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in ("Z", "X") else (pid, fields[19])
