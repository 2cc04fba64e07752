"""GET /echo: each message comes back. Only there with SIDECAR_ECHO=1, for `make autobahn`.

A test of `/ws` from the outside needs a server that says what it is told; this one is the session
of `/ws` in all but what it answers.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sidecar.protocol import ws_frame
from sidecar.runs import Supervisor
from sidecar.web.connections import Connections
from sidecar.web.frames import FrameReader, Message
from sidecar.web.keys import CONNECTIONS, SUPERVISOR
from sidecar.web.ws import Session, upgrade

__all__ = ["echo"]

_LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a message: of the largest that Autobahn sends (its cases 9.1.6 and 9.2.6)."""


async def echo(request: web.Request) -> web.StreamResponse:
    return await upgrade(request, _Echo(request.app[SUPERVISOR], request.app[CONNECTIONS]))


class _Echo(Session):
    __slots__ = ()

    def __init__(self, supervisor: Supervisor, connections: Connections) -> None:
        super().__init__(supervisor, connections, None)
        self._frames = FrameReader(_LARGEST)

    async def _answer(self, message: Message) -> None:
        self._say(ws_frame(message.opcode, message.payload))

    def ping(self) -> None:
        """No `stream.ping`: here nothing is said that was not sent."""
