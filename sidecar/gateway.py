"""The gateway as one object: open everything in order, close it in reverse."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import sys

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
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def open(self) -> None:
        """Raises SettingsError or StoreError; each says what to change."""
        self._folder.open()
        sock = self._bind()
        host, port = sock.getsockname()[:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        await self._supervisor.open()
        self._runner = make_runner(make_app(self._settings, self._supervisor, port))
        await self._runner.setup()
        await web.SockSite(self._runner, sock, backlog=_BACKLOG).start()

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
        """Live runs get their final event first, so that every reader sees the end."""
        await self._supervisor.end_runs()
        if self._runner is not None:
            await self._runner.app[CONNECTIONS].close()
            await self._runner.cleanup()
        await self._supervisor.close()
        self._folder.close()

    async def __aenter__(self) -> Gateway:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _bind(self) -> socket.socket:
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
