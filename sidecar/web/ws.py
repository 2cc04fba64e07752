"""GET /ws: events out, commands in, many runs on one socket."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from aiohttp import WSMsgType, web

from sidecar import protocol
from sidecar.deadline import Every
from sidecar.errors import CommandError
from sidecar.fanout import Subscription, TooSlow
from sidecar.protocol import Command, Reply, Subscribe, Unsubscribe
from sidecar.supervisor import Supervisor
from sidecar.web.keys import CONNECTIONS, SETTINGS, SUPERVISOR
from sidecar.web.problems import opaque
from sidecar.web.transport import WsTransport, tune

__all__ = ["websocket"]

logger = logging.getLogger("sidecar.ws")

_MAX_FRAME: Final = 2 * 1024 * 1024
"""aiohttp closes with 1009 above it; from MAX_COMMAND up to here the answer is `too_large`."""

_MAX_SUBSCRIPTIONS: Final = 256

_HEARTBEAT_SECONDS: Final = 7.0
_SILENCE_SECONDS: Final = 20.0
"""A peer that answers no ping for so long is let go (RFC 6455 section 5.5.2 makes it answer)."""


async def websocket(request: web.Request) -> web.StreamResponse:
    """`?run=` subscribes at once, `&after=` from that cursor."""
    ws = web.WebSocketResponse(
        protocols=(protocol.SUBPROTOCOL,),
        autoping=False,
        max_msg_size=_MAX_FRAME,
        compress=False,
    )
    if not ws.can_prepare(request).ok:
        raise CommandError("bad_request", "/ws speaks WebSocket: the request is no upgrade")
    tune(request)
    await ws.prepare(request)
    connections = request.app[CONNECTIONS]
    if not connections.enter(ws):
        await ws.close(code=protocol.CLOSE_TOO_MANY, message=b"too many connections", drain=False)
        return ws
    try:
        await _Session(request, ws).serve()
    finally:
        connections.leave(ws)
    return ws


class _Session:
    """One socket: a reader of commands, and a task per subscription."""

    def __init__(self, request: web.Request, ws: web.WebSocketResponse) -> None:
        self._ws = ws
        self._transport = WsTransport(request, ws)
        self._supervisor: Supervisor = request.app[SUPERVISOR]
        self._ping_seconds = request.app[SETTINGS].ping
        self._query = request.query
        self._subscriptions: dict[str, Subscription] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._goodbyes: list[asyncio.Task[None]] = []
        """The one for a silent peer, if it came to that."""
        self._heard = asyncio.get_running_loop().time()

    async def serve(self) -> None:
        self._transport.ping()
        chores = [
            Every(self._ping_seconds, self._ping),
            Every(_HEARTBEAT_SECONDS, self._heartbeat),
        ]
        try:
            run = self._query.get("run")
            if run is not None:
                await self._subscribe_at_once(run, self._query.get("after"))
            async for message in self._ws:
                self._heard = asyncio.get_running_loop().time()
                if message.type is WSMsgType.TEXT:
                    await self._on_text(message.data)
                elif message.type is WSMsgType.PING:
                    self._transport.pong(message.data)
                elif message.type is WSMsgType.BINARY:
                    self._send(
                        protocol.ack_error(
                            CommandError("bad_request", "commands are text frames, not binary")
                        )
                    )
        finally:
            for chore in chores:
                chore.stop()
            tasks = [*self._tasks.values(), *self._goodbyes]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._transport.dismissed:
                self._transport.abort()

    async def _on_text(self, text: str) -> None:
        try:
            command = protocol.parse_command(text)
            reply = await self._handle(command)
        except CommandError as error:
            reply = protocol.ack_error(error)
        except asyncio.CancelledError:
            raise
        except Exception:
            reply = protocol.ack_error(opaque(logger))
        self._send(reply)

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
            self._send(protocol.ack_error(error))

    async def _subscribe(self, command: Subscribe) -> Reply:
        noop = command.run in self._tasks
        if not noop:
            # The pump starts on a later tick, so the ack leaves before the hello.
            await self._follow(command.run, command.after)
        return protocol.ack_ok(command.id, run=command.run, noop=noop)

    async def _unsubscribe(self, command: Unsubscribe) -> Reply:
        task = self._tasks.pop(command.run, None)
        self._subscriptions.pop(command.run, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return protocol.ack_ok(command.id, run=command.run, noop=task is None)

    async def _follow(self, run: str, after: str | None) -> None:
        if len(self._tasks) >= _MAX_SUBSCRIPTIONS:
            raise CommandError(
                "at_capacity", f"at most {_MAX_SUBSCRIPTIONS} subscriptions on one socket"
            )
        feed = await self._supervisor.feed(run)
        subscription = Subscription(feed, self._transport, after)
        self._subscriptions[run] = subscription
        self._tasks[run] = asyncio.create_task(self._pump(run, subscription))

    async def _pump(self, run: str, subscription: Subscription) -> None:
        try:
            await subscription.run()
        except TooSlow:
            logger.info("a reader of %s was too slow and is let go", run)
            await self._transport.dismiss(
                protocol.CLOSE_TOO_SLOW, "too slow; come back with your cursor"
            )
        except ConnectionError:
            self._transport.abort()
        except Exception:
            logger.exception("a subscription to %s broke", run)
            self._transport.abort()
        finally:
            if self._subscriptions.get(run) is subscription:
                del self._subscriptions[run], self._tasks[run]

    def _ping(self) -> None:
        for subscription in self._subscriptions.values():
            subscription.ping()
        if not self._subscriptions:
            self._transport.write_control(protocol.control("stream.ping", seq=0))

    def _heartbeat(self) -> None:
        if asyncio.get_running_loop().time() - self._heard < _SILENCE_SECONDS:
            self._transport.ping()
        elif not self._goodbyes:
            goodbye = self._transport.dismiss(protocol.CLOSE_SILENT, "no answer to pings")
            self._goodbyes.append(asyncio.create_task(goodbye))

    def _send(self, reply: Reply) -> None:
        self._transport.write_control(dict[str, Any](reply))
