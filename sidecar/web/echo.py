"""GET /echo: each message comes back. Only there with SIDECAR_ECHO=1, for `make autobahn`.

A test of `/ws` from the outside needs a server that says what it is told; this one is the peer
that `/ws` has, in all but what it answers.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from sidecar.protocol import ws_frame
from sidecar.web.connections import Connections
from sidecar.web.frames import FrameReader, Message
from sidecar.web.keys import CONNECTIONS
from sidecar.web.peer import Peer, upgrade

__all__ = ["echo"]

_LARGEST: Final = 16 * 1024 * 1024
"""Bytes of a message: of the largest that Autobahn sends (its cases 9.1.6 and 9.2.6)."""


async def echo(request: web.Request) -> web.StreamResponse:
    return await upgrade(request, _Echo(request.app[CONNECTIONS]))


class _Echo(Peer):
    __slots__ = ()

    def __init__(self, connections: Connections) -> None:
        super().__init__(connections)
        self._frames = FrameReader(_LARGEST)

    async def _answer(self, message: Message) -> None:
        self._say(ws_frame(message.opcode, message.payload))

    def ping(self) -> None:
        """No `stream.ping`: here nothing is said that was not sent."""
