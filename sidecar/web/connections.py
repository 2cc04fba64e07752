"""Who is connected to a stream: how many at most, their pings, their tasks, and their end."""

from __future__ import annotations

import asyncio
import logging
from abc import abstractmethod
from typing import Final

from sidecar.log import CutShort, Subscription, TooSlow
from sidecar.tasks import Tasks
from sidecar.web.rounds import Rounds
from sidecar.web.socket import PeerSocket

__all__ = ["Connection", "Connections"]

logger = logging.getLogger("sidecar.web")

_HEARTBEAT_SECONDS: Final = 7.0
"""Between two looks at whether a peer is still there."""

_GOODBYE_SECONDS: Final = 2.0
"""What readers have, when the gateway stops, to take what is on its way to them."""


class Connection(PeerSocket):
    """A socket that is visited now and then, and the end of its subscriptions."""

    __slots__ = ("_connections",)

    def __init__(self, connections: Connections) -> None:
        super().__init__()
        self._connections = connections

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._connections.leave(self)

    async def pump(self, subscription: Subscription) -> bool:
        """Whether the run has been told to its end; if not, this connection is over."""
        try:
            await subscription.run()
            return True
        except TooSlow:
            logger.info("a reader of %s was too slow and is let go", subscription.run_id)
            self.too_slow()
        except ConnectionError:
            self.abort()
        except CutShort as error:
            logger.info("a reader of %s is sent away: %s", subscription.run_id, error)
            self.cut_short(str(error))
        except Exception:
            logger.exception("a subscription to %s broke", subscription.run_id)
            self.abort()
        return False

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
    def heartbeat(self, takes: bool) -> None:
        """See to it that the peer is still there, of which it is a sign that it `takes` bytes."""

    @abstractmethod
    def goodbye(self) -> None:
        """The gateway stops: say what there is to say, and close."""


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
        return len(self._open) >= self._limit or self._empty is not None

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
        """Let everybody go, without waiting for those that don't listen."""
        self._empty = asyncio.Event()
        for connection in tuple(self._open):
            connection.goodbye()
        try:
            if self._open:
                async with asyncio.timeout(_GOODBYE_SECONDS):
                    await self._empty.wait()
        except TimeoutError:
            for connection in tuple(self._open):
                connection.abort()
        await self.tasks.close()


def _look_after(connection: Connection) -> None:
    takes = connection.takes()
    if not connection.closing:
        connection.heartbeat(takes)
    elif not takes:
        # What was left for it to take, it does not take.
        connection.abort()
