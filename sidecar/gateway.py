"""The gateway as one object: open everything in order, close it in reverse.

A failed opening closes what it had opened.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from contextlib import AsyncExitStack

from aiohttp import web

from sidecar.datafolder import DataFolder
from sidecar.errors import SettingsError
from sidecar.log import make_store
from sidecar.pool import make_pool, make_synthetic_pool
from sidecar.runs import Supervisor
from sidecar.settings import Settings
from sidecar.web import CONNECTIONS, make_app, make_runner

__all__ = ["Gateway"]

_BACKLOG = 1024


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
            runner = make_runner(make_app(self._settings, self._supervisor, port))
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
        # At once: two that only bind the port both may, and the second fails at its last step.
        host, port = self._settings.host, self._settings.port
        info = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(info[0], info[1], info[2])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(info[4])
            sock.listen(_BACKLOG)
        except OSError as error:
            sock.close()
            if error.errno == errno.EADDRINUSE:
                raise SettingsError(
                    f"port {port} on {host} is taken, perhaps by another sidecar; stop that, "
                    "or choose another with --port or SIDECAR_PORT"
                ) from None
            raise SettingsError(
                f"cannot listen on {host}:{port}: {error.strerror}; change --host or --port"
            ) from None
        return sock
