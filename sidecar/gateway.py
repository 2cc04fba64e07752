"""The gateway as one object: open everything in order, close it in reverse.

A failed opening closes what it had opened.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import logging
import socket
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final

from aiohttp import web

from sidecar.datafolder import DataFolder
from sidecar.errors import SettingsError
from sidecar.log import make_store
from sidecar.pool import make_pool, make_synthetic_pool
from sidecar.runs import Supervisor
from sidecar.settings import Settings
from sidecar.web import CONNECTIONS, make_app, make_runner

__all__ = ["Gateway", "streams_within"]

logger = logging.getLogger("sidecar.gateway")

_BACKLOG = 1024

_SPARE_DESCRIPTORS: Final = 128
"""Streams leave so many free for commands, each of which may be a connection of its own, for the
log and for what is started; and beside them `_PER_WORKER` for each worker."""

_PER_WORKER: Final = 4
"""A worker's channel and its process, both ends of the one and its log while it is started."""

_DARWIN_DESCRIPTORS: Final = 10240
"""OPEN_MAX: macOS says that the hard limit is endless, and grants no more than this."""


class Gateway:
    """`async with Gateway(settings) as gateway:` serves at `gateway.url` until the block ends."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._folder = DataFolder(settings.data)
        self._supervisor = Supervisor(
            settings,
            make_store(settings),
            make_pool(settings),
            self._folder,
            make_synthetic_pool(settings),
        )
        self._open = AsyncExitStack()
        """How to close what is open, the last first."""
        self.url = ""

    async def open(self) -> None:
        """Raises SettingsError or StoreError; each says what to change."""
        async with AsyncExitStack() as opened:
            self._folder.open()
            opened.callback(self._folder.close)
            sock = self._listen()
            opened.callback(sock.close)
            host, port = sock.getsockname()[:2]
            self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            await self._supervisor.open()
            opened.push_async_callback(self._supervisor.close)
            settings = replace(self._settings, max_connections=_streams(self._settings))
            runner = make_runner(make_app(settings, self._supervisor, port))
            await runner.setup()
            opened.push_async_callback(runner.cleanup)
            # Readers are let go when their runs have ended, so that each sees the end; before
            # that nobody is let in any more: who comes back at once would find it closing.
            opened.push_async_callback(runner.app[CONNECTIONS].close)
            opened.push_async_callback(self._supervisor.end_runs)
            site = web.SockSite(runner, sock, backlog=_BACKLOG)
            await site.start()
            opened.push_async_callback(site.stop)
            self._open = opened.pop_all()

    async def serve(self, stop: asyncio.Event) -> None:
        """Return once `stop` is set. Raises SettingsError when there can be no workers."""
        stopped = asyncio.create_task(stop.wait())
        broken = asyncio.create_task(self._supervisor.broken())
        try:
            await asyncio.wait({stopped, broken}, return_when=asyncio.FIRST_COMPLETED)
            if broken.done():
                raise SettingsError(f"no worker can be started: {broken.result()}")
        finally:
            stopped.cancel()
            broken.cancel()
            await asyncio.gather(stopped, broken, return_exceptions=True)

    async def close(self) -> None:
        """No more is let in, live runs get their final event, readers take what is theirs; then
        workers, log and folder."""
        await self._open.aclose()

    async def __aenter__(self) -> Gateway:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _listen(self) -> socket.socket:
        """Raises SettingsError where the address can't be listened on, or is not loopback after
        all: what `localhost` means is the resolver's to say, and anyone may have told it."""
        host, port = self._settings.host, self._settings.port
        sock: socket.socket | None = None
        try:
            info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            sock = socket.socket(info[0], info[1], info[2])
            if sys.platform != "win32":
                # There it would let another program listen on the same port, and be asked instead.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(info[4])
            # At once: two that only bind the port both may, and the second fails at its last step.
            sock.listen(_BACKLOG)
            address = sock.getsockname()[0]
            if ipaddress.ip_address(address).is_loopback:
                return sock
            wrong = f"{host} is {address} here, which is no loopback address; use --host 127.0.0.1"
        except OSError as error:
            wrong = f"cannot listen on {host}:{port}: {error.strerror}; change --host or --port"
            if error.errno == errno.EADDRINUSE:
                wrong = (
                    f"port {port} on {host} is taken, perhaps by another sidecar; stop that, "
                    "or choose another with --port or SIDECAR_PORT"
                )
        if sock is not None:
            sock.close()
        raise SettingsError(wrong)


def _streams(settings: Settings) -> int:
    """As many as are asked for, or fit below this process's limit of descriptors; raises that."""
    limit = _raise_descriptors()
    workers = settings.max_runs + settings.warm
    most = settings.max_connections if limit is None else streams_within(limit, workers)
    if most < settings.max_connections:
        logger.warning(
            "%d streams at most, not %d: this process may have %d files open; "
            "raise the hard limit (ulimit -Hn), or lower SIDECAR_MAX_CONNECTIONS",
            most, settings.max_connections, limit,
        )  # fmt: skip
    return min(most, settings.max_connections)


def streams_within(limit: int, workers: int) -> int:
    """How many streams leave enough of `limit` descriptors to everything else; half at least."""
    return limit - min(limit // 2, _SPARE_DESCRIPTORS + _PER_WORKER * workers)


def _raise_descriptors() -> int | None:
    """Have as many descriptors as the system grants; how many, None where there is no limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (hard, _DARWIN_DESCRIPTORS):
        if soft not in (wanted, resource.RLIM_INFINITY):
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
                break
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
