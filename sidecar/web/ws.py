"""GET /ws: events out, commands in, many runs on one socket."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections import deque
from typing import Any, Final

from aiohttp import web

from sidecar import protocol
from sidecar.errors import CommandError, StoreError
from sidecar.log import Subscription, TooSlow, drained
from sidecar.protocol import (
    Command,
    Piece,
    Reply,
    Subscribe,
    Unsubscribe,
    ws_close,
    ws_frame,
    ws_text,
)
from sidecar.runs import Supervisor
from sidecar.web.connections import Connection, Connections
from sidecar.web.frames import CLOSE, PING, PONG, TEXT, BadFrame, FrameReader, Message
from sidecar.web.keys import CONNECTIONS, SUPERVISOR
from sidecar.web.refusals import opaque, unreadable
from sidecar.web.socket import take_over

__all__ = ["Session", "upgrade", "websocket"]

logger = logging.getLogger("sidecar.web")

_MAX_FRAME: Final = 2 * 1024 * 1024
"""Closed with 1009 above it; from MAX_COMMAND up to here the answer is `too_large`."""

_MAX_SUBSCRIPTIONS: Final = 256

_MAX_UNANSWERED: Final = 64
"""Commands that wait for their ack; with more the socket is not read on."""

_SILENCE_SECONDS: Final = 20.0
"""A peer that answers no ping for so long is let go (RFC 6455 section 5.5.2 makes it answer)."""

_ANSWER_SECONDS: Final = 2.0
"""How long a peer has for the close frame with which it answers ours."""

_SLOW_SECONDS: Final = 8.0
"""The same, for one that takes little or nothing: behind all that is on its way."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 1.3."""

_PING: Final = ws_frame(PING, b"")


async def websocket(request: web.Request) -> web.StreamResponse:
    """`?run=` subscribes at once, `&after=` from that cursor."""
    run = request.query.get("run")
    session = Session(
        request.app[SUPERVISOR],
        request.app[CONNECTIONS],
        None if run is None else (run, request.query.get("after")),
    )
    return await upgrade(request, session)


async def upgrade(request: web.Request, session: Session) -> web.StreamResponse:
    """Shake hands and give the socket to `session`. Raises CommandError: it is no upgrade."""
    ready = web.WebSocketResponse(protocols=(protocol.SUBPROTOCOL,)).can_prepare(request)
    if not ready.ok:
        raise CommandError(
            "bad_request", f"{request.path} speaks WebSocket: the request is no upgrade"
        )
    key = request.headers["Sec-WebSocket-Key"].encode()
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        # Section 4.2.2; SHA-1 is not there for secrecy.
        "Sec-WebSocket-Accept": base64.b64encode(
            hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
        ).decode(),
    }
    if ready.protocol:
        headers["Sec-WebSocket-Protocol"] = ready.protocol
    return await take_over(request, session, status=101, headers=headers)


class Session(Connection):
    """One socket: a task per subscription, and one for commands while there are any."""

    __slots__ = (
        "_dismissed",
        "_first",
        "_frames",
        "_heard",
        "_inbox",
        "_servant",
        "_subscriptions",
        "_supervisor",
    )

    def __init__(
        self,
        supervisor: Supervisor,
        connections: Connections,
        first: tuple[str, str | None] | None,
    ) -> None:
        """`first`: run and cursor of a subscription that comes before any command."""
        super().__init__(connections)
        self._supervisor = supervisor
        self._first = first
        self._subscriptions: dict[str, tuple[Subscription, asyncio.Task[None]]] = {}
        self._frames: FrameReader | None = FrameReader(_MAX_FRAME)
        """None once the peer has broken the rules: what else it sends is dropped."""
        self._inbox: deque[Message] | None = None
        """Commands to be answered. None when there are none: an empty deque takes 600 bytes."""
        self._servant: asyncio.Task[None] | None = None
        """Answers them, one by one."""
        self._heard = asyncio.get_running_loop().time()
        self._dismissed = False
        """The close frame is written, and nothing may follow it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._connections.full:
            self._close(protocol.CLOSE_TOO_MANY, "too many connections")
            return
        self._connections.enter(self)
        self._say(_PING)
        if self._first is not None:
            self._servant = self._connections.tasks.spawn(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for _, task in self._subscriptions.values():
            task.cancel()
        if self._servant is not None:
            self._servant.cancel()

    # What comes in.

    def data_received(self, data: bytes) -> None:
        self._heard = asyncio.get_running_loop().time()
        if self._frames is None:
            return
        try:
            messages = self._frames.feed(data)
        except BadFrame as error:
            self._frames = None
            self._close(error.code, error.reason)
            return
        for message in messages:
            if message.opcode == CLOSE:
                # In answer to ours, or to be answered; the server hangs up first (section 7.1.1).
                self._say(ws_frame(CLOSE, message.payload[:2]))
                self._dismissed = True
                self.close()
                return
            if message.opcode == PING:
                self._say(ws_frame(PONG, message.payload))
            elif message.opcode != PONG and not self._dismissed:
                self._receive(message)

    def _receive(self, message: Message) -> None:
        if self._inbox is None:
            self._inbox = deque()
        self._inbox.append(message)
        if len(self._inbox) > _MAX_UNANSWERED:
            self._socket.pause_reading()
        if self._servant is None:
            self._servant = self._connections.tasks.spawn(self._serve())

    async def _serve(self) -> None:
        """Until there is nothing left to answer."""
        try:
            if self._first is not None:
                (run, after), self._first = self._first, None
                await self._subscribe_at_once(run, after)
            while self._inbox:
                await self._answer(self._inbox.popleft())
                if len(self._inbox) == _MAX_UNANSWERED // 2 and not self.closing:
                    self._socket.resume_reading()
                if not self.writable:
                    # Acks are as much as events: who takes none gets no more of them.
                    await drained(self)
        except TooSlow:
            self.too_slow()
        except ConnectionError:
            self.abort()
        finally:
            self._inbox = self._servant = None

    async def _answer(self, message: Message) -> None:
        try:
            if message.opcode != TEXT:
                raise CommandError("bad_request", "commands are text frames, not binary")
            reply = await self._handle(protocol.parse_command(message.payload))
        except CommandError as error:
            reply = protocol.ack_error(error)
        except Exception:
            reply = protocol.ack_error(opaque(logger))
        self._reply(reply)

    async def _handle(self, command: Command) -> Reply:
        try:
            if isinstance(command, Subscribe):
                return await self._subscribe(command)
            if isinstance(command, Unsubscribe):
                return await self._unsubscribe(command)
            return await self._supervisor.handle(command)
        except CommandError as error:
            error.id = command.id
            raise

    async def _subscribe_at_once(self, run: str, after: str | None) -> None:
        try:
            await self._follow(run, after)
        except CommandError as error:
            self._reply(protocol.ack_error(error))

    async def _subscribe(self, command: Subscribe) -> Reply:
        noop = command.run in self._subscriptions
        if not noop:
            # The pump starts on a later tick, so the ack leaves before the hello.
            await self._follow(command.run, command.after)
        return protocol.ack_ok(command.id, run=command.run, noop=noop)

    async def _unsubscribe(self, command: Unsubscribe) -> Reply:
        following = self._subscriptions.pop(command.run, None)
        if following is not None:
            _, task = following
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return protocol.ack_ok(command.id, run=command.run, noop=following is None)

    async def _follow(self, run: str, after: str | None) -> None:
        if len(self._subscriptions) >= _MAX_SUBSCRIPTIONS:
            raise CommandError(
                "at_capacity", f"at most {_MAX_SUBSCRIPTIONS} subscriptions on one socket"
            )
        try:
            feed = await self._supervisor.feed(run)
        except StoreError as error:
            raise unreadable(logger, error) from error
        subscription = Subscription(feed, self, after)
        task = self._connections.tasks.spawn(self._pump(run, subscription))
        self._subscriptions[run] = subscription, task

    async def _pump(self, run: str, subscription: Subscription) -> None:
        try:
            await self.pump(subscription)
        finally:
            if self._subscriptions.get(run, (None,))[0] is subscription:
                del self._subscriptions[run]

    # What goes out.

    def write(self, piece: Piece) -> None:
        self._say(piece.ws)

    def write_control(self, message: dict[str, Any]) -> None:
        self._say(ws_text(protocol.encode(message)))

    def _reply(self, reply: Reply) -> None:
        self.write_control(dict[str, Any](reply))

    def _say(self, data: bytes) -> None:
        if not self._dismissed:
            self.send(data)

    def ping(self) -> None:
        for subscription, _ in self._subscriptions.values():
            subscription.ping()
        if not self._subscriptions:
            self.write_control(protocol.control("stream.ping", seq=0))

    def heartbeat(self, takes: bool) -> None:
        now = asyncio.get_running_loop().time()
        if takes:
            self._heard = now  # our pings are behind what it takes
        if now - self._heard < _SILENCE_SECONDS:
            self._say(_PING)
        else:
            self._close(protocol.CLOSE_SILENT, "no answer to pings", _SLOW_SECONDS)

    def goodbye(self) -> None:
        self._close(protocol.CLOSE_SHUTTING_DOWN, "shutting down")

    def too_slow(self) -> None:
        reason = "too slow; come back with your cursor"
        self._close(protocol.CLOSE_TOO_SLOW, reason, _SLOW_SECONDS)

    def cut_short(self, why: str) -> None:
        self._close(protocol.CLOSE_CUT_SHORT, why)

    def _close(self, code: int, reason: str, patience: float = _ANSWER_SECONDS) -> None:
        """Say why, behind what is on its way; hang up on the answer, or after `patience`."""
        if not self._dismissed:
            self._say(ws_close(code, reason))
            self._dismissed = True
            asyncio.get_running_loop().call_later(patience, self._hang_up)

    def _hang_up(self) -> None:
        if self.writable:
            self.close()
        else:
            self.abort()
