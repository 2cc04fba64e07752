"""What handlers find in the application, by typed key."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import web

from sidecar import protocol
from sidecar.deadline import within
from sidecar.settings import Settings
from sidecar.supervisor import Supervisor
from sidecar.web.security import Gatekeeper

__all__ = ["CONNECTIONS", "GATEKEEPER", "SETTINGS", "SUPERVISOR", "Connections"]


class Connections:
    """Who is connected to a stream, up to a bound."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._streams: set[web.StreamResponse] = set()

    def enter(self, stream: web.StreamResponse) -> bool:
        """False when there are too many already."""
        if len(self._streams) >= self._limit:
            return False
        self._streams.add(stream)
        return True

    def leave(self, stream: web.StreamResponse) -> None:
        self._streams.discard(stream)

    async def say_goodbye(self) -> None:
        """Tell every WebSocket to come back later, without waiting for those that don't listen."""
        goodbyes = [
            ws.close(code=protocol.CLOSE_SHUTTING_DOWN, message=b"shutting down", drain=False)
            for ws in self._streams
            if isinstance(ws, web.WebSocketResponse)
        ]
        with contextlib.suppress(asyncio.TimeoutError):
            await within(1.0, asyncio.gather(*goodbyes, return_exceptions=True))


SETTINGS = web.AppKey("settings", Settings)
SUPERVISOR = web.AppKey("supervisor", Supervisor)
GATEKEEPER = web.AppKey("gatekeeper", Gatekeeper)
CONNECTIONS = web.AppKey("connections", Connections)
