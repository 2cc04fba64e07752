"""One attempt at a run: takes a worker, hears it out, and tells how it ended.

A run has more than one when its gateway died, or its worker did and another try is allowed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from sidecar.channel import TERMINAL, LineTooLong, Order, RunSpec
from sidecar.pool import KILL, CannotImport, Pool, Worker
from sidecar.protocol import Draft

__all__ = ["Attempt"]

logger = logging.getLogger("sidecar.runs")

_EXIT_SECONDS: Final = 1.0
"""Between a worker's last word and its exit, which is one os._exit away."""

_FACTS: Final = {
    "status": int,
    **dict.fromkeys(("reason", "server", "provider", "model", "details"), str),
}
"""What a worker may say of a failure beside its code and message."""
_SIGKILL: Final = 9


class Attempt:
    """`take`, then `drafts` until there are none; `close` in any case."""

    def __init__(self, run: str, pool: Pool) -> None:
        self._run = run
        self._pool = pool
        self._worker: Worker | None = None
        self._exit_code: int | None = None
        self._lacking: str | None = None
        """Why there is no worker."""
        self._cut_off: str | None = None
        """Why the worker was heard no further."""
        self._out_of_memory_kills = _out_of_memory_kills()
        self.verdict: dict[str, Any] | None = None
        """The worker's last word, a terminal fact of the channel."""

    @property
    def staffed(self) -> bool:
        """Whether it has, or had, a worker."""
        return self._worker is not None

    @property
    def hopeless(self) -> bool:
        """Whether another one would end the same way: no worker to be had, a line too long."""
        return self._lacking is not None or self._cut_off is not None

    async def take(self) -> bool:
        """Wait for a worker that is ready; False when there can be none, as `error` says."""
        try:
            self._worker = await self._pool.take()
        except CannotImport as error:
            self._lacking = str(error)
        return self._worker is not None

    def start(self, spec: RunSpec, brief: Sequence[Order]) -> None:
        """Have the worker taken run `spec`, told of all that `brief` says before it begins."""
        self.order({"order": "start", "spec": spec})
        for order in brief:
            self.order(order)

    def order(self, order: Order) -> None:
        """Tell the worker; nobody while there is none. Never waits."""
        if self._worker is not None:
            self._worker.order(order)

    def signal(self, number: int) -> None:
        if self._worker is not None:
            self._worker.signal(number)

    async def drafts(self) -> list[Draft]:
        """The next batch of what the worker says; empty once it has said its last and is gone."""
        worker = self._worker
        if worker is None:
            return []
        try:
            while self.verdict is None and (lines := await worker.facts()):
                if drafts := self._parse(lines):
                    return drafts
        except LineTooLong as error:
            self._cut_off = str(error)
        await self._await_exit(worker)
        return []

    def close(self) -> None:
        """Leave nothing of the worker behind."""
        if self._worker is not None:
            self._worker.signal(KILL)
            self._worker.close()

    def error(self) -> dict[str, Any]:
        """What `run.failed` says of an attempt that did not complete: {code, message}, and what the
        worker knows beyond that (P76)."""
        if self.verdict is not None:
            error = self.verdict["data"].get("error") or {}
            if not isinstance(error, dict):
                error = {"message": error}
            return {
                "code": str(error.get("code", "error")),
                "message": str(error.get("message", "the crew failed without saying why")),
                **{
                    name: error[name]
                    for name, kind in _FACTS.items()
                    if isinstance(error.get(name), kind)
                },
            }
        if self._lacking is not None:
            return {"code": "crashed", "message": f"no worker could be started: {self._lacking}"}
        if self._cut_off is not None:
            # Its exit code tells only how it was made to go.
            return {
                "code": "crashed",
                "message": f"the worker was ended, since what it said had {self._cut_off}; "
                "have the crew hand over large data as files",
            }
        code = self._exit_code
        if code == -_SIGKILL and _out_of_memory_kills() > self._out_of_memory_kills:
            return {
                "code": "out_of_memory",
                "message": "the system ran out of memory and killed the worker",
            }
        how = "for an unknown reason" if code is None else f"with exit code {code}"
        if code is not None and code < 0:
            how = f"by signal {_named(-code)}"
        return {"code": "crashed", "message": f"the worker process ended {how}"}

    async def _await_exit(self, worker: Worker) -> None:
        try:
            async with asyncio.timeout(_EXIT_SECONDS):
                self._exit_code = await worker.exit_code()
        except TimeoutError:
            worker.signal(KILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_EXIT_SECONDS):
                    self._exit_code = await worker.exit_code()

    def _parse(self, lines: Sequence[bytes]) -> list[Draft]:
        """A batch of facts, up to the worker's last word if it is among them."""
        drafts = []
        for line in lines:
            try:
                fact = orjson.loads(line)
                type, data = fact["type"], fact["data"]
                if not isinstance(type, str) or not isinstance(data, dict):
                    raise TypeError("a type is text, and data an object")
                if type in TERMINAL:
                    self.verdict = fact
                    break
                drafts.append(
                    Draft(
                        type,
                        float(fact["ts"]),
                        data,
                        fact.get("task"),
                        fact.get("agent"),
                        fact.get("cause"),
                        method=fact.get("method"),
                        tid=fact.get("tid"),
                        inside=fact.get("in"),
                    )
                )
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                logger.error("run %s: not a fact: %r", self._run, line[:200])
        return drafts


def _named(number: int) -> str:
    """A signal for a person; those of real time (signal(7)) have no name in Python."""
    try:
        return f"{number} ({signal.Signals(number).name})"
    except ValueError:
        return str(number)


def _out_of_memory_kills() -> int:
    """How often this kernel's OOM killer has struck; 0 where nobody counts (not Linux)."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
