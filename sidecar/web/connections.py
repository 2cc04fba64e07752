"""Who is connected to a stream: how many at most, their pings, their tasks, and their end."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Coroutine
from typing import Any, Final

from sidecar.deadline import Rounds, within
from sidecar.web.wire import Wire

__all__ = ["Connection", "Connections"]

_HEARTBEAT_SECONDS: Final = 7.0
"""Between two looks at whether a peer is still there."""

_GOODBYE_SECONDS: Final = 2.0
"""What readers have, when the gateway stops, to take what is on its way to them."""


class Connection(Wire):
    """A wire that is visited now and then."""

    __slots__ = ()

    @abstractmethod
    def ping(self) -> None:
        """Say how things stand, so that the reader knows that the stream lives."""

    @abstractmethod
    def heartbeat(self) -> None:
        """See to it that the peer is still there."""

    @abstractmethod
    def goodbye(self) -> None:
        """The gateway stops: say what there is to say, and close."""


class Connections:
    def __init__(self, limit: int, ping_seconds: float) -> None:
        self._limit = limit
        self._open: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pings = Rounds[Connection](ping_seconds, lambda one: one.ping())
        self._heartbeats = Rounds[Connection](_HEARTBEAT_SECONDS, lambda one: one.heartbeat())
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

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task of a connection's, which may cancel it and need not wait for its end."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Let everybody go, without waiting for those that don't listen."""
        self._empty = asyncio.Event()
        for connection in tuple(self._open):
            connection.goodbye()
        try:
            if self._open:
                await within(_GOODBYE_SECONDS, self._empty.wait())
        except asyncio.TimeoutError:
            for connection in tuple(self._open):
                connection.abort()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
