"""GET /ws: events out, commands in, many runs on one socket."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from aiohttp import web

from sidecar import protocol
from sidecar.errors import CommandError, StoreError
from sidecar.log import Subscription
from sidecar.protocol import Command, Reply, Subscribe, Unsubscribe
from sidecar.runs import Supervisor
from sidecar.web.connections import Connections
from sidecar.web.frames import TEXT, Message
from sidecar.web.keys import CONNECTIONS, SUPERVISOR
from sidecar.web.peer import Peer, upgrade
from sidecar.web.refusals import opaque, unreadable

__all__ = ["Session", "websocket"]

logger = logging.getLogger("sidecar.web")

_MAX_SUBSCRIPTIONS: Final = 256


async def websocket(request: web.Request) -> web.StreamResponse:
    """`?run=` subscribes at once, `&after=` from that cursor."""
    run = request.query.get("run")
    session = Session(
        request.app[SUPERVISOR],
        request.app[CONNECTIONS],
        None if run is None else (run, request.query.get("after")),
    )
    return await upgrade(request, session)


class Session(Peer):
    """Commands, and a task per subscription."""

    __slots__ = ("_first", "_subscriptions", "_supervisor")

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

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._first is not None and not self._dismissed:
            self._attend()

    async def _begin(self) -> None:
        if self._first is None:
            return
        (run, after), self._first = self._first, None
        try:
            await self._follow(run, after)
        except CommandError as error:
            self._reply(protocol.ack_error(error))

    async def _answer(self, message: Message) -> None:
        try:
            if message.opcode != TEXT:
                raise CommandError("bad_request", "commands are text frames, not binary")
            if message.dropped:
                raise protocol.too_large()
            reply = await self._handle(protocol.parse_command(message.payload))
        except CommandError as error:
            reply = protocol.ack_error(error)
        except Exception:
            reply = protocol.ack_error(opaque(logger))
        self._reply(reply)

    def _reply(self, reply: Reply) -> None:
        self.write_control(dict[str, Any](reply))

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
            if not self._dismissed:
                await self.pump(subscription)
        finally:
            if self._subscriptions.get(run, (None,))[0] is subscription:
                del self._subscriptions[run]

    def _end(self) -> None:
        for _, task in self._subscriptions.values():
            task.cancel()
        self._subscriptions.clear()

    def ping(self) -> None:
        if not self.writable:
            return
        for subscription, _ in self._subscriptions.values():
            subscription.ping()
        if not self._subscriptions:
            self.write_control(protocol.control("stream.ping", seq=0))

    def goodbye(self) -> None:
        self._connections.tasks.spawn(self._leave())

    async def _leave(self) -> None:
        while busy := {task for _, task in self._subscriptions.values()}:
            await asyncio.wait(busy)
        self.last_word()
