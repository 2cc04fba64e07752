"""One peer on a WebSocket: its handshake, its messages one by one, its pings and its end.

RFC 6455, from the server's side, behind the frames; what the messages mean is the subclass's.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from abc import abstractmethod
from typing import Any, Final

from aiohttp import web

from sidecar import protocol
from sidecar.errors import CommandError
from sidecar.protocol import Piece, ws_close, ws_frame, ws_text
from sidecar.web.connections import Connection, Connections
from sidecar.web.frames import CLOSE, PING, PONG, BadFrame, FrameReader, Message
from sidecar.web.inbox import Inbox
from sidecar.web.socket import take_over

__all__ = ["Peer", "upgrade"]

_MAX_FRAME: Final = 2 * 1024 * 1024
"""Closed with 1009 above it; from MAX_COMMAND up to here the answer is `too_large`, and of such a
message only the length is kept."""

_TURN_FRAMES: Final = 16
_TURN_BYTES: Final = 16_384
"""Most that is parsed of what a peer sent before others have their turn: 50 µs, of which an event
on its way to others waits for four. A read of 256 KB of the smallest frames takes 80 ms."""

_WHOLE_SECONDS: Final = 10.0
"""Within which a message that has begun is whole, as a body over HTTP."""

_SILENCE_SECONDS: Final = 20.0
"""A peer that answers no ping for so long is let go (RFC 6455 section 5.5.2 makes it answer)."""

_ANSWER_SECONDS: Final = 2.0
"""How long a peer has for the close frame with which it answers ours."""

_SLOW_SECONDS: Final = 8.0
"""The same, for one that takes little or nothing: behind all that is on its way."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""RFC 6455 section 1.3."""

_PING: Final = ws_frame(PING, b"")


async def upgrade(request: web.Request, peer: Peer) -> web.StreamResponse:
    """Shake hands and give the socket to `peer`. Raises CommandError: it is no upgrade."""
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
    return await take_over(request, peer, status=101, headers=headers)


class Peer(Connection):
    """One socket, and a task while there is something to answer."""

    __slots__ = (
        "_deadline",
        "_dismissed",
        "_frames",
        "_heard",
        "_inbox",
        "_owed",
        "_servant",
        "_turn",
        "_unfinished",
    )

    def __init__(self, connections: Connections) -> None:
        super().__init__(connections)
        self._frames: FrameReader | None = FrameReader(_MAX_FRAME, protocol.MAX_COMMAND)
        """None once the peer has broken the rules: what else it sends is dropped. Holds of one read
        what has not had its turn, since the socket is not read on meanwhile."""
        self._turn: asyncio.Handle | None = None
        """The next one."""
        self._unfinished = 0
        """The message that has begun, by its number, and ..."""
        self._deadline: asyncio.TimerHandle | None = None
        """... the end of the time that it has."""
        self._owed = b""
        """The answer to the newest ping (RFC 6455 section 5.5.3), or to those of this turn."""
        self._inbox: Inbox | None = None
        """Messages to be answered. None when there are none: an empty deque takes 600 bytes."""
        self._servant: asyncio.Task[None] | None = None
        """Answers them, one by one."""
        self._heard = asyncio.get_running_loop().time()
        self._dismissed = False
        """The close frame is written, and nothing may follow it."""

    @abstractmethod
    async def _answer(self, message: Message) -> None: ...

    async def _begin(self) -> None:
        """What is said before the first answer."""

    def _end(self) -> None:
        """Nothing may be said any more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._connections.closing:
            self._connections.enter(self)
            self.last_word()
            return
        if self._connections.full:
            self._close(protocol.CLOSE_TOO_MANY, "too many connections")
            return
        self._connections.enter(self)
        self._say(_PING)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._end()
        if self._servant is not None:
            self._servant.cancel()
        if self._turn is not None:
            self._turn.cancel()
        if self._deadline is not None:
            self._deadline.cancel()

    # What comes in.

    def data_received(self, data: bytes) -> None:
        self._heard = asyncio.get_running_loop().time()
        self._read(data)

    def _take_turn(self) -> None:
        self._turn = None
        self._read(b"")

    def _read(self, data: bytes) -> None:
        """Parse as much as anybody may at once; read no further while there is more, or enough
        unanswered."""
        if self.closing:
            self._frames = None
        if self._frames is None:
            return
        try:
            messages, bad = self._frames.feed(data, _TURN_FRAMES, _TURN_BYTES), None
        except BadFrame as error:
            messages, bad = error.before, error
        for message in messages:
            self._receive(message)
        self._pong()
        if bad is not None:
            self._fail(bad)
        else:
            if self._more or self._sated:
                self._socket.pause_reading()
            self._read_on()
        self._time_unfinished()

    @property
    def _more(self) -> bool:
        return self._frames is not None and self._frames.more

    @property
    def _sated(self) -> bool:
        return self._inbox is not None and self._inbox.full and not self._dismissed

    def _read_on(self) -> None:
        if self.closing or self._turn is not None or self._sated:
            return
        if self._more:
            self._turn = asyncio.get_running_loop().call_soon(self._take_turn)
        else:
            self._socket.resume_reading()

    def _time_unfinished(self) -> None:
        """Give what has begun its time; while it is not read on, it is not its fault."""
        reading = self._frames is not None and not self._sated and not self._dismissed
        unfinished = self._frames.unfinished if reading and self._frames is not None else 0
        if unfinished == self._unfinished:
            return
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._unfinished = unfinished
        if unfinished:
            self._deadline = asyncio.get_running_loop().call_later(_WHOLE_SECONDS, self._drips)

    def _drips(self) -> None:
        reason = f"a message is whole within {_WHOLE_SECONDS:g} s"
        self._close(protocol.CLOSE_TOO_SLOW, reason, _SLOW_SECONDS)

    def _receive(self, message: Message) -> None:
        if message.opcode == CLOSE:
            self._pong()
            # In answer to ours, or to be answered; the server hangs up first (section 7.1.1).
            self._say(ws_frame(CLOSE, message.payload[:2]))
            self._dismissed = True
            self.close()
        elif message.opcode == PING:
            pong = ws_frame(PONG, message.payload)
            # In one write for a turn's; of those that wait for the peer the newest is enough.
            self._owed = self._owed + pong if self._owed and self.writable else pong
        elif message.opcode != PONG and not self._dismissed:
            if self._inbox is None:
                self._inbox = Inbox()
            self._inbox.put(message)
            self._attend()

    def _attend(self) -> None:
        if self._servant is None:
            self._servant = self._connections.tasks.spawn(self._serve())

    async def _serve(self) -> None:
        """Until there is nothing left to answer."""
        try:
            await self._begin()
            while self._inbox:
                await self._answer(self._inbox.take())
                if self._inbox.roomy:
                    self._read_on()
                    self._time_unfinished()
                # Acks are as much as events: who takes none gets no more of them. And others have
                # their turn in between, as a refusal waits for nothing.
                await (asyncio.sleep(0) if self.writable else self.drain())
        except ConnectionError:
            self.abort()
        finally:
            self._inbox = self._servant = None

    # What goes out.

    def write(self, piece: Piece) -> None:
        self._say(piece.ws)

    def write_control(self, message: dict[str, Any]) -> None:
        self._say(ws_text(protocol.encode(message)))

    def _say(self, data: bytes) -> None:
        if not self._dismissed:
            self.send(data)

    def resume_writing(self) -> None:
        super().resume_writing()
        # It could not answer pings that stood behind what it had not taken yet.
        self._heard = asyncio.get_running_loop().time()
        self._pong()

    def _pong(self) -> None:
        if self._owed and self.writable:
            pongs, self._owed = self._owed, b""
            self._say(pongs)

    def heartbeat(self) -> None:
        if not self.writable:
            return  # `stalled` sees to it.
        now = asyncio.get_running_loop().time()
        if self.lags:
            # Our pings stand behind what it has not taken yet: 128 KB in the kernel.
            self._heard = now
        if now - self._heard < _SILENCE_SECONDS:
            self._say(_PING)
        else:
            self._close(protocol.CLOSE_SILENT, "no answer to pings", _SLOW_SECONDS)

    def goodbye(self) -> None:
        self.last_word()

    def last_word(self) -> None:
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
            self._end()
            asyncio.get_running_loop().call_later(patience, self._hang_up)
            self._read_on()  # for its answer

    def _fail(self, error: BadFrame) -> None:
        """What else it sends means nothing. What came before is answered, for which it has 2 s."""
        self._frames = None
        self._read_on()
        if self._servant is None:
            self._break_off(error)
        else:
            self._servant.add_done_callback(lambda _: self._break_off(error))
            asyncio.get_running_loop().call_later(_ANSWER_SECONDS, self._break_off, error)

    def _break_off(self, error: BadFrame) -> None:
        """End our half at once (section 7.1.7): its close frame is not waited for, its end is."""
        if not self._dismissed and not self.closing:
            self._close(error.code, error.reason)
            self._socket.write_eof()

    def _hang_up(self) -> None:
        if self.writable:
            self.close()
        else:
            self.abort()
