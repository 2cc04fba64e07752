"""Workers: one child process per run, and the pool that has one warm before it is needed.

Both kinds speak the vocabulary of `sidecar.channel` over a socketpair and run one run each:

- fork: a zygote process imports crewai once and forks a worker on request (20-70 ms); Linux.
- spawn: each worker is a fresh process that imported crewai ahead of need (4-5 s, hidden while it
  is warm); anywhere, since fork is unsafe or missing on macOS and Windows.

The gateway itself never imports crewai; it knows `crew` only as a command line.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Final, cast

import orjson

from sidecar.channel import MAX_LINE, WORKER_READY, LineSplitter, LineTooLong, Order, encode_line
from sidecar.settings import Settings

__all__ = ["Pool", "Worker", "WorkerLost", "make_pool"]

logger = logging.getLogger("sidecar.workers")

_BACKLOG_BYTES: Final = 1 << 20
"""Facts received but not yet taken; above it the socket is not read, which blocks the worker."""

_READY_SECONDS: Final = 120.0
"""A worker or zygote that is not ready by then is broken; a cold import takes 5-20 s."""

_RETRY_SECONDS: Final = (0.2, 1.0, 5.0, 15.0)
"""Waits between attempts to get a warm worker when launching fails."""

_CHANNEL_BUFFER: Final = 1 << 20


_Process = tuple[int, "asyncio.Future[int | None]"]
"""A process's pid and its future exit code."""


class WorkerLost(Exception):
    """No worker could be made, or it died before it was ready."""


class _Channel(asyncio.Protocol):
    """The gateway's end of a worker's socket: bytes to whole lines, with a bound."""

    def __init__(self) -> None:
        self._splitter = LineSplitter(MAX_LINE)
        self._lines: list[bytes] = []
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self.closed = False
        self.broken: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an isinstance check: uvloop's transports do not derive from asyncio's.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._lines.extend(self._splitter.feed(data))
        except LineTooLong as error:
            self.broken = str(error)
            self.close()
            return
        self._bytes += len(data)
        if self._bytes > _BACKLOG_BYTES and self._transport is not None:
            self._transport.pause_reading()
        self._arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self._arrived.set()

    async def lines(self) -> list[bytes]:
        """All lines that came since the last call; empty once the peer has closed."""
        while not self._lines and not self.closed:
            self._arrived.clear()
            await self._arrived.wait()
        lines, self._lines = self._lines, []
        if self._bytes > _BACKLOG_BYTES and self._transport is not None and not self.closed:
            self._transport.resume_reading()
        self._bytes = 0
        return lines

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self.closed:
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Worker:
    """A handle on one child process and its channel."""

    def __init__(self, pid: int, channel: _Channel, exited: asyncio.Future[int | None]) -> None:
        self.pid = pid
        self._channel = channel
        self._exited = exited

    def order(self, order: Order) -> None:
        """Never waits: orders are few and small, and a worker that reads none is killed."""
        self._channel.write(encode_line(order))

    async def facts(self) -> list[bytes]:
        """The next batch of lines; empty when the worker has closed its channel."""
        return await self._channel.lines()

    @property
    def alive(self) -> bool:
        return not self._exited.done()

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
        self._channel.close()


class Pool(ABC):
    """Keeps up to `warm` workers ready and hands out one per run.

    One task refills it; `take` waits for the next worker that becomes ready.
    """

    def __init__(self, settings: Settings) -> None:
        self._warm_target = settings.warm
        self._idle: list[Worker] = []
        self._waiting = 0
        self._changed = asyncio.Condition()
        self._refiller: asyncio.Task[None] | None = None
        self.trouble: str | None = None
        """Why there is no warm worker right now, in words for a person."""

    @property
    def ready(self) -> bool:
        return any(worker.alive for worker in self._idle)

    def start(self) -> None:
        self._refiller = asyncio.create_task(self._refill())

    async def stop(self) -> None:
        if self._refiller is not None:
            self._refiller.cancel()
            await asyncio.gather(self._refiller, return_exceptions=True)
        for worker in self._idle:
            worker.signal(_KILL)
            worker.close()
        self._idle.clear()

    async def take(self) -> Worker:
        """A worker that said it is ready. Waits for one; cancel to give up."""
        async with self._changed:
            self._waiting += 1
            self._changed.notify_all()
            try:
                while True:
                    await self._changed.wait_for(lambda: bool(self._idle))
                    worker = self._idle.pop(0)
                    self._changed.notify_all()
                    if worker.alive:
                        return worker
                    worker.close()
            finally:
                self._waiting -= 1

    async def _refill(self) -> None:
        failures = 0
        while True:
            async with self._changed:
                await self._changed.wait_for(self._wanting)
            try:
                worker = await self._make()
            except (WorkerLost, OSError) as error:
                self.trouble = str(error)
                logger.error("no worker: %s", error)
                await asyncio.sleep(_RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)])
                failures += 1
                continue
            failures = 0
            self.trouble = None
            async with self._changed:
                self._idle.append(worker)
                self._changed.notify_all()

    def _wanting(self) -> bool:
        return len(self._idle) < max(self._warm_target, self._waiting)

    async def _make(self) -> Worker:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        for end in (ours, theirs):
            # As much as a worker may be ahead of the gateway; the kernel caps it.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _CHANNEL_BUFFER)
        channel = _Channel()
        try:
            await _connect(channel, ours)
            pid, exited = await self._launch(theirs)
        except BaseException:
            channel.close()
            raise
        finally:
            theirs.close()
        worker = Worker(pid, channel, exited)
        try:
            await asyncio.wait_for(self._until_ready(worker), _READY_SECONDS)
        except BaseException as error:
            worker.signal(_KILL)
            worker.close()
            if isinstance(error, asyncio.TimeoutError):
                raise WorkerLost(f"worker not ready within {_READY_SECONDS:g} s") from None
            raise
        return worker

    async def _until_ready(self, worker: Worker) -> None:
        lines = await worker.facts()
        if not lines:
            raise WorkerLost(
                f"worker exited before it was ready (exit code {await worker.exit_code()})"
                f"; see {self.log_hint}"
            )
        said = orjson.loads(lines[0])
        if said.get("type") != WORKER_READY:
            raise WorkerLost(f"worker said {said.get('type')!r} instead of {WORKER_READY!r}")

    @property
    @abstractmethod
    def log_hint(self) -> str:
        """Where the worker's own complaints are."""

    @abstractmethod
    async def _launch(self, theirs: socket.socket) -> _Process:
        """Start a process with its end of the channel; its pid and its future exit code."""


if sys.platform == "win32":
    _KILL: Final = signal.SIGTERM
else:
    _KILL: Final = signal.SIGKILL


async def _connect(channel: _Channel, sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    if sock.family == getattr(socket, "AF_UNIX", None):
        await loop.create_unix_connection(lambda: channel, sock=sock)
    else:
        await loop.create_connection(lambda: channel, sock=sock)


class SpawnPool(Pool):
    """Warm spawned processes: `python -m crew.worker`, one per run, replaced at once."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._log = settings.data.resolve() / "workers.log"
        self._watchers: set[asyncio.Task[None]] = set()

    @property
    def log_hint(self) -> str:
        return str(self._log)

    async def stop(self) -> None:
        await super().stop()
        await asyncio.gather(*self._watchers, return_exceptions=True)

    async def _launch(self, theirs: socket.socket) -> _Process:
        command = [sys.executable, "-m", "crew.worker"]
        with self._log.open("ab") as log:
            if sys.platform == "win32":
                process = await asyncio.create_subprocess_exec(
                    *command,
                    "--channel-share",
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    env=_environment(),
                )
                assert process.stdin is not None
                process.stdin.write(base64.b64encode(theirs.share(process.pid)) + b"\n")
                await process.stdin.drain()
            else:
                fd = theirs.fileno()
                process = await asyncio.create_subprocess_exec(
                    *command, "--channel", str(fd),
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(),
                    pass_fds=(fd,), start_new_session=True,
                )  # fmt: skip
        exited: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

        async def watch() -> None:
            code = await process.wait()
            _sweep(process.pid)
            if not exited.done():
                exited.set_result(code)

        watcher = asyncio.create_task(watch())
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        return process.pid, exited


class ForkPool(Pool):
    """Workers forked from a warm zygote: `python -m crew.zygote`, restarted when it dies."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._log = settings.data.resolve() / "zygote.log"
        self._zygote: _Zygote | None = None
        self._tag = 0

    @property
    def log_hint(self) -> str:
        return str(self._log)

    async def stop(self) -> None:
        await super().stop()
        if self._zygote is not None:
            await self._zygote.stop()

    async def _launch(self, theirs: socket.socket) -> _Process:
        if self._zygote is None or self._zygote.lost:
            if self._zygote is not None:
                await self._zygote.stop()
            self._zygote = _Zygote(self._log)
            await self._zygote.start()
        self._tag += 1
        return await self._zygote.fork(f"w{self._tag}", theirs)


class _Zygote:
    """The zygote's control socket: messages of one JSON object each, fds beside them."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._forks: dict[str, asyncio.Future[_Process]] = {}
        self._children: dict[int, asyncio.Future[int | None]] = {}
        self._listener: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.lost = False

    async def start(self) -> None:
        """Raises WorkerLost when the zygote does not come up, with what it said."""
        self._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock.setblocking(False)
        started = time.monotonic()
        fd = theirs.fileno()
        try:
            with self._log.open("wb") as log:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "crew.zygote", "--control", str(fd),
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=_environment(),
                    pass_fds=(fd,), start_new_session=True,
                )  # fmt: skip
        finally:
            theirs.close()
        try:
            first = await asyncio.wait_for(self._receive(), _READY_SECONDS)
        except asyncio.TimeoutError:
            first = {"error": f"not ready within {_READY_SECONDS:g} s"}
        if first is None or "ready" not in first:
            why = (first or {}).get("error") or f"it exited; see {self._log}"
            await self.stop()
            raise WorkerLost(f"the zygote did not start: {why}")
        logger.info("zygote ready after %.2f s", time.monotonic() - started)
        self._listener = asyncio.create_task(self._listen())

    async def stop(self) -> None:
        self.lost = True
        # The zygote takes the end of its control socket as its own end, and its children's.
        self._sock.close()
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), 2.0)
            except asyncio.TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
        self._give_up()

    async def fork(self, tag: str, theirs: socket.socket) -> _Process:
        forked: asyncio.Future[_Process] = asyncio.get_running_loop().create_future()
        self._forks[tag] = forked
        try:
            socket.send_fds(self._sock, [orjson.dumps({"fork": tag})], [theirs.fileno()])
            return await asyncio.wait_for(forked, _READY_SECONDS)
        except asyncio.TimeoutError:
            raise WorkerLost("the zygote does not answer") from None
        finally:
            del self._forks[tag]

    async def _listen(self) -> None:
        try:
            while (message := await self._receive()) is not None:
                self._on(message)
        finally:
            self._give_up()

    def _on(self, message: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        if "forked" in message:
            # The child's future exists before its exit can be told, since both come in order.
            pid = message["pid"]
            self._children[pid] = loop.create_future()
            forked = self._forks.get(message["forked"])
            if forked is not None and not forked.done():
                forked.set_result((pid, self._children[pid]))
        elif "exited" in message:
            exited = self._children.pop(message["exited"], None)
            if exited is not None and not exited.done():
                exited.set_result(os.waitstatus_to_exitcode(message["status"]))
        elif "error" in message:
            logger.error("zygote: %s", message["error"])
            for forked in self._forks.values():
                if not forked.done():
                    forked.set_exception(WorkerLost(str(message["error"])))

    async def _receive(self) -> dict[str, Any] | None:
        try:
            data = await asyncio.get_running_loop().sock_recv(self._sock, 65536)
        except OSError:
            return None
        return orjson.loads(data) if data else None

    def _give_up(self) -> None:
        self.lost = True
        for forked in self._forks.values():
            if not forked.done():
                forked.set_exception(WorkerLost(f"the zygote is gone; see {self._log}"))
        for exited in self._children.values():
            if not exited.done():
                exited.set_result(None)
        self._children.clear()


def _sweep(pid: int) -> None:
    """Kill what a dead worker left in its process group: children of its tools."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _environment() -> dict[str, str]:
    """The gateway's environment, with `crew` importable from wherever the gateway was started."""
    home = str(Path(__file__).resolve().parent.parent)
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{home}" if path else home}


def make_pool(settings: Settings) -> Pool:
    return ForkPool(settings) if settings.workers == "fork" else SpawnPool(settings)
