"""Who is connected to a stream: how many at most, their pings, their tasks, and their end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import abstractmethod
from typing import Final

from sidecar.log import CutShort, Subscription
from sidecar.tasks import Tasks
from sidecar.web.rounds import Rounds
from sidecar.web.socket import PeerSocket

__all__ = ["Connection", "Connections"]

logger = logging.getLogger("sidecar.web")

_HEARTBEAT_SECONDS: Final = 7.0
"""Between two looks at whether a peer is still there."""

_STILL_LOOKS: Final = 4
"""So many in a row without anything acknowledged between them let a peer go: 21 to 28 s after it
was written to. A WebSocket that answers no ping has heard so by then."""

_GOODBYE_SECONDS: Final = 2.0
"""What readers have, when the gateway stops, to take what is theirs."""

_LAST_WORD_SECONDS: Final = 1.0
"""What those who have not taken it by then have to hear that they are to come back."""

_MOST: Final = 4 * 1024 * 1024
"""Bytes that may wait for a peer when more is written to it: more than any one event or answer.
Events and acks wait for a socket that takes them; this is for what nobody waits with."""


class Connection(PeerSocket):
    """A socket that is visited now and then, and the end of its subscriptions."""

    __slots__ = ("_connections", "_let_go")

    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections
        self._let_go = False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._connections.leave(self)

    async def pump(self, subscription: Subscription) -> bool:
        """Whether the run has been told to its end; if not, this connection is over."""
        try:
            if not self.writable:
                # Else 256 subscriptions of one socket would write their first piece at once.
                await self.drain()
            await subscription.run()
            return True
        except ConnectionError:
            self.abort()
        except CutShort as error:
            logger.info("a reader of %s is sent away: %s", subscription.run_id, error)
            self.cut_short(str(error))
        except Exception:
            logger.exception("a subscription to %s broke", subscription.run_id)
            self.abort()
        return False

    def send(self, data: bytes) -> None:
        """The one way out of events, acks, control frames and pongs."""
        if self._socket.get_write_buffer_size() <= _MOST:
            super().send(data)
        else:
            self.stalled()

    def stalled(self) -> None:
        if not self._let_go:
            self._let_go = True
            logger.info("a peer was too slow and is let go")
            self.too_slow()

    @abstractmethod
    def too_slow(self) -> None:
        """The reader takes nothing: let it go."""

    def cut_short(self, why: str) -> None:
        """There is more for the reader, and it cannot be had here: close without an end."""
        self.close()

    @abstractmethod
    def ping(self) -> None:
        """Say how things stand, so that the reader knows that the stream lives."""

    @abstractmethod
    def heartbeat(self) -> None:
        """See to it that the peer is still there."""

    @abstractmethod
    def goodbye(self) -> None:
        """The gateway stops: tell the runs, which have ended, to their end, and close."""

    def last_word(self) -> None:
        """It has taken too long for that: close all the same, behind what is on its way."""
        self.close()


class Connections:
    def __init__(self, limit: int, ping_seconds: float) -> None:
        self._limit = limit
        self._open: set[Connection] = set()
        self.tasks = Tasks()
        """What connections have going on. They may cancel it and need not wait for its end."""
        self._pings = Rounds[Connection](ping_seconds, lambda one: one.ping())
        self._heartbeats = Rounds[Connection](_HEARTBEAT_SECONDS, _look_after)
        self._empty: asyncio.Event | None = None
        """Of a gateway that stops."""

    @property
    def full(self) -> bool:
        return len(self._open) >= self._limit

    @property
    def closing(self) -> bool:
        """The gateway stops: who comes now is to come back later."""
        return self._empty is not None

    def enter(self, connection: Connection) -> None:
        self._open.add(connection)
        self._pings.join(connection)
        self._heartbeats.join(connection)

    def leave(self, connection: Connection) -> None:
        self._open.discard(connection)
        self._pings.leave(connection)
        self._heartbeats.leave(connection)
        if self._empty is not None and not self._open:
            self._empty.set()

    async def close(self) -> None:
        """Let everybody go, without waiting for those that don't listen: 3 s at most."""
        self._empty = asyncio.Event()
        for connection in tuple(self._open):
            connection.goodbye()
        await self._until_empty(self._empty, _GOODBYE_SECONDS)
        for connection in tuple(self._open):
            connection.last_word()
        await self._until_empty(self._empty, _LAST_WORD_SECONDS)
        for connection in tuple(self._open):
            connection.abort()
        await self.tasks.close()

    async def _until_empty(self, empty: asyncio.Event, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._open:
                    empty.clear()
                    await empty.wait()


def _look_after(connection: Connection) -> None:
    still = connection.look() >= _STILL_LOOKS
    if connection.closing:
        if still:
            # What was left for it to take, it does not take.
            connection.abort()
    elif still:
        connection.stalled()
    else:
        connection.heartbeat()
