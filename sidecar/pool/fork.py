"""Forked workers: a zygote that imported crewai once and forks a worker on request; Linux."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import orjson

from sidecar.pool.pool import READY_SECONDS, Pool, Process, WorkerLost, command, lacking
from sidecar.settings import Settings
from sidecar.tasks import Tasks

__all__ = ["ForkPool"]

logger = logging.getLogger("sidecar.pool")

_STOP_SECONDS: Final = 2.0
"""For a zygote to kill its children and leave once its control socket has ended."""

_HEARD: Final = 256
"""Process numbers in one message, which a zygote reads up to 4,096 bytes of."""


class ForkPool(Pool):
    """Workers forked from a warm zygote of its own, begun anew when it dies, or a shared one."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._log = settings.data.resolve() / "zygote.log"
        self._shared = settings.zygote
        self._zygote: _Zygote | None = None
        self._starting = asyncio.Lock()
        """Workers made at the same time share one zygote."""
        self._tries = 0
        """Zygotes that came up, or did not."""
        self._tag = 0

    @property
    def log_hint(self) -> str:
        return str(self._log)

    async def stop(self) -> None:
        await super().stop()
        if self._zygote is not None:
            await self._zygote.stop()

    async def _launch(self, theirs: socket.socket) -> Process:
        tries = self._tries
        async with self._starting:
            zygote = self._zygote
            if zygote is not None and zygote.failure is not None and self._tries > tries:
                # Who waited while another one tried has its answer: one launch, one failure.
                raise type(zygote.failure)(str(zygote.failure))
            if zygote is None or zygote.lost:
                zygote = await self._begin(zygote)
        self._tag += 1
        return await zygote.fork(f"w{self._tag}", theirs)

    async def _begin(self, last: _Zygote | None) -> _Zygote:
        if last is not None:
            await last.stop()
        self._zygote = _Zygote(self._log)
        try:
            await self._zygote.open(self._shared)
        finally:
            self._tries += 1
        return self._zygote


class _Zygote:
    """The zygote's control socket: messages of one JSON object each, fds beside them."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._forks: dict[str, asyncio.Future[Process]] = {}
        self._children: dict[int, asyncio.Future[int | None]] = {}
        self._heard: list[int] = []
        """Children whose end was told, while the zygote keeps their numbers from others."""
        self._listener = Tasks()
        self._ready = False
        self._sock: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self.lost = False
        self.failure: WorkerLost | None = None
        """Why it did not come up."""

    async def open(self, shared: Path | None) -> None:
        """Start one, or go to the one that listens at `shared`.

        Raises WorkerLost when it does not come up, with what it said; it is `lost` then, whatever
        is raised.
        """
        started = time.monotonic()
        try:
            if shared is None:
                await self._launch()
            else:
                self._connect(shared)
            await self._come_up()
        except OSError as error:
            self.failure = WorkerLost(f"the zygote can't be started: {error.strerror or error}")
            await self.stop()
            raise self.failure from None
        except WorkerLost as error:
            self.failure = error
            await self.stop()
            raise
        except BaseException:
            await self.stop()
            raise
        logger.info("zygote ready after %.2f s", time.monotonic() - started)
        self._ready = True
        self._listener.spawn(self._listen())

    def _connect(self, shared: Path) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._sock.connect(str(shared))
            self._sock.setblocking(False)
        except OSError as error:
            raise WorkerLost(f"no zygote listens at {shared}: {error.strerror}") from None

    async def _come_up(self) -> None:
        try:
            async with asyncio.timeout(READY_SECONDS):
                first = await self._receive()
        except TimeoutError:
            first = {"error": f"not ready within {READY_SECONDS:g} s"}
        if first is not None and "broken" in first:
            raise lacking(first["broken"], first, str(self._log))
        if first is None or "ready" not in first:
            why = (first or {}).get("error") or f"it exited; see {self._log}"
            raise WorkerLost(f"the zygote did not start: {why}")

    async def _launch(self) -> None:
        self._sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock.setblocking(False)
        fd = theirs.fileno()
        try:
            with self._log.open("wb") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *command("zygote", "--control", str(fd)),
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    pass_fds=(fd,), start_new_session=True,
                )  # fmt: skip
        finally:
            theirs.close()

    async def stop(self) -> None:
        self.lost = True
        # The zygote takes the end of its control socket as its own end, and its children's.
        if self._sock is not None:
            self._sock.close()
        await self._listener.close()
        if self._process is not None:
            # One that still imports crewai listens to nobody and has no children to see to.
            patience = _STOP_SECONDS if self._ready else 0.0
            try:
                async with asyncio.timeout(patience):
                    await self._process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()
                await self._process.wait()
        self._give_up()

    async def fork(self, tag: str, theirs: socket.socket) -> Process:
        forked: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self._forks[tag] = forked
        try:
            if self._sock is None:
                raise WorkerLost(f"the zygote is gone; see {self._log}")
            socket.send_fds(self._sock, [orjson.dumps({"fork": tag})], [theirs.fileno()])
            async with asyncio.timeout(READY_SECONDS):
                return await forked
        except TimeoutError:
            raise WorkerLost("the zygote does not answer") from None
        except OSError as error:
            raise WorkerLost(f"the zygote can't be asked: {error.strerror}") from None
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
            # From here on nobody signals it.
            self._heard.append(message["exited"])
            self._say_heard()
        elif "error" in message:
            logger.error("zygote: %s", message["error"])
            # Without a tag the request could not be read, and it may have been any of them.
            failed = [message["fork"]] if "fork" in message else list(self._forks)
            for tag in failed:
                forked = self._forks.get(tag)
                if forked is not None and not forked.done():
                    forked.set_exception(WorkerLost(str(message["error"])))

    def _say_heard(self) -> None:
        # Never waits, since a zygote with much to tell reads nothing until it has been heard. What
        # it doesn't take now is said after the next end.
        if self._sock is not None:
            with contextlib.suppress(OSError):
                self._sock.send(orjson.dumps({"heard": self._heard[:_HEARD]}))
                del self._heard[:_HEARD]

    async def _receive(self) -> dict[str, Any] | None:
        if self._sock is None:
            return None
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
